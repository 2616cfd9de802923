from __future__ import annotations

import pytest

from tests.initiator.pair import Pair, intent, logged_in
from tests.protocol.peer import TARGET, Gate
from tests.requirements import requirement
from trioscsi.initiator.requests import LogoutWish, TextWish
from trioscsi.limits import Limits
from trioscsi.pdu import (
    NO_TASK,
    LoginRequest,
    LogoutReason,
    NopIn,
    Reject,
    RejectReason,
    TextRequest,
    TextResponse,
    encode,
)

ALL = [("SendTargets", "All")]
MANY = [(f"iqn.2025-12.local.test:{place:03}", ["192.0.2.1:3260,1"]) for place in range(90)]


@requirement("7143-6.4-2")
@requirement("7143-13.21-1")
@requirement("7143-C-4")
def test_targets_are_asked_for():
    pair = Pair(Gate(), intent(discovery=True))
    wish = pair.do(TextWish(pairs=ALL))
    assert wish.answer == [("TargetName", TARGET), ("TargetAddress", "192.0.2.1:3260,1")]
    logins = [bytes(pdu.data) for pdu in pair.sent(LoginRequest)]
    assert b"SessionType=Discovery\0" in logins[0]
    assert not any(b"SendTargets" in said for said in logins)
    assert [pdu.final for pdu in pair.sent(TextRequest)] == [True]


@requirement("7143-6.4-3")
def test_a_long_answer_is_collected():
    gate = Gate()
    gate.known = MANY
    pair = Pair(gate, intent(discovery=True, max_recv_data_segment_length=512))
    wish = pair.do(TextWish(pairs=ALL))
    assert [value for name, value in wish.answer if name == "TargetName"] == [
        name for name, _ in MANY
    ]
    requests = pair.sent(TextRequest)
    assert len(requests) > 5
    assert all(pdu.final for pdu in requests)


