"""Monitors of the login and of keys, and what they find."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.faults import Faults, check
from tests.conformance.talk import INITIATOR, LEADING, Talk
from trioscsi.conformance import Verdict
from trioscsi.pdu import (
    AsyncEvent,
    AsyncMessage,
    LogoutRequest,
    NopOut,
    ScsiCommand,
    TextRequest,
    TextResponse,
)
from trioscsi.text import Side

FAULTS = Faults()
fault = FAULTS.fault


def said(keys: dict[str, str] | None = None, **fields: Any) -> Talk:
    """A first Login Request."""
    talk = Talk()
    talk.say(talk.login_request(keys, **fields))
    return talk


def again(keys: dict[str, str] | None = None, **fields: Any) -> Talk:
    """A second Login Request."""
    talk = said(transit=False, nsg=0)
    talk.reply(talk.login_response(transit=False, nsg=0, tsih=0))
    talk.say(talk.login_request(keys or {}, **fields))
    return talk


def asked(text: bytes, **keys: str) -> Talk:
    """A Text Request."""
    talk = Talk().log_in(**keys)
    talk.ask(TextRequest, data=text)
    return talk


@fault("M-01", "7143-4.2.4-1")
def a_command_first():
    talk = Talk()
    talk.ask(ScsiCommand)
    return talk


@fault("M-01", "7143-4.2.4-2")
def a_ping_during_the_login():
    talk = said(transit=False, nsg=0)
    talk.reply(talk.login_response(transit=False, nsg=0, tsih=0))
    talk.ask(NopOut)
    return talk


@fault("M-27", "7143-6.2-3")
def a_second_text_request():
    talk = asked(b"X-com.example.a=1\0")
    talk.ask(TextRequest, itt=talk.numbers["itt"], data=b"X-com.example.b=1\0")
    return talk


def negotiating() -> tuple[Talk, TextResponse]:
    talk = asked(b"X-com.example.a=1\0")
    itt = talk.numbers["itt"]
    return talk, talk.answer(
        TextResponse, final=False, itt=itt, ttt=5, lun=1, data=b"TargetAlias=a\0"
    )


@fault("M-27", "7143-11.10.3-1")
def another_tag_in_a_negotiation():
    talk, response = negotiating()
    talk.ask(TextRequest, ttt=5, lun=response.lun)
    return talk


@fault("M-27", "7143-11.10.3-2")
def another_i_bit_in_a_negotiation():
    talk, response = negotiating()
    talk.ask(TextRequest, itt=response.itt, ttt=5, lun=response.lun, immediate=True)
    return talk


@fault("M-27", "7143-11.11.4-1")
def another_transfer_tag_in_a_negotiation():
    talk, response = negotiating()
    talk.ask(TextRequest, itt=response.itt, ttt=6, lun=response.lun)
    return talk


@fault("M-28", "7143-6.2-1")
def a_part_of_a_text_that_ends_a_stage():
    return said(continue_=True)


@fault("M-28", "7143-6.2-1")
def a_part_of_a_text_that_ends_a_negotiation():
    talk = Talk().log_in()
    talk.ask(TextRequest, continue_=True, data=b"X-com.")
    return talk


@fault("M-28", "7143-11.12.3-1")
def a_stage_that_there_is_not():
    return said(nsg=2)


@fault("M-28", "7143-6.2-2")
def text_where_the_target_is_not_done():
    talk = said(transit=False, nsg=0)
    talk.reply(talk.login_response(transit=False, nsg=0, tsih=0, continue_=True, data=b"Initial"))
    talk.say(talk.login_request({"DataPDUInOrder": "Yes"}))
    return talk


@fault("M-28", "7143-6.2-12", Verdict.WARN)
def an_empty_login_request_that_asks_for_no_stage():
    talk = said(transit=False, nsg=0)
    talk.reply(talk.login_response(transit=False, nsg=0, tsih=0))
    talk.say(talk.login_request({}, transit=False, nsg=0))
    return talk


@fault("M-28", "7143-6.2-12", Verdict.WARN)
def a_text_negotiation_about_nothing():
    talk = Talk().log_in()
    talk.ask(TextRequest, final=True)
    return talk


def test_an_empty_text_is_an_answer_to_who_asks_for_a_negotiation_and_resets_one():
    talk = Talk().log_in()
    talk.answer(AsyncMessage, async_event=AsyncEvent.NEGOTIATION_REQUEST, parameter3=3)
    talk.ask(TextRequest, final=True)
    talk.ask(TextRequest, final=True)
    assert "M-28" not in talk.failing()


@fault("M-29", "7143-11.12.4-1")
def a_version_that_is_none():
    return said(version_min=1, version_max=1)


@fault("M-29", "7143-11.12.4.1-1")
def another_version_in_a_login():
    return again(version_max=1)


@fault("M-29", "7143-11.12.6-1")
def another_tsih_in_a_login():
    return again(tsih=1)


@fault("M-29", "7143-11.12.7-1")
def another_cid_in_a_login():
    return again(cid=1)


@fault("M-29", "7143-6.3-2")
def another_tag_in_a_login():
    return again(itt=1)


@fault("M-29", "7143-6.3-2")
def another_isid_in_a_login():
    return again(isid=b"\x80\0\0\0\0\2")


@fault("M-29", "7143-6.3-1")
def two_login_requests_at_once():
    talk = said(transit=False, nsg=0)
    talk.say(talk.login_request({}))
    return talk


@fault("M-29", "7143-4.2.4-8")
def a_login_after_the_login():
    talk = Talk().log_in()
    talk.say(talk.login_request({}))
    return talk


@fault("M-30", "7143-6.3-3")
def a_key_twice_in_a_text():
    return said(data=b"".join(f"{k}={v}\0".encode() for k, v in [*LEADING.items()] * 2))


@fault("M-30", "7143-6.3-3")
def a_name_twice_in_a_login():
    return again({"InitiatorName": INITIATOR})


@fault("M-30", "7143-6.3-3")
def a_key_that_was_settled():
    talk = said({**LEADING, "ImmediateData": "Yes"}, transit=False, nsg=0)
    talk.reply(talk.login_response({"ImmediateData": "No"}, transit=False, nsg=0, tsih=0))
    talk.say(talk.login_request({"ImmediateData": "Yes"}))
    return talk


@fault("M-31", "7143-6.3-4")
def a_key_of_the_login_afterwards():
    return asked(b"ImmediateData=Yes\0")


@fault("M-31", "7143-6.3-4")
def a_key_of_the_other_stage():
    return said({**LEADING, "AuthMethod": "None"})


@fault("M-31", "7143-6.3-5")
def a_key_of_targets():
    return said({**LEADING, "TargetPortalGroupTag": "1"})


@fault("M-32", "7143-6.1-1")
def text_without_its_null():
    return asked(b"X-com.example.a=1")


@fault("M-32", "7143-6.2.2-1")
def a_value_that_its_key_cannot_have():
    return said({**LEADING, "ImmediateData": "Maybe"})


@fault("M-33", "7143-6.2-4")
def a_proposal_that_is_an_answer():
    return said({**LEADING, "ImmediateData": "Reject"})


def answering(key: str, proposal: str, answer: str) -> Talk:
    talk = said(transit=False, nsg=0)
    talk.reply(talk.login_response({key: proposal}, transit=False, nsg=0, tsih=0))
    talk.say(talk.login_request({key: answer}))
    return talk


@fault("M-33", "7143-6.2-5")
def a_key_of_the_standard_is_not_understood():
    return answering("MaxBurstLength", "1024", "NotUnderstood")


@fault("M-34", "7143-6.2.2-2")
def more_than_a_minimum():
    return answering("MaxBurstLength", "1024", "2048")


@fault("M-34", "7143-6.2.1-1")
def something_else_than_was_on_the_list():
    return answering("HeaderDigest", "CRC32C", "None")


@fault("M-34", "7143-6.2-6")
def a_value_for_a_key_that_nobody_knows():
    return answering("X-com.example.a", "1", "1")


DISCOVERY = {"InitiatorName": INITIATOR, "SessionType": "Discovery"}


@fault("M-35", "7143-4.3-1")
def a_command_in_a_discovery_session():
    talk = Talk().log_in(DISCOVERY)
    talk.ask(ScsiCommand)
    return talk


@fault("M-35", "7143-4.3-1")
def another_key_in_a_discovery_session():
    talk = Talk().log_in(DISCOVERY)
    talk.ask(TextRequest, data=b"MaxRecvDataSegmentLength=512\0")
    return talk


@fault("M-35", "7143-4.3-1")
def a_logout_of_the_connection_of_a_discovery_session():
    talk = Talk().log_in(DISCOVERY)
    talk.ask(LogoutRequest, reason=1)
    return talk


@fault("M-39", "7143-11.13.5-1")
def another_request_after_a_refusal():
    talk = said()
    talk.reply(talk.login_response(status_class=2, transit=False, tsih=0))
    talk.say(talk.login_request({}))
    return talk


@fault("M-40", "7143-11.12.5-1")
def an_isid_of_no_type():
    return said(isid=b"\xc0\0\0\0\0\0")


@fault("M-40", "7143-11.12.6-2")
def the_session_of_another_port():
    other = Talk(Talk().log_in())
    other.say(other.login_request(tsih=1, isid=b"\x80\0\0\0\0\2"))
    return other


@fault("M-41", "7143-4.2.7-1")
def a_name_in_upper_case():
    return said({**LEADING, "InitiatorName": INITIATOR.upper()})


@fault("M-41", "7143-4.2.7-1")
def a_name_of_no_kind():
    return said({**LEADING, "TargetName": "disk"})


@fault("M-41", "7143-6.3-6")
def a_login_without_a_name():
    return said({"TargetName": LEADING["TargetName"]})


@fault("M-41", "7143-6.3-7")
def a_login_to_no_target():
    return said({"InitiatorName": INITIATOR})


@fault("M-43", "7143-13.25-1", Verdict.INFO)
def markers_are_proposed():
    return said({**LEADING, "IFMarker": "No"})


@fault("M-05", "7143-11.2-1")
def no_padding_at_the_end():
    talk = Talk().log_in()
    talk.say_bytes(unpadded(talk))
    talk.close()
    return talk


def unpadded(talk: Talk) -> bytes:
    header = talk.make(NopOut, data=b"abc").pack(3)
    return bytes(header) + b"abc"


@pytest.mark.parametrize(("monitor", "rule", "verdict", "failing", "converse"), FAULTS)
def test_a_fault_is_found(monitor, rule, verdict, failing, converse):
    check(monitor, rule, verdict, failing, converse)


def test_a_connection_that_ends_in_the_middle_is_no_matter_of_padding():
    talk = Talk().log_in()
    talk.say_bytes(unpadded(talk)[:40])
    talk.close()
    assert talk.failing() == set()


def test_a_refused_login_that_is_not_closed_yet_is_inconclusive():
    talk = said()
    talk.reply(talk.login_response(status_class=2, transit=False, tsih=0))
    assert talk.result("M-39").verdict is Verdict.INCONCLUSIVE
    talk.close(Side.TARGET)
    assert talk.result("M-39").verdict is Verdict.NOT_EXERCISED


def test_markers_that_are_refused_are_nothing_to_speak_of():
    talk = said(transit=False, nsg=0)
    asked_for = talk.login_response({"IFMarker": "Yes"}, transit=False, nsg=0, tsih=0)
    talk.reply(asked_for)
    talk.say(talk.login_request({"IFMarker": "No"}))
    assert talk.result("M-43").verdict is Verdict.NOT_EXERCISED
