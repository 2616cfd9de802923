from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.initiator.pair import intent, reading, writing
from tests.initiator.scripts import Talk, scripted
from tests.requirements import requirement
from trioscsi.initiator.events import (
    ConnectionLost,
    ConnectionWanted,
    SessionEnded,
    SessionFailed,
)
from trioscsi.initiator.requests import LogoutWish, Management, Ping, Task
from trioscsi.limits import Limits
from trioscsi.pdu import (
    AsyncMessage,
    DataIn,
    LoginRequest,
    LogoutReason,
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    ReadyToTransfer,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
)

LIMITS = Limits(ping_interval=0, retry_time=1000)


def talk(level: int, connections: int = 1, **more: Any) -> Talk:
    """A session at this level, with so many connections."""
    wish = intent(error_recovery_level=level, max_connections=connections, default_time2wait=3)
    text = f"ErrorRecoveryLevel={level}\0MaxConnections={connections}\0DefaultTime2Wait=3\0"
    return scripted(wish, text.encode(), connections, limits=LIMITS, **more)


def acknowledge(one: Talk, *tasks: Any) -> None:
    """The target says that it has these commands, and all before them."""
    one.expected = max(task.cmd_sn for task in tasks) + 1


# One connection, level 2.


@requirement("7143-11.14-6")
def test_a_lost_connection_is_replaced_by_one_with_the_same_cid_and_tsih():
    one = talk(2, reconnects=True)
    first = one.ends[0].connection
    one.ends[0].cut("cut")
    (wanted,) = one.happened(ConnectionWanted)
    assert (wanted.connection, wanted.wait, wanted.retain) == (first, 3, 20)
    assert one.session.machine.state == "FAILED"
    end = one.reconnect(first)
    (login,) = [pdu for pdu in end.heard if isinstance(pdu, LoginRequest)]
    assert (login.cid, login.tsih) == (first.cid, 7)
    assert login.isid == one.session.intent.isid
    assert one.session.machine.state == "LOGGED_IN"
    assert not one.happened(SessionFailed)
    assert one.session.connections == [end.connection]


@requirement("7143-7.1.4.3-1")
@requirement("7143-11.5.6-4")
def test_commands_that_the_target_has_are_reassigned():
    one = talk(2, reconnects=True)
    task = one.do(reading(0, 12, lun=1 << 48))
    acknowledge(one, task)
    one.ends[0].say(DataIn(itt=task.itt, data=b"0000"))
    one.ends[0].say(DataIn(itt=task.itt, data=b"....", data_sn=2, buffer_offset=8))
    one.ends[0].cut("cut")
    end = one.reconnect()
    (request,) = end.hear()
    assert isinstance(request, TaskManagementRequest)
    assert (request.function, request.immediate) == (TaskFunction.TASK_REASSIGN, True)
    assert (request.referenced_task_tag, request.exp_data_sn) == (task.itt, 1)
    assert request.lun == task.lun
    end.say(TaskManagementResponse(itt=request.itt))
    end.say(DataIn(itt=task.itt, data=b"11112222", data_sn=1, buffer_offset=4))
    end.say(ScsiResponse(itt=task.itt, exp_data_sn=2))
    assert (task.data_in, task.status, task.lost) == (b"000011112222", 0, "")


@requirement("7143-7.2.2-7")
def test_behind_a_reassignment_no_data_of_before_are_asked_for():
    one = talk(2, reconnects=True)
    task = one.do(reading(0, 16))
    acknowledge(one, task)
    one.ends[0].say(DataIn(itt=task.itt, data=b"0000"))
    one.ends[0].cut("cut")
    end = one.reconnect()
    (request,) = end.hear()
    end.say(TaskManagementResponse(itt=request.itt))
    (snack,) = end.say(DataIn(itt=task.itt, data=b"3333", data_sn=3, buffer_offset=12))
    assert (snack.itt, snack.beg_run, snack.run_length) == (task.itt, request.exp_data_sn, 2)


def test_a_write_that_is_reassigned_gives_all_data_that_are_asked_for():
    one = talk(2, reconnects=True)
    task = one.do(writing(0, bytes(range(200)), immediate=False))
    acknowledge(one, task)
    r2t = {"itt": task.itt, "buffer_offset": 0, "desired_data_transfer_length": 100}
    one.ends[0].say(ReadyToTransfer(ttt=5, **r2t))
    one.ends[0].cut("cut")
    end = one.reconnect()
    (request,) = end.hear()
    assert request.exp_data_sn == 0
    end.say(TaskManagementResponse(itt=request.itt))
    (data_out,) = end.say(ReadyToTransfer(ttt=6, r2t_sn=0, **r2t))
    assert (data_out.ttt, bytes(data_out.data)) == (6, bytes(range(100)))
    (data_out,) = end.say(ReadyToTransfer(ttt=7, r2t_sn=1, **{**r2t, "buffer_offset": 100}))
    end.say(ScsiResponse(itt=task.itt))
    assert (task.over, task.lost) == (True, "")


