from __future__ import annotations

import pytest

from tests.initiator.pair import Pair, logged_in
from tests.protocol.peer import Gate
from tests.requirements import requirement
from trioscsi.initiator.events import SessionFailed
from trioscsi.initiator.requests import Ping
from trioscsi.limits import Limits
from trioscsi.pdu import NO_TASK, NopIn, NopOut


@requirement("7143-11.18.1-2")
def test_a_ping_comes_back_with_its_data():
    pair = Pair(Gate())
    for immediate in (True, False):
        ping = pair.do(Ping(data=b"hello", immediate=immediate))
        assert (ping.answer, ping.lost) == (b"hello", "")


@requirement("7143-11.18.1-2")
def test_a_ping_of_the_targets_is_answered_with_its_tag_and_its_lun():
    script = logged_in()
    (answer,) = script.say(NopIn(ttt=0x55, lun=1 << 48))
    assert isinstance(answer, NopOut)
    assert (answer.itt, answer.ttt, answer.lun) == (NO_TASK, 0x55, 1 << 48)
    assert answer.immediate
    assert answer.cmd_sn == script.session.numbers.next


def test_a_nop_in_without_tags_only_tells_numbers():
    script = logged_in()
    notice = NopIn()
    notice.exp_cmd_sn, notice.max_cmd_sn = script.session.numbers.next, 90
    assert script.say(notice) == []
    assert script.session.numbers.maximum == 90


def test_an_answer_to_no_ping_is_discarded():
    script = logged_in()
    script.say(NopIn(itt=77))
    assert not script.connection.closed


@pytest.mark.parametrize("fields", [{"itt": 5, "ttt": 5}, {"ttt": 5, "lun": 2**64 - 1}], ids=str)
def test_a_nop_in_that_contradicts_itself_ends_the_session(fields: dict[str, int]):
    script = logged_in()
    assert script.say(NopIn(**fields)) == []
    assert script.connection.closed


def test_a_ping_has_no_more_data_than_the_target_takes():
    script = logged_in(text=b"MaxRecvDataSegmentLength=512\0")
    ping = Ping(data=bytes(513), immediate=True)
    assert script.request(ping) == []
    assert ping.lost == "a ping of more than 512 bytes"
    assert len(script.request(Ping(data=bytes(512), immediate=True))) == 1


def test_a_silent_target_is_pinged_and_at_last_left():
    script = logged_in(limits=Limits(ping_interval=10, ping_time=5))
    assert script.pass_time(9) == []
    (ping,) = script.pass_time(1)
    assert isinstance(ping, NopOut)
    script.say(NopIn(itt=ping.itt))
    assert script.pass_time(5) == []
    (ping,) = script.pass_time(10)
    script.pass_time(5)
    assert script.connection.closed
    assert script.happened(SessionFailed)


def test_a_target_that_is_heard_is_not_pinged():
    script = logged_in(limits=Limits(ping_interval=10, ping_time=5))
    for _ in range(5):
        script.pass_time(9)
        script.say(NopIn())
    assert not script.happened(SessionFailed)
    assert script.pass_time(1.5) == []
