from __future__ import annotations

import pytest

from tests.initiator.pair import Pair, intent, logged_in, reading, writing
from tests.protocol.peer import Gate
from tests.requirements import requirement
from trioscsi.initiator.requests import Management
from trioscsi.pdu import (
    NO_TASK,
    ReadyToTransfer,
    ScsiResponse,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
)

F = TaskFunction


def test_a_task_is_aborted():
    gate = Gate()
    gate.disk.lazy = True
    pair = Pair(gate)
    task, other = pair.do(reading(0, 4)), pair.do(reading(0, 4))
    asked = pair.do(Management(function=F.ABORT_TASK, about=task, immediate=True))
    assert asked.result is TaskResult.COMPLETE
    assert task.lost == "aborted"
    assert not other.over
    gate.disk.work()
    pair.run()
    assert other.over


@pytest.mark.parametrize(
    "function",
    [
        F.ABORT_TASK_SET,
        F.CLEAR_TASK_SET,
        F.LOGICAL_UNIT_RESET,
        F.TARGET_WARM_RESET,
        F.I_T_NEXUS_RESET,
    ],
)
def test_many_tasks_are_ended(function: TaskFunction):
    gate = Gate()
    gate.disk.lazy = True
    offer = intent(protocol_level=2)
    pair = Pair(gate, offer)
    tasks = [pair.do(reading(0, 4)) for _ in range(3)]
    asked = pair.do(Management(function=function, immediate=True))
    assert asked.over
    if asked.result is TaskResult.COMPLETE:
        assert all(task.lost == "aborted" for task in tasks)
    else:
        assert function is F.I_T_NEXUS_RESET, asked


@requirement("7144-4.1-1")
@requirement("7144-6.3-1")
def test_functions_of_the_later_standard_need_its_level():
    script = logged_in()
    wish = Management(function=F.QUERY_TASK_SET, immediate=True)
    assert script.request(wish) == []
    assert "iSCSIProtocolLevel" in wish.lost


def test_an_immediate_task_is_referred_to_by_the_number_of_the_function():
    script = logged_in()
    task = reading(0, 4, immediate=True)
    script.request(task)
    script.request(reading(0, 4))
    (pdu,) = script.request(Management(function=F.ABORT_TASK, about=task, immediate=True))
    assert pdu.ref_cmd_sn == pdu.cmd_sn != task.cmd_sn


def test_what_comes_for_an_aborted_task_is_discarded():
    script = logged_in()
    task = reading(0, 4)
    script.request(task)
    (pdu,) = script.request(Management(function=F.ABORT_TASK, about=task, immediate=True))
    script.say(TaskManagementResponse(itt=pdu.itt))
    script.say(ScsiResponse(itt=task.itt, status=8))
    assert (task.lost, task.status) == ("aborted", 0)
    assert not script.connection.closed


@pytest.mark.parametrize("function", list(F))
@requirement("7144-6.3-3")
@requirement("7144-6.3.2-1")
def test_each_function_says_what_it_is_about(function: TaskFunction):
    script = logged_in(intent(protocol_level=2), b"iSCSIProtocolLevel=2\0")
    task = reading(0, 4, lun=1 << 48)
    (command,) = script.request(task)
    wish = Management(function=function, lun=1 << 48, about=task, immediate=True)
    (pdu,) = script.request(wish)
    assert isinstance(pdu, TaskManagementRequest)
    assert (pdu.function, pdu.immediate) == (function, True)
    of_task = function in (F.ABORT_TASK, F.TASK_REASSIGN, F.QUERY_TASK)
    assert pdu.referenced_task_tag == (command.itt if of_task else NO_TASK)
    assert pdu.ref_cmd_sn == (command.cmd_sn if of_task else 0)
    assert pdu.lun == (0 if function in (F.TARGET_WARM_RESET, F.TARGET_COLD_RESET) else 1 << 48)


def test_other_answers_leave_the_tasks_alone():
    script = logged_in()
    task = reading(0, 4)
    script.request(task)
    wish = Management(function=F.ABORT_TASK_SET, immediate=True)
    (pdu,) = script.request(wish)
    script.say(
        TaskManagementResponse(itt=pdu.itt, response=5, additional_response_information=0x123)
    )
    assert wish.result is TaskResult.NOT_SUPPORTED
    assert wish.information == 0x123
    assert not task.over


@requirement("7144-6.4.2-1")
def test_functions_that_ask_may_succeed():
    script = logged_in(intent(protocol_level=2), b"iSCSIProtocolLevel=2\0")
    wish = Management(function=F.QUERY_TASK_SET, immediate=True)
    (pdu,) = script.request(wish)
    script.say(TaskManagementResponse(itt=pdu.itt, response=TaskResult.SUCCEEDED))
    assert (wish.over, wish.lost, wish.result) == (True, "", TaskResult.SUCCEEDED)


def test_an_answer_of_no_known_kind_is_kept_as_it_is():
    script = logged_in(intent(protocol_level=2), b"iSCSIProtocolLevel=2\0")
    wish = Management(function=F.QUERY_TASK_SET, immediate=True)
    (pdu,) = script.request(wish)
    script.say(TaskManagementResponse(itt=pdu.itt, response=77))
    assert wish.result == 77


def test_a_task_that_the_target_does_not_know_is_over():
    script = logged_in()
    task = reading(0, 4)
    script.request(task)
    wish = Management(function=F.ABORT_TASK, about=task, immediate=True)
    (pdu,) = script.request(wish)
    script.say(TaskManagementResponse(itt=pdu.itt, response=1))
    assert task.over


@pytest.mark.parametrize("reporting", ["RFC3720", "FastAbort"])
@requirement("7143-4.2.3.4-2")
@requirement("7143-11.5.1-11")
def test_r2ts_are_answered_until_the_function_has_ended_unless_aborts_are_fast(reporting: str):
    script = logged_in(
        intent(
            initial_r2t=True,
            immediate_data=False,
            task_reporting=("FastAbort", "ResponseFence", "RFC3720"),
        ),
        f"ImmediateData=No\0TaskReporting={reporting}\0".encode(),
    )
    task = writing(0, bytes(100))
    (command,) = script.request(task)
    (abort,) = script.request(Management(function=F.ABORT_TASK_SET, immediate=True))
    r2t = ReadyToTransfer(itt=command.itt, ttt=5, desired_data_transfer_length=100)
    assert len(script.say(r2t)) == (1 if reporting == "RFC3720" else 0)
    script.say(TaskManagementResponse(itt=abort.itt))
    assert task.lost == "aborted"


def test_an_answer_to_nothing_is_discarded():
    script = logged_in()
    script.say(TaskManagementResponse(itt=5))
    assert not script.connection.closed
    assert "which nothing has" in str(script.connection.remarks[-1])
