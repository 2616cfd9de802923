from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import TARGET, Gate, Pairs, Peer, login
from tests.requirements import requirement
from trioscsi.limits import Limits
from trioscsi.pdu import NO_TASK, Reject, RejectReason, TextRequest, TextResponse
from trioscsi.text import decode
from trioscsi.text import encode as encode_text

MANY = {f"X-com.example.{place:03}": "1" for place in range(60)}


def open_peer(discovery: bool = False, limits: Limits | None = None, **keys: str) -> Peer:
    return login(Gate(limits=limits), discovery=discovery, keys=keys)


def say(peer: Peer, keys: Pairs | bytes | None = None, **fields: Any) -> Any:
    """Send one Text Request, and return the one answer."""
    data = keys if isinstance(keys, bytes) else encode_text((keys or {}).items())
    (answer,) = peer.send(peer.request(TextRequest, data=data, **fields))
    return answer


def go_on(peer: Peer, answer: TextResponse, keys: Pairs | bytes | None = None, **fields: Any):
    """Answer a response that is not the last."""
    assert not answer.final
    assert answer.ttt != NO_TASK
    return say(peer, keys, itt=answer.itt, ttt=answer.ttt, **fields)


def rejected(answer: Any, reason: RejectReason = RejectReason.PROTOCOL_ERROR) -> bool:
    return isinstance(answer, Reject) and answer.reason == reason


def test_an_exchange_of_one_request_and_one_response():
    answer = say(open_peer(), {"InitiatorAlias": "me"})
    assert isinstance(answer, TextResponse)
    assert answer.final
    assert answer.ttt == NO_TASK
    assert answer.data == b""


def test_the_segment_length_may_change_in_full_feature_phase():
    peer = open_peer()
    say(peer, {"MaxRecvDataSegmentLength": "512"})
    answers = peer.send(peer.reading(0, 1024))
    peer.parameters = peer.connection.parameters
    assert [len(pdu.data) for pdu in answers] == [512, 512]


@requirement("7143-6.2-13")
def test_a_change_counts_when_the_exchange_ends():
    peer = open_peer()
    answer = say(peer, {"MaxRecvDataSegmentLength": "512"}, final=False)
    assert peer.connection.parameters.initiator_max_recv_data_segment_length == 8192
    assert go_on(peer, answer).final
    assert peer.connection.parameters.initiator_max_recv_data_segment_length == 512


def test_keys_may_come_in_several_texts():
    peer = open_peer()
    answer = say(peer, {"InitiatorAlias": "me"}, final=False)
    answer = go_on(peer, answer, {"X-com.example.one": "1"}, final=False)
    assert dict(decode(bytes(answer.data))) == {"X-com.example.one": "NotUnderstood"}
    assert go_on(peer, answer).final


@requirement("7143-6.4-5")
def test_a_key_may_not_come_twice_in_an_exchange():
    peer = open_peer()
    answer = say(peer, {"InitiatorAlias": "me"}, final=False)
    assert rejected(go_on(peer, answer, {"InitiatorAlias": "you"}))


def test_a_text_may_be_split_anywhere():
    peer = open_peer()
    text = encode_text({"X-com.example.one": "1" * 20}.items())
    answer = say(peer, text[:5], final=False, continue_=True)
    assert answer.data == b""
    answer = go_on(peer, answer, text[5:9], final=False, continue_=True)
    answer = go_on(peer, answer, text[9:])
    assert answer.final
    assert dict(decode(bytes(answer.data))) == {"X-com.example.one": "NotUnderstood"}


def long_answer(peer: Peer, **fields: Any) -> Any:
    answer = say(peer, MANY, **fields)
    assert answer.continue_
    assert len(answer.data) == 512
    return answer


def test_an_answer_that_does_not_fit_is_fetched_in_parts():
    peer = open_peer(MaxRecvDataSegmentLength="512")
    answer = long_answer(peer)
    text = bytes(answer.data)
    while not answer.final:
        answer = go_on(peer, answer)
        text += answer.data
    assert not answer.continue_
    assert dict(decode(text)) == dict.fromkeys(MANY, "NotUnderstood")
    assert say(peer).final


def test_a_long_answer_after_a_partial_text():
    peer = open_peer(MaxRecvDataSegmentLength="512")
    text = encode_text(MANY.items())
    answer = say(peer, text[:100], final=False, continue_=True)
    assert go_on(peer, answer, text[100:]).continue_


def test_an_initiator_that_does_not_end_may_ask_for_more_than_there_is():
    peer = open_peer(MaxRecvDataSegmentLength="512")
    answer = long_answer(peer, final=False)
    while answer.continue_:
        answer = go_on(peer, answer, final=False)
    answer = go_on(peer, answer, final=False)
    assert answer.data == b""
    assert go_on(peer, answer).final


def test_nothing_may_be_said_while_our_answer_is_not_over():
    peer = open_peer(MaxRecvDataSegmentLength="512")
    assert rejected(go_on(peer, long_answer(peer), {"InitiatorAlias": "me"}))


