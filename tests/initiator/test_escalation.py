from __future__ import annotations

from typing import Any

import pytest

from tests.initiator.pair import Script, logged_in, reading
from tests.requirements import requirement
from trioscsi.initiator.events import SessionFailed
from trioscsi.limits import Limits
from trioscsi.pdu import (
    NO_TASK,
    NopIn,
    ScsiResponse,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
)

LIMITS = Limits(ping_interval=0, command_time=30, management_time=5)


def late(**fields: Any) -> tuple[Script, Any, TaskManagementRequest]:
    """A command that was not answered in time, and the request that was sent for it."""
    script = logged_in(limits=LIMITS)
    task = reading(0, 4, lun=1 << 48, **fields)
    script.request(task)
    script.pass_time(29)
    (abort,) = script.pass_time(1)
    assert isinstance(abort, TaskManagementRequest)
    return script, task, abort


@requirement("7143-7.11-3")
def test_a_command_that_is_not_answered_is_aborted():
    script, task, abort = late()
    assert (abort.function, abort.immediate) == (TaskFunction.ABORT_TASK, True)
    assert (abort.referenced_task_tag, abort.ref_cmd_sn) == (task.itt, task.cmd_sn)
    assert abort.lun == task.lun
    script.say(TaskManagementResponse(itt=abort.itt))
    assert task.lost == "no answer to the command in 30 seconds: aborted"
    assert not task.orphaned
    assert script.pass_time(100) == []
    assert not script.connection.closed


@requirement("7143-4.2.3.3-2")
def test_an_answer_in_the_last_moment_counts():
    script, task, abort = late()
    script.say(ScsiResponse(itt=task.itt, status=8))
    assert (task.status, task.lost) == (8, "")
    script.say(TaskManagementResponse(itt=abort.itt, response=1))
    assert script.pass_time(100) == []


@requirement("7143-7.11-1")
@pytest.mark.parametrize("response", [None, 5, 255])
def test_what_does_not_help_is_followed_by_a_reset_and_that_by_the_end(response: int | None):
    script, task, abort = late()

    def refuse(request: TaskManagementRequest) -> list[Any]:
        if response is None:
            return script.pass_time(5)
        return script.say(TaskManagementResponse(itt=request.itt, response=response))

    (reset,) = refuse(abort)
    assert reset.function == TaskFunction.LOGICAL_UNIT_RESET
    assert (reset.referenced_task_tag, reset.lun) == (NO_TASK, task.lun)
    assert not task.over
    assert refuse(reset) == []
    assert script.connection.closed
    assert script.happened(SessionFailed)
    assert (task.lost, task.orphaned) == ("no answer to the command in 30 seconds", False)


def test_a_reset_may_help():
    script, task, _ = late()
    (reset,) = script.pass_time(5)
    script.say(TaskManagementResponse(itt=reset.itt))
    assert task.lost.endswith("aborted")
    assert not script.connection.closed


def test_a_command_that_was_never_sent_is_just_given_up():
    script = logged_in(limits=LIMITS)
    script.session.numbers.maximum = script.session.numbers.next - 1
    task = reading(0, 4)
    assert script.request(task) == []
    assert script.pass_time(30) == []
    assert task.lost == "no answer to the command in 30 seconds"
    assert script.say(NopIn()) == []


def test_commands_have_times_of_their_own():
    script = logged_in(limits=LIMITS)
    quick, slow = reading(0, 4, patience=1), reading(0, 4, patience=0)
    script.request(quick)
    script.request(slow)
    (abort,) = script.pass_time(1)
    script.say(TaskManagementResponse(itt=abort.itt))
    assert quick.over
    assert script.pass_time(1000) == []
    assert not slow.over


def test_a_connection_that_is_lost_meanwhile_ends_it_as_any_other():
    script, task, _ = late()
    script.connection.lost("cut", script.now)
    assert (task.lost, task.orphaned) == ("cut", True)
    script.pass_time(100)