def test_commands_that_the_target_does_not_have_are_sent_again_as_they_were():
    one = talk(2, reconnects=True)
    task = one.do(reading(0, 4))
    one.expected = task.cmd_sn
    one.ends[0].cut("cut")
    end = one.reconnect()
    (command,) = end.hear()
    assert isinstance(command, ScsiCommand)
    assert (command.itt, command.cmd_sn, command.cdb) == (
        task.itt,
        task.cmd_sn,
        task.cdb.ljust(16, b"\0"),
    )
    end.say(DataIn(itt=task.itt, data=b"0123", final=True, has_status=True))
    assert task.data_in == b"0123"


def test_requests_that_cannot_go_on_leave_no_hole_behind():
    one = talk(2, reconnects=True)
    ping, immediate = one.do(Ping()), one.do(reading(0, 4, immediate=True))
    one.expected = ping.cmd_sn
    one.ends[0].cut("cut")
    assert (ping.lost, immediate.lost) == ("cut", "cut")
    end = one.reconnect()
    (plug,) = end.hear()
    assert isinstance(plug, NopOut)
    assert (plug.cmd_sn, plug.immediate) == (ping.cmd_sn, False)


def test_what_comes_meanwhile_waits():
    one = talk(2, reconnects=True)
    one.ends[0].cut("cut")
    task = one.do(reading(0, 4))
    assert not task.over
    (command,) = one.reconnect().hear()
    assert command.cmd_sn == task.cmd_sn


@pytest.mark.parametrize("response", [1, 3, 4, 255])
def test_a_command_that_cannot_be_reassigned_is_lost(response: int):
    one = talk(2, reconnects=True)
    task = one.do(reading(0, 4))
    acknowledge(one, task)
    one.ends[0].cut("cut")
    end = one.reconnect()
    (request,) = end.hear()
    end.say(TaskManagementResponse(itt=request.itt, response=response))
    assert task.lost.startswith("it could not be reassigned")
    assert task.orphaned
    assert not end.connection.closed


@requirement("7143-7.5-2")
def test_a_connection_that_nobody_brings_back_ends_the_session():
    one = talk(2, reconnects=True)
    task = one.do(reading(0, 4))
    one.ends[0].cut("cut")
    one.pass_time(22)
    assert not task.over
    one.pass_time(1)
    assert task.lost == "cut"
    assert one.happened(SessionEnded)
    assert one.session.machine.state == "FREE"


def test_a_login_that_fails_leaves_time_for_another():
    one = talk(2, reconnects=True)
    one.ends[0].cut("cut")
    first = one.ends[0].connection
    one.begin(first).cut("reset")
    assert first.cleanup is not None
    assert first.cleanup.state == "CLEANUP_WAIT"
    one.reconnect(first)
    assert one.session.machine.state == "LOGGED_IN"


def test_who_gives_up_hope_is_rid_of_the_session_at_once():
    one = talk(2, reconnects=True)
    task = one.do(reading(0, 4))
    one.ends[0].cut("cut")
    one.session.forgo(one.ends[0].connection)
    one.look()
    assert task.orphaned
    assert one.happened(SessionEnded)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_without_a_driver_that_reconnects_or_below_level_2_the_session_fails(level: int):
    one = talk(level, reconnects=level < 2)
    task = one.do(reading(0, 4))
    one.ends[0].cut("cut")
    assert task.lost == "cut"
    assert one.happened(SessionFailed)
    assert not one.happened(ConnectionWanted)


def test_a_target_that_keeps_nothing_is_not_asked_for_it():
    one = talk(2, reconnects=True)
    cid = one.ends[0].connection.cid
    one.ends[0].say(AsyncMessage(async_event=2, parameter1=cid, parameter2=9, parameter3=0))
    (failed,) = one.happened(SessionFailed)
    assert (failed.wait, failed.retain) == (9, 0)


