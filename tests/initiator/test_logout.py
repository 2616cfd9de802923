from __future__ import annotations

import pytest

from tests.initiator.pair import Pair, logged_in, reading
from tests.protocol.peer import Gate
from tests.requirements import requirement
from trioscsi.initiator.deviations import Deviation, Rule
from trioscsi.initiator.events import ConnectionLost, SessionEnded, SessionFailed
from trioscsi.initiator.requests import Ping
from trioscsi.limits import Limits
from trioscsi.pdu import (
    AsyncMessage,
    LogoutReason,
    LogoutRequest,
    LogoutResponse,
    LogoutResult,
    ScsiCommand,
    ScsiResponse,
)

SESSION, CONNECTION = LogoutReason.CLOSE_SESSION, LogoutReason.CLOSE_CONNECTION


@pytest.mark.parametrize("reason", [SESSION, CONNECTION])
@requirement("7143-11.14-2")
def test_a_logout_ends_the_session(reason: LogoutReason):
    pair = Pair(Gate())
    wish = pair.session.log_out(pair.connection, reason)
    pair.run()
    assert (wish.over, wish.lost, wish.result) == (True, "", LogoutResult.SUCCESS)
    assert pair.connection.closed
    assert pair.happened(SessionEnded)
    assert pair.session.machine.state == "FREE"
    assert pair.gate.target.sessions == []


def test_nothing_new_is_said_after_it():
    script = logged_in()
    script.session.log_out(script.connection, SESSION)
    (request,) = script.hear()
    assert isinstance(request, LogoutRequest)
    task = reading(0, 4)
    assert script.request(task) == []
    assert task.lost == "the connection is being logged out"
    again = script.session.log_out(script.connection, SESSION)
    assert again.lost == "the connection is being logged out already"


def test_commands_under_way_may_still_be_answered():
    script = logged_in()
    task = reading(0, 4)
    (command,) = script.request(task)
    script.session.log_out(script.connection, SESSION)
    (request,) = script.hear()
    script.say(ScsiResponse(itt=command.itt, status=8))
    assert (task.status, task.lost) == (8, "")
    script.say(LogoutResponse(itt=request.itt))
    assert script.connection.closed


def test_a_failure_leaves_the_session_to_be_recovered():
    script = logged_in()
    wish = script.session.log_out(script.connection, SESSION)
    (request,) = script.hear()
    script.say(LogoutResponse(itt=request.itt, response=3, time2wait=7))
    assert wish.result == LogoutResult.CLEANUP_FAILED
    assert script.happened(ConnectionLost)
    assert script.happened(SessionFailed)[0].wait == 7


def test_a_target_that_does_not_answer_is_left():
    script = logged_in(limits=Limits(ping_interval=0, logout_time=4))
    wish = script.session.log_out(script.connection, SESSION)
    script.pass_time(4)
    assert script.connection.closed
    assert wish.lost == "no answer to the logout in 4 seconds"


def test_a_closed_window_does_not_hold_the_logout_up():
    script = logged_in()
    script.session.numbers.maximum = script.session.numbers.next - 1
    script.session.log_out(script.connection, SESSION)
    (request,) = script.hear()
    assert request.immediate


@requirement("7143-11.9.1-2")
@requirement("7143-11.9.1-8")
def test_a_target_that_asks_for_a_logout_gets_it_when_commands_have_ended():
    script = logged_in()
    task = reading(0, 4)
    (command,) = script.request(task)
    assert script.say(AsyncMessage(async_event=1, parameter3=10)) == []
    late = reading(0, 4)
    assert script.request(late) == []
    assert late.lost
    (request,) = script.say(ScsiResponse(itt=command.itt))
    assert isinstance(request, LogoutRequest)
    assert request.reason == SESSION
    script.say(LogoutResponse(itt=request.itt))
    assert script.happened(SessionEnded)


def test_it_is_not_kept_waiting_for_longer_than_half_of_its_time():
    script = logged_in()
    script.request(reading(0, 4))
    script.say(AsyncMessage(async_event=1, parameter3=10))
    assert script.pass_time(4.9) == []
    (request,) = script.pass_time(0.2)
    assert isinstance(request, LogoutRequest)


def test_a_target_that_is_stopped_is_obeyed():
    pair = Pair(Gate())
    pair.wire.target.ask_for_logout(0.0)
    pair.run()
    assert len(pair.sent(LogoutRequest)) == 1
    assert pair.happened(SessionEnded)


def test_a_deviation_may_talk_on():
    deviation = Deviation(
        id="x", section="11.14", says="Talks on.", breaks=frozenset({Rule.NOTHING_AFTER_LOGOUT})
    )
    script = logged_in(deviation=deviation)
    script.session.log_out(script.connection, SESSION)
    script.hear()
    (command,) = script.request(reading(0, 4))
    assert isinstance(command, ScsiCommand)
    assert script.request(Ping(immediate=True))
