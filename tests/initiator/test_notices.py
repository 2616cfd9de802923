from __future__ import annotations

from tests.initiator.pair import Pair, intent, logged_in, reading
from tests.protocol.peer import Gate
from tests.requirements import requirement
from trioscsi.initiator.events import ConnectionLost, Noticed, SessionFailed
from trioscsi.initiator.requests import TextWish
from trioscsi.pdu import (
    NO_TASK,
    AsyncEvent,
    AsyncMessage,
    DataIn,
    NopOut,
    ScsiResponse,
    TextRequest,
    TextResponse,
)


@requirement("7143-11.9.1-6")
def test_scsi_events_and_those_of_vendors_are_the_callers():
    script = logged_in()
    for event in (AsyncEvent.SCSI_EVENT, 200, 255):
        assert script.say(AsyncMessage(async_event=event, data=b"\0\2no")) == []
    messages = [event.message for event in script.happened(Noticed)]
    assert [message.async_event for message in messages] == [0, 200, 255]
    assert messages[0].sense == b"no"
    assert not script.connection.closed


@requirement("7143-7.1.4.3-3")
def test_a_connection_that_is_dropped_ends_with_its_commands():
    script = logged_in()
    task = reading(0, 4)
    script.request(task)
    script.say(AsyncMessage(async_event=2, parameter1=script.connection.cid, parameter2=9))
    assert task.lost == "the target drops the connection"
    assert script.happened(ConnectionLost)
    assert script.happened(SessionFailed)[0].wait == 9


def test_the_drop_of_another_connection_concerns_that_one():
    script = logged_in()
    script.say(AsyncMessage(async_event=2, parameter1=script.connection.cid + 1))
    assert not script.connection.closed


@requirement("7143-7.14-3")
def test_a_session_that_is_dropped_ends():
    pair = Pair(Gate())
    pair.wire.target.drop_session("the test wants it")
    pair.run()
    assert pair.happened(SessionFailed)
    assert pair.connection.closed


def test_a_wish_to_negotiate_is_met():
    pair = Pair(Gate())
    pair.wire.target.ask_for_negotiation(0.0)
    pair.run()
    assert len(pair.sent(TextRequest)) == 1
    assert not pair.connection.closed


def test_a_negotiation_under_way_is_enough():
    script = logged_in()
    script.request(TextWish(negotiates=True))
    assert script.say(AsyncMessage(async_event=4, parameter3=10)) == []


def test_terminated_tasks_are_over_and_that_is_acknowledged():
    script = logged_in()
    task, other = reading(0, 4, lun=1 << 48), reading(0, 4)
    (command,) = script.request(task)
    script.request(other)
    (answer,) = script.say(AsyncMessage(async_event=5, lun=1 << 48))
    assert isinstance(answer, NopOut)
    assert (answer.itt, answer.ttt, answer.immediate) == (NO_TASK, NO_TASK, True)
    assert answer.exp_stat_sn == script.stat_sn
    assert task.lost == "terminated by the target"
    assert not other.over
    # What was on its way, and the status that may still come, harm nothing.
    script.say(DataIn(itt=command.itt, data=b"0123"))
    script.say(ScsiResponse(itt=command.itt, status=0x40))
    assert not script.connection.closed


def test_the_target_of_this_project_is_understood():
    gate = Gate()
    gate.disk.lazy = True
    pair = Pair(gate, intent(task_reporting=("FastAbort", "ResponseFence", "RFC3720")))
    task = pair.do(reading(0, 4))
    pair.wire.target.tasks_end(0)
    pair.run()
    reporting = pair.connection.parameters.task_reporting
    assert task.over is (reporting == "FastAbort")


def test_a_negotiation_leads_on():
    script = logged_in()
    (request,) = script.say(AsyncMessage(async_event=4, parameter3=10))
    assert isinstance(request, TextRequest)
    script.say(TextResponse(itt=request.itt))
    assert not script.connection.closed