def test_the_times_that_the_target_gives_are_kept():
    one = talk(2, reconnects=True)
    one.ends[0].say(AsyncMessage(async_event=3, parameter2=9, parameter3=30))
    (wanted,) = one.happened(ConnectionWanted)
    assert (wanted.wait, wanted.retain) == (9, 30)


def test_a_target_that_breaks_the_protocol_is_not_gone_back_to():
    one = talk(2, reconnects=True)
    one.ends[0].feed(b"\x3c" + bytes(47))
    assert one.happened(SessionFailed)
    assert not one.happened(ConnectionWanted)


def test_a_damaged_header_costs_its_connection_alone():
    one = talk(2, reconnects=True)
    one.ends[0].connection.framer.header_digest = True
    one.ends[0].feed(bytes(52))
    (wanted,) = one.happened(ConnectionWanted)
    assert "header digest" in wanted.connection.reason


def test_a_command_that_is_dropped_meanwhile_is_not_asked_for():
    one = talk(2, reconnects=True)
    task = one.do(reading(0, 4, patience=10))
    acknowledge(one, task)
    one.ends[0].cut("cut")
    one.pass_time(10)
    for _ in range(3):
        one.pass_time(10)
    assert task.over
    assert one.happened(SessionFailed) or one.happened(SessionEnded)


# Several connections.


@requirement("7143-4.2.5.1-4")
@pytest.mark.parametrize("number", [0, 1])
def test_what_is_missing_is_asked_for_on_the_connection_of_its_command(number: int):
    one = talk(1, 2)
    task = one.do(reading(0, 8), number)
    late = DataIn(itt=task.itt, data=b"1111", data_sn=1, buffer_offset=4)
    (snack,) = one.ends[number].say(late)
    assert (type(snack), snack.itt) == (SnackRequest, task.itt)
    assert one.ends[1 - number].hear() == []


def recovery_logout(one: Talk) -> LogoutRequest:
    """The first connection is lost; the Logout Request that the second sends for it."""
    one.ends[0].cut("cut")
    assert one.pass_time(2.9) == []
    (request,) = one.pass_time(0.1)
    assert isinstance(request, LogoutRequest)
    assert request.cid == one.ends[0].connection.cid
    return request


@pytest.mark.parametrize(("level", "reason"), [(1, 1), (2, 2)])
@requirement("7143-11.14-6")
def test_another_connection_logs_the_lost_one_out_after_time2wait(level: int, reason: int):
    one = talk(level, 2)
    request = recovery_logout(one)
    assert request.reason == reason
    one.ends[1].say(LogoutResponse(itt=request.itt))
    assert [each.cid for each in one.session.connections] == [2]
    assert one.happened(ConnectionLost)
    assert not one.happened(SessionFailed)


@requirement("7143-7.1.4.3-1")
def test_at_level_2_its_commands_go_on_by_the_other_after_the_time_that_the_target_wants():
    one = talk(2, 2)
    task = one.do(reading(0, 4), 0)
    acknowledge(one, task)
    request = recovery_logout(one)
    assert one.ends[1].say(LogoutResponse(itt=request.itt, time2wait=5)) == []
    (reassign,) = one.pass_time(5)
    assert reassign.function == TaskFunction.TASK_REASSIGN
    one.ends[1].say(TaskManagementResponse(itt=reassign.itt))
    assert task.connection is one.ends[1].connection


def test_at_level_1_the_target_ends_the_commands_that_it_has_and_gets_the_others_again():
    one = talk(1, 2)
    known, unknown = one.do(reading(0, 4), 0), one.do(reading(0, 8), 0)
    acknowledge(one, known)
    request = recovery_logout(one)
    (command,) = one.ends[1].say(LogoutResponse(itt=request.itt))
    assert (known.lost, known.orphaned) == ("cut", True)
    assert (command.itt, command.cmd_sn) == (unknown.itt, unknown.cmd_sn)
    one.ends[1].say(DataIn(itt=unknown.itt, data=bytes(8), final=True, has_status=True))
    assert unknown.data_in == bytes(8)


def test_a_connection_may_be_removed_while_its_commands_go_on():
    one = talk(2, 2)
    task = one.do(reading(0, 4), 0)
    acknowledge(one, task)
    one.session.log_out(one.ends[0].connection, LogoutReason.REMOVE_FOR_RECOVERY)
    (request,) = one.ends[0].hear()
    assert (request.reason, request.cid) == (2, 1)
    one.ends[0].say(LogoutResponse(itt=request.itt, time2wait=2))
    assert one.ends[0].connection.closed
    assert not task.over
    (reassign,) = one.pass_time(2)
    one.ends[1].say(TaskManagementResponse(itt=reassign.itt))
    one.ends[1].say(DataIn(itt=task.itt, data=b"data", final=True, has_status=True))
    assert task.data_in == b"data"