def test_f_and_c_exclude_each_other():
    assert rejected(say(open_peer(), {"InitiatorAlias": "me"}, continue_=True))


@pytest.mark.parametrize("keys", [b"x", {"InitialR2T": "Yes"}, {"AuthMethod": "None"}])
@requirement("7143-6.3-14")
@requirement("7143-6.2-13")
def test_what_may_not_be_negotiated_is_rejected(keys: Any):
    peer = open_peer()
    assert rejected(say(peer, keys))
    assert say(peer, {"InitiatorAlias": "me"}).final


def test_a_tag_of_no_exchange_is_rejected():
    peer = open_peer()
    reason = RejectReason.INVALID_PDU_FIELD
    assert rejected(say(peer, ttt=1), reason)
    answer = say(peer, {"InitiatorAlias": "me"}, final=False)
    assert rejected(say(peer, itt=answer.itt, ttt=answer.ttt + 1), reason)
    answer = say(peer, {"InitiatorAlias": "me"}, final=False)
    assert rejected(say(peer, itt=answer.itt + 5, ttt=answer.ttt), reason)


def test_the_reserved_tag_begins_a_new_exchange_and_ends_the_old_one():
    peer = open_peer(MaxRecvDataSegmentLength="512")
    old = say(peer, {"MaxRecvDataSegmentLength": "1024"}, final=False)
    assert say(peer, {"InitiatorAlias": "me"}).final
    assert peer.parameters.initiator_max_recv_data_segment_length == 512
    assert rejected(say(peer, itt=old.itt, ttt=old.ttt), RejectReason.INVALID_PDU_FIELD)
    say(peer, b"X-a", final=False, continue_=True)
    assert say(peer).final
    long_answer(peer)
    assert say(peer).final


@requirement("7143-11.10.4-1")
def test_the_lun_is_kept_while_an_exchange_lasts():
    peer = open_peer()
    answer = say(peer, final=False, lun=5 << 48)
    assert answer.lun == 5 << 48
    assert go_on(peer, answer, lun=5 << 48).lun == 0


@pytest.mark.parametrize("fields", [{}, {"continue_": True}])
def test_an_unfinished_exchange_is_forgotten_in_time(fields: Any):
    peer = open_peer(limits=Limits(text_time=30.0, ping_interval=0))
    answer = say(peer, b"" if fields else {}, final=False, **fields)
    peer.pass_time(29.0)
    answer = go_on(peer, answer, final=False, **fields)
    peer.pass_time(30.0)
    assert rejected(go_on(peer, answer), RejectReason.INVALID_PDU_FIELD)


def test_a_finished_exchange_leaves_no_timer():
    peer = open_peer(limits=Limits(ping_interval=0))
    assert peer.connection.next_deadline() is None
    say(peer, {"InitiatorAlias": "me"})
    assert peer.connection.next_deadline() is None


@requirement("7143-13.8-3")
def test_targets_are_told_in_discovery_sessions():
    peer = open_peer(discovery=True)
    answer = say(peer, {"SendTargets": "All"})
    assert decode(bytes(answer.data)) == [
        ("TargetName", TARGET),
        ("TargetAddress", "192.0.2.1:3260,1"),
    ]


def test_many_targets_take_several_responses():
    peer = open_peer(discovery=True, MaxRecvDataSegmentLength="512")
    known = [(f"{TARGET}-{place}", ["192.0.2.1:3260,1"]) for place in range(40)]
    peer.gate.known = known
    answer = say(peer, {"SendTargets": "All"})
    text = bytes(answer.data)
    while not answer.final:
        answer = go_on(peer, answer)
        text += answer.data
    assert [value for name, value in decode(text) if name == "TargetName"] == [
        name for name, _ in known
    ]


def test_a_question_that_may_not_be_asked_is_rejected():
    assert rejected(say(open_peer(), {"SendTargets": "All"}))


def test_an_early_text_waits_for_its_turn():
    peer = open_peer()
    gap = peer.reading(0, 4)
    request = peer.request(TextRequest, data=encode_text([("X-com.example.one", "1")]))
    assert peer.send(request) == []
    answer, read = peer.send(gap)
    assert read.itt == gap.itt
    assert dict(decode(bytes(answer.data))) == {"X-com.example.one": "NotUnderstood"}


def test_long_exchanges_have_so_many_places_and_no_more():
    gate = Gate(limits=Limits(texts=1))
    first, second = login(gate), login(gate, isid=b"other!")
    begun = say(first, {"InitiatorAlias": "me"}, final=False)
    assert rejected(say(second, final=False), RejectReason.LONG_OPERATION_REJECT)
    assert say(second, {"InitiatorAlias": "me too"}).final
    assert go_on(first, begun).final
    assert not say(second, final=False).final
    second.connection.lost("gone", 0.0)
    assert not say(first, final=False).final
