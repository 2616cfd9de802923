"""Monitors of targets, and what they find."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.faults import Faults, check
from tests.conformance.talk import Talk
from trioscsi.conformance import Verdict
from trioscsi.pdu import (
    DataIn,
    LogoutResponse,
    NopIn,
    NopOut,
    Pdu,
    ReadyToTransfer,
    Reject,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
    encode,
)

FAULTS = Faults()
fault = FAULTS.fault


def raw(pdu: Pdu) -> bytearray:
    return bytearray(b"".join(map(bytes, encode(pdu))))


def replied(request: dict[str, Any] | None = None, /, **response: Any) -> Talk:
    """A login with this response."""
    talk = Talk()
    talk.say(talk.login_request(**(request or {})))
    talk.reply(talk.login_response(**response))
    return talk


def reading(length: int = 1000, **keys: str) -> tuple[Talk, ScsiCommand]:
    talk = Talk().log_in(**keys)
    return talk, talk.ask(ScsiCommand, read=True, expected_data_transfer_length=length)


def writing(length: int = 1000, **keys: str) -> tuple[Talk, ScsiCommand]:
    talk = Talk().log_in(**keys)
    return talk, talk.write(length)


@fault("T-01", "7143-4.2.4-3")
def a_ping_during_the_login():
    talk = Talk()
    talk.say(talk.login_request())
    talk.answer(NopIn, counts=False)
    return talk


@fault("T-01", "7143-4.2.4-3")
def a_login_response_after_the_login():
    talk = Talk().log_in()
    talk.reply(talk.login_response())
    return talk


@fault("T-02", "7143-11-1")
def a_reserved_bit():
    talk = Talk().log_in()
    data = raw(talk.due(NopIn, counts=False))
    data[40] = 1
    talk.reply_bytes(data)
    return talk


@fault("T-03", "7143-11.2.1.2-1")
def an_opcode_of_initiators():
    talk = Talk().log_in()
    talk.reply_bytes(raw(NopOut())[:48])
    return talk


@fault("T-03", "7143-11.2.1.2-2")
def an_opcode_of_nobody():
    talk = Talk().log_in()
    talk.reply_bytes(b"\x2a" + bytes(47))
    return talk


@fault("T-04", "7143-11.7.1-1")
def a_segment_that_is_too_long():
    talk, command = reading(MaxRecvDataSegmentLength="512")
    talk.answer(DataIn, command, counts=False, final=True, data=bytes(516))
    return talk


@fault("T-05", "7143-11.2-2", Verdict.WARN)
def padding_that_is_not_zero():
    talk, command = reading()
    data = raw(talk.due(DataIn, counts=False, itt=command.itt, final=True, data=b"abc"))
    data[-1] = 1
    talk.reply_bytes(data)
    return talk


@fault("T-06", "7143-4.2.2.2-2")
def a_status_number_is_left_out():
    talk, command = writing()
    talk.answer(ScsiResponse, command, stat_sn=102)
    return talk


@fault("T-06", "7143-4.2.2.2-2")
def a_status_number_is_left_out_where_others_come_once_more():
    talk = Talk().log_in(ErrorRecoveryLevel="1")
    talk.say(SnackRequest(exp_stat_sn=101, type=1))
    talk.answer(NopIn, talk.ask(NopOut), stat_sn=102)
    return talk


@fault("T-08", "7143-4.2.2.4-2", also="M-37")
def data_are_numbered_anew_at_a_level_that_sends_none_again():
    talk, command = reading()
    talk.say(SnackRequest(exp_stat_sn=101, itt=command.itt))
    talk.answer(DataIn, command, counts=False, final=True, data=bytes(512), data_sn=1)
    return talk


@fault("T-07", "7143-4.2.2.1-5")
def an_acknowledgment_is_taken_back():
    talk = Talk().log_in()
    talk.ask(NopOut, immediate=False)
    talk.answer(NopIn, counts=False)
    talk.answer(NopIn, counts=False, exp_cmd_sn=1)
    return talk


@fault("T-07", "7143-4.2.2.1-6")
def the_window_shrinks():
    talk = Talk().log_in()
    talk.answer(NopIn, counts=False, max_cmd_sn=7)
    return talk


@fault("T-07", "7143-4.2.2.1-7")
def the_window_is_less_than_closed():
    return replied(max_cmd_sn=0xFFFFFFFF)


@fault("T-08", "7143-4.2.5.1-2")
def data_for_no_command():
    talk, _ = reading()
    talk.answer(DataIn, counts=False, itt=99, final=True, data=b"data")
    return talk


@fault("T-08", "7143-4.2.2.4-2")
def a_data_sn_is_left_out():
    talk, command = reading()
    talk.answer(DataIn, command, counts=False, final=True, data_sn=1, data=b"data")
    return talk


@fault("T-08", "7143-13.19-1")
def a_gap_in_the_data():
    talk, command = reading()
    talk.answer(DataIn, command, counts=False, final=True, buffer_offset=4, data=b"data")
    return talk


@fault("T-08", "7143-11.4.5.2-1")
def more_data_than_are_expected():
    talk, command = reading(4)
    talk.answer(DataIn, command, counts=False, final=True, data=bytes(8))
    return talk


@fault("T-08", "7143-11.7.1-2")
def a_sequence_that_is_too_long():
    talk, command = reading(MaxBurstLength="512")
    talk.answer(DataIn, command, counts=False, data=bytes(516))
    return talk


@fault("T-08", "7143-11.7.2-1")
def the_a_bit_without_error_recovery():
    talk, command = reading()
    talk.answer(DataIn, command, counts=False, final=True, acknowledge=True, data=b"data")
    return talk


@fault("T-08", "7143-11.7.3-1")
def status_without_f():
    talk, command = reading(4)
    talk.answer(DataIn, command, has_status=True, data=b"data")
    return talk


@fault("T-08", "7143-11.7.3-2")
def status_of_both_directions_with_data():
    talk = Talk().log_in()
    command = talk.write(4, b"data", read=True, bidirectional_read_length=4)
    talk.answer(DataIn, command, final=True, has_status=True, data=b"data")
    return talk


@fault("T-08", "7143-11.7.3-3")
def an_error_with_data():
    talk, command = reading(4)
    talk.answer(DataIn, command, final=True, has_status=True, status=2, data=b"data")
    return talk


@fault("T-08", "7143-11.4.5.2-1")
def an_underflow_that_is_not_told():
    talk, command = reading(8)
    talk.answer(DataIn, command, final=True, has_status=True, data=b"data")
    return talk


@fault("T-09", "7143-11.8.5-1")
def the_reserved_transfer_tag():
    talk, command = writing()
    talk.r2t(command, 1000, ttt=0xFFFFFFFF)
    return talk


@fault("T-09", "7143-11.8.5-1")
def a_transfer_tag_twice():
    talk, command = writing(MaxOutstandingR2T="2")
    talk.r2t(command, 500)
    talk.r2t(command, 500, buffer_offset=500, r2t_sn=1)
    return talk


@fault("T-09", "7143-11.8.4-1")
def nothing_is_asked_for():
    talk, command = writing()
    talk.r2t(command, 0)
    return talk


@fault("T-09", "7143-11.8.4-1")
def more_than_a_burst_is_asked_for():
    talk, command = writing(MaxBurstLength="512")
    talk.r2t(command, 516)
    return talk


@fault("T-09", "7143-4.2.5.1-2")
def data_of_no_command_are_asked_for():
    talk, _ = writing()
    talk.answer(ReadyToTransfer, counts=False, itt=99, ttt=7, desired_data_transfer_length=4)
    return talk


@fault("T-09", "7143-4.2.2.4-2")
def an_r2t_sn_is_left_out():
    talk, command = writing()
    talk.r2t(command, 1000, r2t_sn=1)
    return talk


@fault("T-09", "7143-4.2.5.3-1")
def an_r2t_of_another_unit():
    talk, command = writing()
    talk.r2t(command, 1000, lun=1)
    return talk


@fault("T-09", "7143-4.2.5.2-2")
def more_than_there_is_is_asked_for():
    talk, command = writing()
    talk.r2t(command, 1004)
    return talk


@fault("T-09", "7143-11.8-6")
def a_gap_between_r2ts():
    talk, command = writing()
    talk.r2t(command, 996, buffer_offset=4)
    return talk


@fault("T-09", "7143-13.17-1")
def more_r2ts_than_were_agreed():
    talk, command = writing()
    talk.r2t(command, 500)
    talk.r2t(command, 500, ttt=8, buffer_offset=500, r2t_sn=1)
    return talk


@fault("T-10", "7143-4.2.5.1-2")
def a_second_response():
    talk, command = writing()
    talk.answer(ScsiResponse, command)
    talk.answer(ScsiResponse, command)
    return talk


@fault("T-10", "7143-11.4.1-1")
def residuals_of_a_failure():
    talk, command = writing()
    talk.answer(ScsiResponse, command, response=1, underflow=True, residual_count=1)
    return talk


@fault("T-10", "7143-11.4.8-1")
def a_wrong_count_of_data():
    talk, command = writing()
    talk.answer(ScsiResponse, command, exp_data_sn=1)
    return talk


@fault("T-10", "7143-11.7.3-1")
def a_response_in_the_middle_of_a_sequence():
    talk, command = reading(4)
    talk.answer(DataIn, command, counts=False, data=b"data")
    talk.answer(ScsiResponse, command, exp_data_sn=1)
    return talk


@fault("T-10", "7143-11.4.2-1")
def a_response_that_does_not_wait_for_data():
    talk, command = writing()
    talk.r2t(command, 1000)
    talk.answer(ScsiResponse, command)
    return talk


@fault("T-10", "7143-11.4.7-1")
def an_error_without_sense():
    talk, command = writing()
    talk.answer(ScsiResponse, command, status=2)
    return talk


@fault("T-10", "7143-11.4.5.1-2")
def overflow_and_underflow():
    talk, command = writing()
    talk.answer(ScsiResponse, command, overflow=True, underflow=True, residual_count=1)
    return talk


@fault("T-10", "7143-11.4.5.1-2")
def an_overflow_of_nothing():
    talk, command = writing()
    talk.answer(ScsiResponse, command, overflow=True)
    return talk


@fault("T-10", "7143-11.4.5.1-1", Verdict.WARN)
def a_residual_of_neither_kind():
    talk, command = writing()
    talk.answer(ScsiResponse, command, residual_count=1)
    return talk


@fault("T-11", "7143-4.2.5.1-2")
def an_answer_to_no_request():
    talk, _ = writing()
    talk.answer(LogoutResponse, itt=99)
    return talk


@fault("T-11", "7143-4.2.5.1-2")
def the_answer_to_another_request():
    talk, command = writing()
    talk.answer(NopIn, command)
    return talk


@fault("T-16", "7143-4.2.2.1-11")
def a_status_before_its_command_is_acknowledged():
    talk, command = writing()
    talk.answer(ScsiResponse, command, exp_cmd_sn=command.cmd_sn, max_cmd_sn=command.cmd_sn + 7)
    return talk


@fault("T-16", "7143-4.2.2.1-11")
def a_status_with_data_before_its_command_is_acknowledged():
    talk, command = reading(4)
    numbers = {"exp_cmd_sn": command.cmd_sn, "max_cmd_sn": command.cmd_sn + 7}
    talk.answer(DataIn, command, final=True, has_status=True, data=b"data", **numbers)
    return talk


@fault("T-12", "7143-6.3-16")
def a_second_response_to_one_request():
    talk = replied({"transit": False, "nsg": 0}, transit=False, nsg=0, tsih=0)
    talk.reply(talk.login_response(transit=False, nsg=0, tsih=0))
    return talk


@fault("T-12", "7143-11.13.1-1")
def another_version_max():
    talk = replied({"transit": False, "nsg": 0}, transit=False, nsg=0, tsih=0, version_max=1)
    talk.say(talk.login_request({}))
    talk.reply(talk.login_response(version_max=2))
    return talk


@fault("T-12", "7143-6.3-2")
def another_tag_in_a_login():
    return replied(itt=1)


@fault("T-12", "7143-6.3-2")
def another_isid_in_a_login():
    return replied(isid=bytes(6))


@fault("T-12", "7143-11.13.7-1")
def a_part_that_ends_a_stage():
    return replied(continue_=True)


@fault("T-12", "7143-11.13.5-2")
def a_redirection_to_nowhere():
    return replied(status_class=1, transit=False, tsih=0)


@fault("T-12", "7143-11.13.6-1")
def a_stage_ends_unasked():
    return replied({"transit": False, "nsg": 3})


@fault("T-12", "7143-6.3-8")
def another_stage():
    return replied(csg=0)


@fault("T-12", "7143-6.3-8")
def a_later_stage_than_was_asked_for():
    return replied({"csg": 0, "nsg": 1}, csg=0, nsg=3)


@fault("T-12", "7143-11.13.3-1")
def no_tsih():
    return replied(tsih=0)


@fault("T-12", "7143-11.13.2-1")
def a_version_that_was_not_offered():
    return replied(version_active=1)


@fault("T-12", "7143-6.2-7")
def text_where_the_initiator_is_not_done():
    request = {"transit": False, "nsg": 0, "continue_": True, "data": b"Initial"}
    return replied(request, transit=False, nsg=0, tsih=0, data=b"X-com.example.a=1\0")


def texting(**fields: Any) -> Talk:
    talk = Talk().log_in()
    request = talk.ask(TextRequest, data=b"SendTargets=\0")
    talk.answer(TextResponse, request, **fields)
    return talk


@fault("T-13", "7143-11.11.1-1")
def the_last_text_has_a_tag():
    return texting(ttt=1)


@fault("T-13", "7143-11.11.1-2")
def more_text_has_no_tag():
    return texting(final=False, data=b"TargetAlias=a\0")


@fault("T-13", "7143-11.11.2-1")
def the_last_text_goes_on():
    return texting(continue_=True)


@fault("T-13", "7143-6.4-4", Verdict.WARN)
def nothing_is_said_and_it_goes_on():
    return texting(final=False, ttt=1)


@fault("T-13", "7143-6.2-7")
def text_where_the_initiators_goes_on():
    talk = Talk().log_in()
    request = talk.ask(TextRequest, final=False, continue_=True, data=b"X-com")
    talk.answer(TextResponse, request, final=False, ttt=1, data=b"X-com.example.a=1\0")
    return talk


@fault("T-14", "7143-11.19-1")
def an_answer_that_asks():
    talk = Talk().log_in()
    talk.answer(NopIn, talk.ask(NopOut), ttt=1)
    return talk


@fault("T-14", "7143-11.19-2")
def other_data_than_those_of_the_ping():
    talk = Talk().log_in()
    talk.answer(NopIn, talk.ask(NopOut, data=b"ping"), data=b"pong")
    return talk


@fault("T-14", "7143-11.19-3")
def data_of_no_ping():
    talk = Talk().log_in()
    talk.answer(NopIn, counts=False, data=b"ping")
    return talk


@fault("T-15", "7143-11.17.1-1")
def a_reason_that_is_none():
    talk = Talk().log_in()
    talk.answer(Reject, reason=0x0B, data=bytes(48))
    return talk


@fault("T-15", "7143-11.17.4-1")
def a_reject_of_nothing():
    talk = Talk().log_in()
    talk.answer(Reject, reason=4)
    return talk


@fault("T-30", "7143-6.3-3")
def a_key_twice():
    return replied(data=b"TargetAlias=a\0TargetAlias=b\0")


@fault("T-31", "7143-6.3-5")
def a_key_of_initiators():
    return replied(data=b"InitiatorAlias=a\0")


@fault("T-32", "7143-6.1-1")
def text_without_its_null():
    return replied(data=b"TargetAlias=a")


@fault("T-33", "7143-6.2-5")
def a_key_of_the_standard_is_not_understood():
    return proposing("InitialR2T=Yes\0", b"InitialR2T=NotUnderstood\0")


@fault("T-34", "7143-6.2.2-2")
def an_answer_that_the_proposal_does_not_admit():
    return proposing("ImmediateData=No\0", b"ImmediateData=Yes\0")


def proposing(proposal: str, answer: bytes) -> Talk:
    talk = Talk()
    request = talk.login_request()
    request.data = bytes(request.data) + proposal.encode()
    talk.say(request)
    talk.reply(talk.login_response(data=answer))
    return talk


@fault("T-36", "7143-13.1-1")
def a_damaged_segment():
    talk = Talk().log_in(DataDigest="CRC32C")
    ping = talk.ask(NopOut, data=b"ping")
    talk.reply_bytes(raw(talk.due(NopIn, itt=ping.itt, data=b"ping")) + bytes(4))
    return talk


def with_additional_header(talk: Talk, pdu: Pdu) -> Talk:
    data = raw(pdu)
    data[4] = 1
    talk.reply_bytes(data + bytes(4))
    return talk


@fault("T-42", "7143-11.2.1.5-2")
def additional_headers():
    talk = Talk().log_in()
    return with_additional_header(talk, talk.due(NopIn, counts=False))


@fault("T-42", "7143-11.8.1-1")
def an_r2t_with_additional_headers():
    talk, command = writing()
    return with_additional_header(talk, talk.due(ReadyToTransfer, counts=False, itt=command.itt))


@fault("T-42", "7143-11.6.2-1")
def a_response_to_a_function_with_additional_headers():
    talk = Talk().log_in()
    return with_additional_header(talk, talk.due(TaskManagementResponse, itt=9))


@fault("T-42", "7143-11.15.2-1")
def a_logout_response_with_additional_headers():
    talk = Talk().log_in()
    return with_additional_header(talk, talk.due(LogoutResponse, itt=9))


@fault("T-42", "7143-11.2.1.6-1")
def data_where_there_are_none():
    talk, command = writing()
    data = raw(talk.due(ReadyToTransfer, counts=False, itt=command.itt))
    data[7] = 4
    talk.reply_bytes(data + bytes(4))
    return talk


@pytest.mark.parametrize(("monitor", "rule", "verdict", "failing", "converse"), FAULTS)
def test_a_fault_is_found(monitor, rule, verdict, failing, converse):
    check(monitor, rule, verdict, failing, converse)


def test_what_the_target_owes_to_a_sloppy_initiator_is_not_judged():
    talk, command = writing()
    talk.data(command, 4)
    talk.answer(ScsiResponse, command, exp_data_sn=9)
    assert talk.failing() == {"M-13"}
    talk = Talk()
    talk.say(talk.login_request())
    talk.ask(NopOut)
    talk.reply(talk.login_response(itt=9))
    assert talk.failing() == {"M-01"}