@pytest.mark.parametrize("response", [1, 2, 3, None])
def test_a_logout_that_fails_ends_the_session(response: int | None):
    one = talk(2, 2)
    task = one.do(reading(0, 4), 0)
    request = recovery_logout(one)
    if response is None:
        one.pass_time(10)
    else:
        one.ends[1].say(LogoutResponse(itt=request.itt, response=response))
    assert task.orphaned
    assert one.happened(SessionFailed)
    assert one.ends[1].connection.closed


def test_a_second_loss_while_the_first_is_repaired_ends_the_session():
    one = talk(1, 2)
    one.ends[0].cut("cut")
    one.ends[1].cut("cut too")
    assert one.happened(SessionFailed)
    assert one.pass_time(30) == []


def test_if_all_connections_are_lost_one_is_wanted_back_and_logs_the_others_out():
    one = talk(2, 2, reconnects=True)
    tasks = [one.do(reading(0, 4), place) for place in range(2)]
    acknowledge(one, *tasks)
    one.ends[0].say(AsyncMessage(async_event=3, parameter2=1, parameter3=9))
    one.pass_time(1)
    (wanted,) = one.happened(ConnectionWanted)
    assert wanted.connection.cid == 2
    end = one.reconnect(wanted.connection)
    first, logout = end.hear()
    assert first.referenced_task_tag == tasks[1].itt
    assert (logout.reason, logout.cid, logout.immediate) == (2, 1, True)
    (second,) = end.say(LogoutResponse(itt=logout.itt))
    assert second.referenced_task_tag == tasks[0].itt
    assert [each.cid for each in one.session.connections] == [2]


def test_a_session_that_is_being_closed_is_not_rescued():
    one = talk(2, 1, reconnects=True)
    one.session.log_out(one.ends[0].connection, 0)
    one.ends[0].cut("cut")
    assert not one.happened(ConnectionWanted)
    assert one.happened(SessionFailed)


MOVES = st.sampled_from(["read", "write", "ping", "cut", "log in", "answer", "refuse", "wait"])


@given(st.lists(st.tuples(MOVES, st.integers(0, 3)), max_size=40), st.integers(1, 3))
@settings(deadline=None)
def test_whatever_is_lost_and_whenever_every_request_ends(
    moves: list[tuple[str, int]], connections: int
):
    one = talk(2, connections, reconnects=True)
    requests: list[Any] = []
    for move, number in moves:
        alive = [end for end in one.ends if end.connection.full_feature]
        end = alive[number % len(alive)] if alive else None
        wanted = [each.connection for each in one.happened(ConnectionWanted)]
        match move:
            case "read" | "write" | "ping":
                kinds = {"read": reading(0, 4), "write": writing(0, b"data"), "ping": Ping()}
                requests.append(one.do(kinds[move]))
            case "cut" if end is not None:
                end.cut("cut")
            case "log in" if wanted and wanted[-1] in one.session.connections:
                one.reconnect(wanted[-1])
            case "answer" | "refuse" if end is not None:
                answer(one, end, refuse=move == "refuse")
            case "wait":
                one.pass_time(number * 2)
    one.pass_time(1000)
    for end in one.ends:
        end.cut("the end")
    one.pass_time(1000)
    one.pass_time(1000)
    assert all(request.over for request in requests), requests
    assert one.session.connections == []


def answer(one: Talk, end: Any, *, refuse: bool) -> None:
    """The target answers one of the requests that were sent by a connection."""
    end.hear()
    open_ = [each for each in one.session.requests.values() if each.connection is end.connection]
    if not open_:
        return
    request = open_[0]
    one.expected = max(one.expected, request.cmd_sn + (not request.immediate))
    match request:
        case Management():
            end.say(TaskManagementResponse(itt=request.itt, response=4 * refuse))
        case LogoutWish():
            end.say(LogoutResponse(itt=request.itt, response=3 * refuse))
        case Ping():
            end.say(NopIn(itt=request.itt))
        case Task() if request.expected_in:
            end.say(DataIn(itt=request.itt, data_sn=request.data_sn, data=bytes(4), final=True))
            end.say(ScsiResponse(itt=request.itt, exp_data_sn=request.data_sn))
        case _:
            end.say(ScsiResponse(itt=request.itt))
