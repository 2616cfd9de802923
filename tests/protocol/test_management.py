"""Task management functions and their answers (RFC 7143 sections 11.5 and 11.6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import Gate, Peer, login
from tests.requirements import requirement
from trioscsi.limits import Limits
from trioscsi.pdu import (
    NO_TASK,
    DataOut,
    NopIn,
    NopOut,
    Reject,
    RejectReason,
    ScsiCommand,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
    TextRequest,
)
from trioscsi.protocol import CommandsCleared, SessionEnded, UnitReset
from trioscsi.text import Offer

ELSEWHERE = 1 << 48
OTHER_ISID = b"other!"
TASK_ABORTED = 0x40


def open_peer(**limits: Any) -> Peer:
    """A peer whose commands stay in hand."""
    peer = login(Gate(limits=Limits(ping_interval=0, **limits)), keys={"ImmediateData": "No"})
    peer.gate.disk.lazy = True
    return peer


def neighbour(peer: Peer) -> Peer:
    return login(peer.gate, isid=OTHER_ISID)


def busy(peer: Peer, **fields: Any) -> ScsiCommand:
    """A command that is under way."""
    command: ScsiCommand = peer.reading(0, 4, **fields)
    assert peer.send(command) == []
    return command


def manage(peer: Peer, function: int, task: ScsiCommand | None = None, **fields: Any) -> list[Any]:
    """Send one function, and return all answers."""
    if task is not None:
        fields = {"referenced_task_tag": task.itt, "ref_cmd_sn": task.cmd_sn, **fields}
    fields = {"immediate": True, "function": function, **fields}
    return peer.send(peer.request(TaskManagementRequest, **fields))


def result(peer: Peer, function: int, task: ScsiCommand | None = None, **fields: Any) -> TaskResult:
    answer, *notices = manage(peer, function, task, **fields)
    assert isinstance(answer, TaskManagementResponse)
    # Functions that end sessions say so afterwards.
    ends = function in (TaskFunction.TARGET_COLD_RESET, TaskFunction.I_T_NEXUS_RESET)
    assert len(notices) <= ends
    return TaskResult(answer.response)


def under_way(peer: Peer) -> set[int]:
    return {task.itt for task in peer.connection.session.tasks}


# ABORT TASK (section 11.6.1)


@requirement("7143-11.5.1-4")
def test_a_task_is_aborted_alone():
    peer = open_peer()
    gone, stays = busy(peer), busy(peer)
    assert result(peer, TaskFunction.ABORT_TASK, gone) is TaskResult.COMPLETE
    assert under_way(peer) == {stays.itt}
    peer.abandon(gone.itt)
    peer.gate.disk.work()
    (answer,) = peer.receive()
    assert answer.itt == stays.itt


@requirement("7143-7.11-5")
def test_there_may_be_no_such_task():
    peer = open_peer()
    peer.gate.disk.lazy = False
    command = peer.reading(0, 4)
    peer.send(command)
    assert result(peer, TaskFunction.ABORT_TASK, command) is TaskResult.NO_TASK


def test_a_task_of_another_unit_is_another_task():
    peer = open_peer()
    command = busy(peer, lun=ELSEWHERE)
    assert result(peer, TaskFunction.ABORT_TASK, command) is TaskResult.NO_TASK
    assert under_way(peer) == {command.itt}


@requirement("7143-7.11-4")
def test_a_command_that_never_came_is_aborted_by_its_number():
    """Case b: the gap that it leaves is closed."""
    peer = open_peer()
    peer.gate.disk.lazy = False
    lost = peer.reading(0, 4)
    follower = peer.reading(0, 4)
    assert peer.send(follower) == []
    answers = manage(peer, TaskFunction.ABORT_TASK, lost)
    response, read = sorted(answers, key=lambda pdu: not isinstance(pdu, TaskManagementResponse))
    assert response.response == TaskResult.COMPLETE
    assert read.itt == follower.itt
    assert peer.exp_cmd_sn == peer.cmd_sn


def test_a_command_that_is_held_is_aborted_and_its_turn_passes():
    peer = open_peer()
    peer.gate.disk.lazy = False
    gap, held, last = (peer.reading(0, 4) for _ in range(3))
    assert peer.send(held, last) == []
    assert result(peer, TaskFunction.ABORT_TASK, held) is TaskResult.COMPLETE
    peer.abandon(held.itt)
    assert [pdu.itt for pdu in peer.send(gap)] == [gap.itt, last.itt]
    assert peer.exp_cmd_sn == peer.cmd_sn


def test_a_number_outside_the_window_names_no_task():
    peer = open_peer()
    fields = {"referenced_task_tag": 99}
    assert result(peer, TaskFunction.ABORT_TASK, ref_cmd_sn=500, **fields) is TaskResult.NO_TASK
    assert result(peer, TaskFunction.ABORT_TASK, ref_cmd_sn=0, **fields) is TaskResult.NO_TASK


@requirement("7143-11.5.1-4")
def test_an_answer_waits_until_the_device_server_lets_go():
    peer = open_peer()
    command = busy(peer)
    peer.gate.disk.slow_to_let_go = True
    assert manage(peer, TaskFunction.ABORT_TASK, command) == []
    peer.abandon()
    assert under_way(peer) == set()
    peer.gate.disk.let_go()
    (answer,) = peer.receive()
    assert answer.response == TaskResult.COMPLETE


def test_a_task_may_be_aborted_twice_and_both_wait():
    peer = open_peer()
    command = busy(peer)
    peer.gate.disk.slow_to_let_go = True
    assert manage(peer, TaskFunction.ABORT_TASK, command) == []
    assert manage(peer, TaskFunction.ABORT_TASK, command) == []
    peer.abandon()
    peer.gate.disk.let_go()
    assert [pdu.response for pdu in peer.receive()] == [TaskResult.COMPLETE] * 2


def test_data_that_was_on_its_way_is_dropped():
    peer = open_peer()
    (command,) = peer.write(0, b"data")
    (r2t,) = peer.send(command)
    out = DataOut(final=True, itt=command.itt, ttt=r2t.ttt, data=b"data")
    assert result(peer, TaskFunction.ABORT_TASK, command) is TaskResult.COMPLETE
    assert peer.send(out) == []
    assert peer.gate.disk.store[:4] == bytes(4)


def test_an_early_function_waits_for_its_turn():
    peer = open_peer()
    gap = peer.reading(0, 4)
    assert manage(peer, TaskFunction.ABORT_TASK, gap, immediate=False) == []
    (answer,) = peer.send(gap)
    assert answer.response == TaskResult.COMPLETE
    assert under_way(peer) == set()


def test_an_answer_does_not_wait_for_a_device_server_that_hangs():
    peer = open_peer(abort_time=0.5)
    command = busy(peer)
    peer.gate.disk.slow_to_let_go = True
    assert manage(peer, TaskFunction.ABORT_TASK, command) == []
    peer.abandon()
    assert peer.pass_time(0.4) == []
    (answer,) = peer.pass_time(0.2)
    assert answer.response == TaskResult.COMPLETE
    assert len(list(peer.gate.target.dying)) == 1
    peer.gate.disk.let_go()
    assert peer.receive() == []
    assert list(peer.gate.target.dying) == []
    assert peer.gate.target.deadlines.next() is None


# Sets and resets


def test_a_task_set_of_a_session_is_aborted():
    peer = open_peer()
    other = neighbour(peer)
    busy(peer), busy(peer)
    elsewhere, foreign = busy(peer, lun=ELSEWHERE), busy(other)
    assert result(peer, TaskFunction.ABORT_TASK_SET) is TaskResult.COMPLETE
    assert under_way(peer) == {elsewhere.itt}
    assert under_way(other) == {foreign.itt}


def test_a_command_that_was_given_after_a_function_is_not_aborted_by_it():
    peer = open_peer()
    peer.gate.disk.lazy = False
    gap = peer.reading(0, 4)
    held = peer.reading(0, 4)
    assert peer.send(held) == []
    assert manage(peer, TaskFunction.ABORT_TASK_SET, immediate=False) == []
    later = peer.reading(0, 4)
    assert peer.send(later) == []
    answers = peer.send(gap)
    peer.abandon(gap.itt, held.itt)
    assert later.itt in {pdu.itt for pdu in answers}
    assert under_way(peer) == set()


def test_a_task_set_is_cleared_for_all_sessions():
    peer = open_peer()
    other = neighbour(peer)
    elsewhere, *_ = busy(peer, lun=ELSEWHERE), busy(peer), busy(other)
    assert result(peer, TaskFunction.CLEAR_TASK_SET) is TaskResult.COMPLETE
    assert under_way(peer) == {elsewhere.itt}
    assert under_way(other) == set()
    assert not any(isinstance(event, UnitReset) for event in peer.gate.disk.events)


@requirement("7143-11.5.1-7")
def test_a_unit_is_reset_for_all_sessions():
    peer = open_peer()
    other = neighbour(peer)
    busy(peer), busy(other)
    assert result(peer, TaskFunction.LOGICAL_UNIT_RESET) is TaskResult.COMPLETE
    assert under_way(peer) == under_way(other) == set()
    reset = peer.gate.disk.events[-1]
    assert reset == UnitReset(0, peer.connection.session)


@pytest.mark.parametrize("reporting", ["RFC3720", "ResponseFence", "FastAbort"])
@requirement("7143-4.2.2.3.2-1")
@requirement("7143-4.2.2.3.4-1")
def test_an_answer_stands_between_the_responses_before_and_behind_it(reporting: str):
    offer = Offer(task_reporting=("FastAbort", "ResponseFence", "RFC3720"))
    gate = Gate(offer, Limits(ping_interval=0))
    peer = login(gate, keys={"TaskReporting": reporting})
    assert peer.connection.parameters.task_reporting == reporting
    gate.disk.lazy = gate.disk.slow_to_let_go = True
    before, ended = busy(peer, lun=ELSEWHERE), busy(peer)
    assert manage(peer, TaskFunction.ABORT_TASK_SET) == []
    function = peer.itt
    peer.abandon(ended.itt)
    gate.disk.work()
    gate.disk.let_go()
    behind = peer.reading(0, 4)
    answers = peer.send(behind)
    gate.disk.work()
    answers += peer.receive()
    assert [pdu.itt for pdu in answers] == [before.itt, function, behind.itt]


@requirement("7143-11.4.11-1")
def test_a_window_that_opens_without_an_answer_is_told():
    peer = open_peer(tasks=2)
    other = neighbour(peer)
    theirs = [busy(other), busy(other)]
    assert other.send(other.request(NopOut))[0].max_cmd_sn == other.exp_cmd_sn - 1
    assert result(peer, TaskFunction.CLEAR_TASK_SET) is TaskResult.COMPLETE
    other.abandon(*(command.itt for command in theirs))
    (told,) = other.receive()
    assert isinstance(told, NopIn)
    assert (told.itt, told.ttt) == (NO_TASK, NO_TASK)
    assert told.max_cmd_sn == told.exp_cmd_sn + 1


@requirement("7143-4.2.3.3-6")
def test_a_reset_waits_for_the_tasks_of_other_sessions():
    peer = open_peer()
    busy(neighbour(peer))
    peer.gate.disk.slow_to_let_go = True
    assert manage(peer, TaskFunction.LOGICAL_UNIT_RESET) == []
    peer.gate.disk.let_go()
    assert len(peer.receive()) == 1


def test_a_target_is_reset_with_all_its_units():
    peer = open_peer()
    other = neighbour(peer)
    busy(peer, lun=ELSEWHERE), busy(other)
    assert result(peer, TaskFunction.TARGET_WARM_RESET) is TaskResult.COMPLETE
    assert under_way(peer) == under_way(other) == set()
    assert peer.gate.disk.events[-1] == UnitReset(None, peer.connection.session)
    assert peer.connection.full_feature


@requirement("7143-11.5.1-9")
def test_a_target_that_is_restarted_answers_and_closes_all_connections():
    peer = open_peer()
    other = neighbour(peer)
    assert result(peer, TaskFunction.TARGET_COLD_RESET) is TaskResult.COMPLETE
    assert peer.connection.closed
    assert other.connection.closed
    assert "TARGET COLD RESET" in other.connection.remarks
    assert peer.connection.session is not None
    assert peer.connection.session.node.sessions == []


# What others are told


def cleared(peer: Peer) -> list[CommandsCleared]:
    return [event for event in peer.gate.disk.events if isinstance(event, CommandsCleared)]


def test_a_session_with_a_task_set_of_its_own_clears_that_alone():
    peer = open_peer()
    peer.gate.units.shared = False
    other = neighbour(peer)
    busy(peer), busy(other)
    assert result(peer, TaskFunction.CLEAR_TASK_SET) is TaskResult.COMPLETE
    assert (len(under_way(peer)), len(under_way(other))) == (0, 1)
    assert cleared(peer) == []


def test_another_session_hears_once_that_its_commands_were_cleared():
    peer = open_peer()
    other, idle = neighbour(peer), login(peer.gate, isid=b"third!")
    busy(peer), busy(other), busy(other)
    assert result(peer, TaskFunction.CLEAR_TASK_SET) is TaskResult.COMPLETE
    assert idle.connection.session is not None
    assert cleared(peer) == [CommandsCleared(other.connection.session, 0)]


def test_a_reset_says_by_itself_that_commands_were_cleared():
    peer = open_peer()
    busy(neighbour(peer))
    assert result(peer, TaskFunction.LOGICAL_UNIT_RESET) is TaskResult.COMPLETE
    assert cleared(peer) == []


@pytest.mark.parametrize("function", [TaskFunction.CLEAR_TASK_SET, TaskFunction.LOGICAL_UNIT_RESET])
def test_another_session_may_get_a_status_for_each_command(function: TaskFunction):
    peer = open_peer()
    peer.gate.units.tells = True
    other = neighbour(peer)
    own, theirs = busy(peer), busy(other)
    assert result(peer, function) is TaskResult.COMPLETE
    assert cleared(peer) == []
    (response,) = other.receive()
    assert (response.itt, response.status) == (theirs.itt, TASK_ABORTED)
    assert (response.underflow, response.residual_count) == (True, 4)
    assert own.itt not in peer.answers
    assert list(peer.gate.target.dying) == []


def test_a_status_does_not_wait_for_the_device_server():
    peer = open_peer()
    peer.gate.units.tells = True
    peer.gate.disk.slow_to_let_go = True
    other = neighbour(peer)
    busy(other)
    assert manage(peer, TaskFunction.CLEAR_TASK_SET) == []
    assert [pdu.status for pdu in other.receive()] == [TASK_ABORTED]
    peer.gate.disk.let_go()
    assert [pdu.response for pdu in peer.receive()] == [TaskResult.COMPLETE]


def test_a_status_waits_for_data_that_was_announced_and_the_data_goes_nowhere():
    peer = open_peer()
    peer.gate.units.tells = True
    other = neighbour(peer)
    (command,) = other.write(0, b"data")
    (r2t,) = other.send(command)
    assert result(peer, TaskFunction.CLEAR_TASK_SET) is TaskResult.COMPLETE
    assert other.receive() == []
    (response,) = other.send(*other.answer_r2t(r2t))
    assert (response.itt, response.status) == (command.itt, TASK_ABORTED)
    assert peer.gate.disk.store[:4] == bytes(4)


def test_a_task_that_is_told_so_and_waits_for_data_can_still_be_aborted():
    peer = open_peer()
    peer.gate.units.tells = True
    other = neighbour(peer)
    (command,) = other.write(0, b"data")
    other.send(command)
    assert result(peer, TaskFunction.CLEAR_TASK_SET) is TaskResult.COMPLETE
    assert result(other, TaskFunction.ABORT_TASK, command) is TaskResult.COMPLETE
    other.abandon()
    assert under_way(other) == set()


@requirement("7143-4.2.3.3-5")
def test_an_early_command_of_another_session_is_in_no_task_set_yet():
    peer = open_peer()
    other = neighbour(peer)
    gap, held = other.reading(0, 4), other.reading(0, 4)
    assert other.send(held) == []
    assert result(peer, TaskFunction.CLEAR_TASK_SET) is TaskResult.COMPLETE
    assert under_way(other) == {held.itt}
    peer.gate.disk.lazy = False
    assert [pdu.itt for pdu in other.send(gap)] == [gap.itt, held.itt]


def test_an_allegiance_is_cleared_for_the_session_that_asks():
    peer = open_peer()
    assert result(peer, TaskFunction.CLEAR_ACA) is TaskResult.COMPLETE
    assert peer.gate.units.cleared == [(0, peer.connection.session)]


# RFC 7144


def of_level_2(**limits: Any) -> Peer:
    """A peer that may use what RFC 7144 has added."""
    offer = Offer(target_portal_group_tag=1, protocol_level=2)
    gate = Gate(offer, Limits(ping_interval=0, **limits))
    peer = login(gate, keys={"ImmediateData": "No", "iSCSIProtocolLevel": "2"})
    gate.disk.lazy = True
    return peer


@requirement("7144-4.1-2")
@requirement("7144-6.4.2-2")
def test_a_task_is_found_in_the_task_set_or_not():
    peer = of_level_2()
    command = busy(peer)
    assert result(peer, TaskFunction.QUERY_TASK, command) is TaskResult.SUCCEEDED
    peer.gate.disk.work()
    peer.receive()
    assert result(peer, TaskFunction.QUERY_TASK, command) is TaskResult.COMPLETE


def test_a_task_that_was_asked_for_and_never_came_does_not_come_later():
    peer = of_level_2()
    lost = peer.reading(0, 4)
    assert result(peer, TaskFunction.QUERY_TASK, lost) is TaskResult.COMPLETE
    peer.abandon()
    assert peer.feed(peer.encode(lost)) == []
    assert under_way(peer) == set()


@requirement("7144-4.1-2")
@requirement("7144-6.4.2-2")
def test_a_task_set_is_that_of_a_session_and_a_unit():
    peer = of_level_2()
    busy(peer, lun=ELSEWHERE), busy(neighbour(peer))
    assert result(peer, TaskFunction.QUERY_TASK_SET) is TaskResult.COMPLETE
    busy(peer)
    assert result(peer, TaskFunction.QUERY_TASK_SET) is TaskResult.SUCCEEDED


@requirement("7144-4.1-2")
@requirement("7144-6.4.2-2")
def test_a_unit_attention_that_is_pending_is_told_and_stays():
    peer = of_level_2()
    assert result(peer, TaskFunction.QUERY_ASYNCHRONOUS_EVENT) is TaskResult.COMPLETE
    peer.gate.units.pending = 0x162900
    (answer,) = manage(peer, TaskFunction.QUERY_ASYNCHRONOUS_EVENT)
    assert answer.response == TaskResult.SUCCEEDED
    assert answer.additional_response_information == 0x162900


@requirement("7144-4.1-2")
@requirement("7144-6.3-2")
@requirement("7144-6.3-6")
def test_a_nexus_is_reset_and_its_session_ends():
    peer = of_level_2()
    other = neighbour(peer)
    busy(peer), busy(peer, lun=ELSEWHERE)
    foreign = busy(other)
    assert result(peer, TaskFunction.I_T_NEXUS_RESET) is TaskResult.COMPLETE
    assert peer.connection.closed
    assert peer.gate.target.sessions == [other.connection.session]
    assert peer.gate.disk.events[-1] == SessionEnded(peer.connection.session, "timed_out")
    assert under_way(other) == {foreign.itt}


# What is refused


@pytest.mark.parametrize(
    "function",
    [
        TaskFunction.ABORT_TASK,
        TaskFunction.ABORT_TASK_SET,
        TaskFunction.CLEAR_ACA,
        TaskFunction.CLEAR_TASK_SET,
        TaskFunction.LOGICAL_UNIT_RESET,
        TaskFunction.QUERY_TASK,
        TaskFunction.QUERY_TASK_SET,
        TaskFunction.QUERY_ASYNCHRONOUS_EVENT,
    ],
)
def test_a_unit_has_to_exist(function: TaskFunction):
    peer = of_level_2()
    assert result(peer, function, lun=ELSEWHERE * 7) is TaskResult.NO_LUN


@pytest.fixture(autouse=True)
def _units(monkeypatch: pytest.MonkeyPatch):
    """Two units, at LUN 0 and 1."""
    before = Gate.__init__

    def init(self: Gate, *args: Any, **kwargs: Any) -> None:
        before(self, *args, **kwargs)
        self.units.luns = {0, ELSEWHERE}

    monkeypatch.setattr(Gate, "__init__", init)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (TaskFunction.QUERY_TASK, TaskResult.NOT_SUPPORTED),
        (TaskFunction.QUERY_TASK_SET, TaskResult.NOT_SUPPORTED),
        (TaskFunction.I_T_NEXUS_RESET, TaskResult.NOT_SUPPORTED),
        (TaskFunction.QUERY_ASYNCHRONOUS_EVENT, TaskResult.NOT_SUPPORTED),
        (0, TaskResult.NOT_SUPPORTED),
        (0x7F, TaskResult.NOT_SUPPORTED),
    ],
)
@requirement("7143-11.5.1-5")
@requirement("7143-11.5.1-8")
@requirement("7144-4.1-1")
def test_what_is_not_supported_is_said_so(function: int, expected: TaskResult):
    assert result(open_peer(), function) is expected


@requirement("7143-7.2.2-2")
def test_no_task_is_reassigned_whether_it_is_there_or_not():
    peer = open_peer()
    command = busy(peer)
    for task in (command, peer.reading(0, 4)):
        answer = result(peer, TaskFunction.TASK_REASSIGN, task)
        assert answer is TaskResult.REASSIGNMENT_NOT_SUPPORTED
    assert under_way(peer) == {command.itt}


@requirement("7143-11.5.1-6")
@requirement("7143-11.5.1-10")
@requirement("7144-6.3-5")
def test_a_function_is_no_task_for_another():
    peer = of_level_2()
    peer.gate.disk.slow_to_let_go = True
    assert manage(peer, TaskFunction.ABORT_TASK, busy(peer)) == []
    under_way = {"referenced_task_tag": peer.itt}
    for function in (TaskFunction.ABORT_TASK, TaskFunction.QUERY_TASK, TaskFunction.TASK_REASSIGN):
        assert result(peer, function, **under_way) is TaskResult.REJECTED
    peer.abandon()
    peer.gate.disk.let_go()
    assert [pdu.response for pdu in peer.receive()] == [TaskResult.COMPLETE]


@requirement("7143-11.5.1-10")
def test_a_text_negotiation_is_not_reassigned():
    peer = open_peer()
    (text,) = peer.send(peer.request(TextRequest, final=False))
    assert not text.final
    tag = {"referenced_task_tag": text.itt}
    assert result(peer, TaskFunction.TASK_REASSIGN, **tag) is TaskResult.REJECTED
    peer.send(peer.request(TextRequest, itt=text.itt, ttt=text.ttt))
    over = result(peer, TaskFunction.TASK_REASSIGN, **tag)
    assert over is TaskResult.REASSIGNMENT_NOT_SUPPORTED


def test_functions_that_wait_are_bounded():
    peer = open_peer(immediate_tasks=2)
    peer.gate.disk.slow_to_let_go = True
    command = busy(peer)
    for _ in range(2):
        assert manage(peer, TaskFunction.ABORT_TASK, command) == []
    (reject,) = manage(peer, TaskFunction.ABORT_TASK, command)
    assert isinstance(reject, Reject)
    assert reject.reason == RejectReason.IMMEDIATE_COMMAND_REJECT
    peer.gate.disk.let_go()
    assert len(peer.receive()) == 2
    assert result(peer, TaskFunction.ABORT_TASK_SET) is TaskResult.COMPLETE


def test_a_function_with_the_tag_of_another_is_rejected():
    peer = open_peer()
    peer.gate.disk.slow_to_let_go = True
    command = busy(peer)
    assert manage(peer, TaskFunction.ABORT_TASK, command) == []
    same = {"itt": peer.itt}
    (reject,) = manage(peer, TaskFunction.ABORT_TASK, command, **same)
    assert isinstance(reject, Reject)
    assert reject.reason == RejectReason.TASK_IN_PROGRESS
    peer.gate.disk.let_go()
    assert [pdu.response for pdu in peer.receive()] == [TaskResult.COMPLETE]
    assert result(peer, TaskFunction.ABORT_TASK_SET, **same) is TaskResult.COMPLETE


def test_an_answer_for_a_connection_that_is_gone_is_nobodys():
    peer = open_peer()
    peer.gate.disk.slow_to_let_go = True
    command = busy(peer)
    manage(peer, TaskFunction.ABORT_TASK, command)
    peer.connection.lost("gone", 0.0)
    peer.gate.disk.let_go()
    assert peer.receive() == []
