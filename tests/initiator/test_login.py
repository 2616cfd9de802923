from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.initiator.pair import Pair, Script, intent, reading
from tests.initiator.scripts import scripted
from tests.protocol.peer import OTHER, TARGET, Gate
from tests.requirements import requirement
from trioscsi.initiator.events import LoggedIn, LoginFailed, Redirected
from trioscsi.limits import Limits
from trioscsi.pdu import LoginRequest, LoginStatus, NopIn
from trioscsi.protocol import Redirection
from trioscsi.text import Offer, Stage, decode
from trioscsi.text import encode as encode_text

LONG = tuple((f"X-com.example.{'k' * 40}.{place:03}", "v" * 100) for place in range(60))


@requirement("7143-6.3-13")
@requirement("7143-6.3.3-2")
@requirement("7143-13.4-1")
def test_a_login_through_both_stages():
    pair = Pair(Gate(), intent(first_stage=Stage.SECURITY))
    assert [type(event) for event in pair.events] == [LoggedIn]
    requests = pair.sent(LoginRequest)
    assert [(pdu.csg, pdu.transit) for pdu in requests] == [(0, True), (1, True)]
    said = [name for pdu in requests for name, _ in decode(bytes(pdu.data))]
    assert (said.count("InitiatorName"), said.count("TargetName")) == (1, 1)
    assert pair.session.tsih
    assert pair.connection.parameters == pair.wire.target.parameters


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n", "'HTTP/1.1 400 Bad Request'"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "'SSH-2.0-OpenSSH_9.2p1'"),
        (b"220 mail.example.com ESMTP", "'220 mail.example.com ESM'"),
        (b"H", "48"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "15 03 01 00 02 02 46"),
    ],
)
def test_who_speaks_another_protocol_is_known_at_once(said: bytes, shown: str):
    script = Script()
    script.feed(said)
    (failure,) = script.events
    assert isinstance(failure, LoginFailed)
    why = f"this is no iSCSI target: it says {shown} (RFC 7143 section 11.2.1.2)"
    assert (failure.status, failure.reason) == (None, why)
    assert script.connection.closed


def test_the_fields_of_all_requests_stay_the_same():
    pair = Pair(Gate(), intent(first_stage=Stage.SECURITY))
    fields = {
        (pdu.itt, pdu.isid, pdu.cid, pdu.cmd_sn, pdu.tsih, pdu.version_min)
        for pdu in pair.sent(LoginRequest)
    }
    assert len(fields) == 1


def test_what_was_said_is_kept():
    pair = Pair(Gate(), intent(first_stage=Stage.SECURITY))
    said = {(each.side, each.name): each.value for each in pair.connection.said}
    assert said["initiator", "TargetName"] == TARGET
    assert said["target", "TargetPortalGroupTag"] == "1"


@requirement("7143-13.7-1")
def test_an_initiator_says_what_it_is_called():
    pair = Pair(Gate(), intent(initiator_alias="The laptop"))
    said = {(each.side, each.name): each.value for each in pair.connection.said}
    assert said["initiator", "InitiatorAlias"] == "The laptop"


def test_a_long_text_goes_in_several_requests():
    gate = Gate(limits=Limits(text=32_768, keys=256))
    pair = Pair(gate, intent(more=LONG))
    assert pair.connection.full_feature, pair.events
    assert [pdu.continue_ for pdu in pair.sent(LoginRequest)][:2] == [True, False]
    assert all(not pdu.transit for pdu in pair.sent(LoginRequest) if pdu.continue_)


def test_a_long_answer_comes_in_several_responses():
    gate = Gate(limits=Limits(text=32_768, keys=256))
    more = tuple((f"X-com.example.{'k' * 40}.{place:03}", "1") for place in range(125))
    pair = Pair(gate, intent(more=more), limits=Limits(text=32_768, keys=256))
    assert pair.connection.full_feature, pair.events
    assert any(getattr(pdu, "continue_", False) for pdu in pair.wire.back)


def test_a_refusal_says_why():
    pair = Pair(Gate(), intent(target_name=OTHER))
    (failure,) = pair.happened(LoginFailed)
    assert failure.status is LoginStatus.AUTHORIZATION_FAILURE
    assert failure.reason == "the target refuses the login: authorization failure"
    assert pair.connection.closed


@pytest.mark.parametrize("permanent", [False, True])
def test_a_redirection_gives_the_new_address(permanent: bool):
    gate = Gate()
    gate.moved = Redirection("192.0.2.7:3260", permanent=permanent)
    pair = Pair(gate)
    (moved,) = pair.happened(Redirected)
    assert (moved.addresses, moved.permanent) == (("192.0.2.7:3260",), permanent)


def test_a_redirection_that_leads_nowhere_is_a_failure():
    script = Script()
    script.answer_login(status_class=1, status_detail=1)
    (failure,) = script.happened(LoginFailed)
    assert "leads nowhere" in failure.reason


def test_an_unknown_status_is_told_by_its_number():
    script = Script()
    script.answer_login(status_class=2, status_detail=0x77)
    (failure,) = script.happened(LoginFailed)
    assert failure.status == 0x0277


def test_a_refusal_without_tag_and_isid_is_understood():
    script = Script()
    script.answer_login(status_class=2, status_detail=1, itt=0, isid=bytes(6))
    (failure,) = script.happened(LoginFailed)
    assert failure.status is LoginStatus.AUTHENTICATION_FAILURE