def test_a_long_request_goes_in_parts():
    pair = Pair(Gate(limits=Limits(segment=512)), intent())
    segment = pair.connection.parameters.target_max_recv_data_segment_length
    pairs = [(f"X-com.example.{'k' * 40}.{place:02}", "1") for place in range(100)]
    pairs = pairs[: segment // 60 + 10]
    wish = pair.do(TextWish(pairs=pairs))
    assert wish.over
    assert not wish.lost


def test_a_negotiation_changes_the_parameters_of_both_sides():
    pair = Pair(Gate(), intent(max_recv_data_segment_length=8192))
    offer = pair.session.intent.offer
    object.__setattr__(offer, "max_recv_data_segment_length", 16_384)
    pair.do(TextWish(negotiates=True))
    assert pair.connection.parameters.initiator_max_recv_data_segment_length == 16_384
    assert pair.connection.parameters == pair.wire.target.parameters
    assert pair.connection.framer.max_data_segment_length == 16_384


def test_one_exchange_follows_the_other():
    script = logged_in()
    first, second = TextWish(pairs=ALL), TextWish(pairs=ALL)
    (request,) = script.request(first)
    assert script.request(second) == []
    (other,) = script.say(TextResponse(itt=request.itt, data=b"TargetName=a\0"))
    assert first.answer == [("TargetName", "a")]
    assert other.itt != request.itt
    script.say(TextResponse(itt=other.itt))
    assert second.over


@pytest.mark.parametrize(
    "fields",
    [
        {"continue_": True},
        {"final": False},
    ],
    ids=str,
)
def test_a_response_that_breaks_a_rule_ends_the_session(fields):
    script = logged_in()
    (request,) = script.request(TextWish(pairs=ALL))
    script.say(TextResponse(**{"itt": request.itt, **fields}))
    assert script.connection.closed


@pytest.mark.parametrize(
    "data",
    [b"no null", b"TargetName\0", b"MaxConnections=2\0", b"X-a.b=1\0X-a.b=1\0", b"X-a.b=1\0"],
)
@requirement("7143-6.4-6")
def test_a_negotiation_that_fails_changes_nothing_else(data: bytes):
    script = logged_in()
    parameters = script.connection.parameters
    wish = TextWish(negotiates=True)
    (request,) = script.request(wish)
    assert script.say(TextResponse(itt=request.itt, data=data)) == []
    assert "the negotiation failed" in wish.lost
    assert script.connection.parameters == parameters
    assert not script.connection.closed


def test_a_failed_negotiation_that_would_go_on_is_reset():
    script = logged_in()
    wish = TextWish(negotiates=True)
    (request,) = script.request(wish)
    (reset,) = script.say(
        TextResponse(itt=request.itt, ttt=5, final=False, data=b"InitialR2T=Yes\0")
    )
    assert wish.over
    assert (reset.ttt, reset.final, reset.data) == (NO_TASK, True, b"")
    script.say(TextResponse(itt=reset.itt))
    assert len(script.request(TextWish(negotiates=True))) == 1


def test_the_tag_of_a_final_response_is_ignored():
    script = logged_in()
    wish = TextWish(pairs=ALL)
    (request,) = script.request(wish)
    script.say(TextResponse(itt=request.itt, ttt=5))
    assert (wish.over, wish.lost) == (True, "")


def test_a_rejected_request_makes_way_for_the_next():
    script = logged_in()
    first, second = TextWish(pairs=ALL), TextWish(pairs=ALL)
    (request,) = script.request(first)
    script.request(second)
    header = bytes(encode(request)[0])
    (other,) = script.say(Reject(reason=RejectReason.PROTOCOL_ERROR, data=header))[:1]
    assert first.lost == "rejected: protocol error"
    assert isinstance(other, TextRequest)
    assert other.itt == second.itt


def test_a_target_that_does_not_answer_is_left():
    script = logged_in(limits=Limits(ping_interval=0, text_time=7))
    wish = TextWish(pairs=ALL)
    script.request(wish)
    assert script.request(TextWish(pairs=ALL)) == []
    script.pass_time(7)
    assert script.connection.closed
    assert wish.lost == "no answer to a Text Request in 7 seconds"


def test_a_response_to_what_was_not_asked_yet_ends_the_session():
    script = logged_in()
    script.request(TextWish(pairs=ALL))
    second = TextWish(pairs=ALL)
    script.request(second)
    script.say(TextResponse(itt=second.itt))
    assert script.connection.closed


def test_an_answer_without_an_end_ends_the_session():
    script = logged_in(limits=Limits(ping_interval=0, keys=64))
    (request,) = script.request(TextWish(pairs=ALL))
    for _ in range(65):
        if script.connection.closed:
            break
        script.say(TextResponse(itt=request.itt, ttt=5, final=False))
    assert script.connection.closed


def test_too_much_text_ends_the_session():
    script = logged_in(limits=Limits(ping_interval=0, target_list=8192))
    (request,) = script.request(TextWish(pairs=ALL))
    part = TextResponse(itt=request.itt, ttt=5, final=False, continue_=True, data=bytes(5000))
    script.say(part)
    script.say(part)
    assert script.connection.closed


def test_keys_of_the_target_are_answered_in_a_negotiation():
    script = logged_in()
    wish = TextWish(negotiates=True)
    (request,) = script.request(wish)
    (answer,) = script.say(
        TextResponse(itt=request.itt, ttt=5, lun=0, final=False, data=b"X-com.example=1\0")
    )
    assert (answer.ttt, answer.data) == (5, b"X-com.example=NotUnderstood\0")
    script.say(TextResponse(itt=request.itt))
    assert wish.over


def test_an_exchange_goes_on_when_the_window_opens():
    script = logged_in()
    (request,) = script.request(TextWish(pairs=ALL))
    script.session.numbers.maximum = request.cmd_sn
    part = TextResponse(
        itt=request.itt, ttt=5, final=False, exp_cmd_sn=2, max_cmd_sn=request.cmd_sn
    )
    assert script.say(part) == []
    (following,) = script.say(NopIn(exp_cmd_sn=2, max_cmd_sn=9))
    assert (following.ttt, following.cmd_sn) == (5, request.cmd_sn + 1)


def test_an_immediate_exchange_does_not_wait_for_the_window():
    script = logged_in()
    (request,) = script.request(TextWish(pairs=ALL, immediate=True))
    script.session.numbers.maximum = script.session.numbers.next - 1
    part = TextResponse(itt=request.itt, ttt=5, final=False, exp_cmd_sn=1, max_cmd_sn=0)
    (following,) = script.say(part)
    assert (following.ttt, following.immediate) == (5, True)


def test_an_exchange_that_waits_does_not_begin_after_a_logout():
    script = logged_in()
    first, second = TextWish(pairs=ALL), TextWish(pairs=ALL)
    (request,) = script.request(first)
    script.request(second)
    script.request(LogoutWish(reason=LogoutReason.CLOSE_SESSION))
    assert script.say(TextResponse(itt=request.itt)) == []
    assert second.lost == "the connection is being logged out"