@pytest.mark.parametrize(
    "fields",
    [
        {"itt": 77},
        {"isid": b"others"},
        {"version_active": 1},
        {"csg": 0},
        {"continue_": True},
        {"nsg": 1},
        {"tsih": 0},
        {"data": b"MaxBurstLength=16777216\0"},
        {"data": b"HeaderDigest=SHA\0"},
        {"data": b"InitiatorName=x\0"},
        {"data": b"no equals sign\0"},
        {"data": b"MaxConnections=2\0MaxConnections=2\0"},
    ],
    ids=str,
)
def test_a_response_that_breaks_a_rule_ends_the_login(fields: dict[str, Any]):
    script = Script()
    data = fields.pop("data", b"")
    assert script.answer_login(data, **fields) == []
    (failure,) = script.happened(LoginFailed)
    assert failure.status is None
    assert script.connection.closed


def test_a_t_bit_that_was_not_asked_for_is_refused():
    script = Script(intent(more=LONG))
    assert script.said[-1].continue_
    script.answer_login(transit=True, nsg=3)
    assert script.connection.closed


def test_text_while_a_long_request_is_not_over_is_refused():
    script = Script(intent(more=LONG))
    script.answer_login(b"MaxConnections=1\0")
    (failure,) = script.happened(LoginFailed)
    assert "not over" in failure.reason


def test_another_pdu_during_the_login_ends_it():
    script = Script()
    script.say(NopIn())
    (failure,) = script.happened(LoginFailed)
    assert "a NopIn during the login" in failure.reason


def test_a_target_that_never_moves_on_is_left_at_last():
    script = Script(limits=Limits(login_pdus=6))
    for _ in range(6):
        script.answer_login(transit=False, nsg=0)
    assert script.connection.closed


def test_a_silent_target_is_left_when_time_is_up():
    script = Script(limits=Limits(login_time=5))
    script.pass_time(5)
    (failure,) = script.happened(LoginFailed)
    assert failure.reason == "no login within 5 seconds"
    assert script.connection.closed


def test_keys_that_the_target_proposes_are_answered():
    script = Script()
    script.answer_login(b"X-com.example.key=1\0", transit=False, nsg=0)
    assert script.said[-1].data == b"X-com.example.key=NotUnderstood\0"
    script.answer_login()
    assert script.connection.full_feature


def test_keys_that_want_an_answer_cannot_come_with_the_t_bit():
    script = Script()
    script.answer_login(b"X-com.example.key=1\0")
    (failure,) = script.happened(LoginFailed)
    assert "T bit" in failure.reason


def test_a_transport_that_is_lost_ends_the_login():
    script = Script()
    script.connection.lost("reset", 0.0)
    script.feed(b"")
    assert script.session.take_events() == []
    (failure,) = script.happened(LoginFailed)
    assert failure.reason == "reset"


def test_everything_can_be_negotiated():
    offer: dict[str, Any] = {
        "error_recovery_level": 2,
        "max_connections": 4,
        "task_reporting": ("FastAbort", "ResponseFence", "RFC3720"),
        "protocol_level": 2,
        "header_digests": ("CRC32C",),
        "data_digests": ("CRC32C",),
    }
    answers = {
        "ErrorRecoveryLevel": "2",
        "MaxConnections": "4",
        "TaskReporting": "FastAbort",
        "iSCSIProtocolLevel": "2",
        "HeaderDigest": "CRC32C",
        "DataDigest": "CRC32C",
    }
    script = Script(intent(**offer))
    script.answer_login(encode_text(answers.items()))
    parameters = script.connection.parameters
    assert script.connection.full_feature
    assert parameters.error_recovery_level == 2
    assert parameters.max_connections == 4
    assert parameters.task_reporting == "FastAbort"
    assert parameters.protocol_level == 2
    assert parameters.header_digest
    assert parameters.data_digest


OFFERS = st.fixed_dictionaries(
    {
        "max_recv_data_segment_length": st.sampled_from([512, 8192, 65_536]),
        "initial_r2t": st.booleans(),
        "immediate_data": st.booleans(),
        "first_burst_length": st.sampled_from([512, 4096]),
        "max_burst_length": st.sampled_from([4096, 262_144]),
        "default_time2wait": st.integers(0, 5),
        "default_time2retain": st.integers(0, 5),
        "max_outstanding_r2t": st.integers(1, 4),
        "max_connections": st.integers(1, 3),
        "error_recovery_level": st.integers(0, 2),
        "header_digests": st.sampled_from([("None",), ("CRC32C", "None"), ("None", "CRC32C")]),
        "data_digests": st.sampled_from([("None",), ("CRC32C", "None"), ("None", "CRC32C")]),
        "data_pdu_in_order": st.booleans(),
        "data_sequence_in_order": st.booleans(),
    }
)


@given(OFFERS, OFFERS, st.sampled_from([Stage.SECURITY, Stage.OPERATIONAL]))
@settings(deadline=None)
def test_both_sides_end_with_the_same_parameters(ours, theirs, stage):
    pair = Pair(Gate(Offer(**theirs)), intent(first_stage=stage, **ours))
    assert pair.connection.full_feature, pair.events
    assert pair.connection.parameters == pair.wire.target.parameters
    data = pair.gate.disk.store[:5000]
    assert pair.do(reading(0, 5000)).data_in == data


def test_a_target_that_does_not_say_its_portal_group_is_noted():
    script = Script()
    script.answer_login()
    (remark,) = script.connection.remarks
    assert "portal group" in str(remark)


@requirement("7143-6.3.1-1")
def test_all_connections_of_a_session_lead_to_one_portal_group():
    talk = scripted(intent(max_connections=2), b"MaxConnections=2\0TargetPortalGroupTag=1\0")
    talk.later = b"TargetPortalGroupTag=2\0"
    end = talk.open()
    (failure,) = talk.happened(LoginFailed)
    assert "portal group 2 in a session with portal group 1" in failure.reason
    assert end.connection.closed
    assert talk.ends[0].connection.full_feature
