"""Monitors of tags, numbers, shapes and requests, and what they find."""

from __future__ import annotations

from functools import partial

import pytest

from tests.conformance.faults import Faults, check
from tests.conformance.talk import Talk
from trioscsi.conformance import Verdict
from trioscsi.pdu import (
    NO_TASK,
    LogoutRequest,
    NopIn,
    NopOut,
    Pdu,
    Reject,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    TaskManagementRequest,
    TextRequest,
    encode,
)
from trioscsi.protocol.view import NOWHERE
from trioscsi.serial import add

FAULTS = Faults()
fault = FAULTS.fault
QUEUE = 0x11 << 24


def raw(pdu: Pdu) -> bytearray:
    return bytearray(b"".join(map(bytes, encode(pdu))))


@fault("M-02", "7143-11-1")
def a_reserved_bit():
    talk = Talk().log_in()
    data = raw(talk.make(NopOut))
    data[2] = 1
    talk.say_bytes(data)
    return talk


@fault("M-02", "7143-11-1")
def a_one_that_is_none():
    talk = Talk().log_in()
    data = raw(talk.make(NopOut))
    data[1] = 0
    talk.say_bytes(data)
    return talk


@fault("M-03", "7143-11.2.1.2-1")
def an_opcode_of_targets():
    talk = Talk().log_in()
    talk.say(NopIn())
    return talk


@fault("M-03", "7143-11.2.1.2-2")
def an_opcode_of_nobody():
    talk = Talk().log_in()
    talk.say_bytes(bytes([0x0A]) + bytes(47))
    return talk


@fault("M-04", "7143-11.7.1-1")
def a_segment_that_is_too_long():
    talk = Talk().log_in()
    talk.ask(NopOut, data=bytes(8196))
    return talk


@fault("M-05", "7143-11.2-2", Verdict.WARN)
def padding_that_is_not_zero():
    talk = Talk().log_in()
    data = raw(talk.make(NopOut, data=b"abc"))
    data[-1] = 1
    talk.say_bytes(data)
    return talk


@fault("M-06", "7143-11.2.1.8-1")
def a_tag_twice():
    talk = Talk().log_in()
    talk.ask(ScsiCommand, itt=5)
    talk.ask(ScsiCommand, itt=5)
    return talk


@fault("M-06", "7143-11.2.1.8-1")
def a_tag_twice_and_the_first_is_immediate():
    talk = Talk().log_in()
    talk.ask(NopOut, itt=5, immediate=True)
    talk.ask(NopOut, itt=5)
    return talk


@fault("M-06", "7143-11.2.1.8-2")
def the_reserved_tag():
    talk = Talk().log_in()
    talk.ask(ScsiCommand, itt=NO_TASK)
    return talk


@fault("M-07", "7143-4.2.2.1-1")
def an_immediate_request_with_a_number_of_its_own():
    talk = Talk().log_in()
    talk.ask(TaskManagementRequest, immediate=True, function=5, cmd_sn=2)
    return talk


@fault("M-07", "7143-4.2.2.1-2")
def a_number_is_left_out():
    talk = Talk().log_in()
    talk.ask(ScsiCommand, cmd_sn=2)
    return talk


@fault("M-07", "7143-4.2.2.1-3")
def numbers_go_back_on_one_of_two_connections():
    talk = Talk().log_in(MaxConnections="2")
    Talk(talk).log_in(fields={"tsih": 1, "cid": 1})
    talk.ask(ScsiCommand, cmd_sn=3)
    talk.ask(ScsiCommand, cmd_sn=2)
    return talk


@fault("M-07", "7143-7.2.1-1")
def a_command_that_differs_when_it_comes_again():
    talk = Talk().log_in()
    command = talk.ask(ScsiCommand)
    command.lun = QUEUE
    talk.say(command)
    return talk


def test_a_command_that_comes_again_differs_from_a_text_that_has_its_tag_meanwhile():
    talk = Talk().log_in()
    command = talk.ask(ScsiCommand)
    talk.answer(Reject, reason=4, data=command.pack(0))
    talk.ask(TextRequest, itt=command.itt)
    talk.say(command)
    assert talk.result("M-07").verdict is Verdict.FAIL


@fault("M-08", "7143-4.2.2.1-4")
def more_commands_than_the_window_has_room_for():
    talk = Talk().log_in()
    for _ in range(9):
        talk.ask(ScsiCommand)
    return talk


@fault("M-09", "7143-4.2.2.2-1")
def a_status_is_acknowledged_before_it_comes():
    talk = Talk().log_in()
    talk.ask(NopOut, exp_stat_sn=talk.stat_sn + 1)
    return talk


@fault("M-09", "7143-4.2.2.2-1")
def an_acknowledgment_is_taken_back():
    talk = Talk().log_in()
    talk.ask(NopOut)
    talk.ask(NopOut, exp_stat_sn=talk.stat_sn - 1)
    return talk


@fault("M-21", "7143-11.18.1-1")
def a_ping_without_a_tag_that_is_not_immediate():
    talk = Talk().log_in()
    talk.ask(NopOut, immediate=False, itt=NO_TASK)
    return talk


@fault("M-22", "7143-11.18.2-1")
def the_answer_to_no_ping():
    talk = Talk().log_in()
    talk.ask(NopOut, itt=NO_TASK, ttt=1)
    return talk


@fault("M-22", "7143-11.18.2-2")
def the_answer_to_a_ping_with_another_lun():
    talk = Talk().log_in()
    talk.answer(NopIn, counts=False, ttt=1)
    talk.ask(NopOut, itt=NO_TASK, ttt=1, lun=1)
    return talk


def managing(about: ScsiCommand | None = None, talk: Talk | None = None, **fields: object) -> Talk:
    talk = talk or Talk().log_in()
    if about is not None:
        fields = {
            "function": 1,
            "referenced_task_tag": about.itt,
            "ref_cmd_sn": about.cmd_sn,
            "lun": about.lun,
            **fields,
        }
    talk.ask(TaskManagementRequest, **{"immediate": True, **fields})
    return talk


@fault("M-23", "7143-11.5.4-1")
def a_reset_that_names_a_task():
    return managing(function=5, referenced_task_tag=1)


@fault("M-23", "7143-11-1")
def a_reset_of_all_that_names_a_unit():
    return managing(function=6, lun=1)


@fault("M-23", "7143-11-1")
def a_reset_with_a_number_of_a_command():
    return managing(function=5, ref_cmd_sn=1)


@fault("M-23", "7143-11-1")
def a_reset_with_a_number_of_data():
    return managing(function=5, exp_data_sn=1)


@fault("M-23", "7143-11.5.5-1")
def an_abort_with_the_number_of_another_command():
    talk = Talk().log_in()
    return managing(talk.ask(ScsiCommand), talk, ref_cmd_sn=77)


@fault("M-23", "7143-4.2.5.3-1")
def an_abort_with_the_unit_of_another_command():
    talk = Talk().log_in()
    return managing(talk.ask(ScsiCommand), talk, lun=QUEUE)


@fault("M-23", "7143-11.5.1-2")
def a_reassignment_that_waits():
    talk = Talk().log_in(ErrorRecoveryLevel="2")
    return managing(talk=talk, function=8, immediate=False, referenced_task_tag=1)


@fault("M-23", "7143-11.5.2-1")
def task_management_with_data():
    talk = Talk().log_in()
    data = raw(talk.make(TaskManagementRequest, immediate=True, function=5))
    data[7] = 4
    talk.say_bytes(data + b"data")
    return talk


@fault("M-24", "7143-11.5.1-1")
def an_abort_on_another_connection():
    talk = Talk().log_in(MaxConnections="2")
    other = Talk(talk).log_in(fields={"tsih": 1, "cid": 1})
    return managing(talk.ask(ScsiCommand), other)


@fault("M-25", "7143-11.14-1")
def a_command_after_the_logout():
    talk = Talk().log_in()
    talk.ask(LogoutRequest)
    talk.ask(ScsiCommand)
    return talk


@fault("M-26", "7143-11.14.2-1")
def a_logout_with_data():
    talk = Talk().log_in()
    data = raw(talk.make(LogoutRequest))
    data[7] = 4
    talk.say_bytes(data + b"data")
    return talk


@fault("M-26", "7143-11.14.3-1")
def a_logout_of_a_connection_that_is_none():
    talk = Talk().log_in()
    talk.ask(LogoutRequest, reason=1, cid=9)
    return talk


@fault("M-26", "7143-11-1")
def a_logout_of_a_session_that_names_a_connection():
    talk = Talk().log_in()
    talk.ask(LogoutRequest, cid=9)
    return talk


@fault("M-36", "7143-13.1-1")
def a_damaged_segment():
    talk = Talk().log_in(DataDigest="CRC32C")
    ping = talk.make(NopOut, data=b"ping")
    talk.say_bytes(raw(ping) + bytes(4))
    return talk


@fault("M-36", "7143-13.1-1")
def a_damaged_header():
    talk = Talk().log_in(HeaderDigest="CRC32C")
    talk.say_bytes(raw(talk.make(NopOut)) + bytes(4))
    return talk


@fault("M-37", "7143-7.1.5-1", Verdict.INFO)
def a_snack_without_error_recovery():
    talk = Talk().log_in()
    talk.say(SnackRequest(exp_stat_sn=talk.stat_sn, type=1))
    return talk


@fault("M-38", "7143-7.1.5-2", Verdict.INFO)
def a_reassignment_without_error_recovery():
    return managing(function=8, referenced_task_tag=1)


@fault("M-42", "7143-11.2.1.5-1")
def additional_headers_where_there_are_none():
    talk = Talk().log_in()
    data = raw(talk.make(TextRequest))
    data[4] = 1
    talk.say_bytes(data + b"\0\1\1\0")
    return talk


@fault("M-42", "7143-11.2.2-1")
def additional_headers_that_contradict_themselves():
    talk = Talk().log_in()
    data = raw(talk.make(ScsiCommand))
    data[4] = 1
    talk.say_bytes(data + b"\0\x09\1\0")
    return talk


@fault("M-42", "7143-11.2.2.3-1")
def a_long_cdb_that_is_short():
    talk = Talk().log_in()
    data = raw(talk.make(ScsiCommand))
    data[4] = 1
    talk.say_bytes(data + b"\0\1\1\0")
    return talk


@fault("M-42", "7143-11.3.4-1")
def both_directions_and_one_length():
    talk = Talk().log_in()
    talk.write(4, read=True)
    return talk


@fault("M-42", "7143-11.3.4-1")
def one_direction_and_two_lengths():
    talk = Talk().log_in()
    talk.ask(ScsiCommand, read=True, expected_data_transfer_length=4, bidirectional_read_length=4)
    return talk


@pytest.mark.parametrize(("monitor", "rule", "verdict", "failing", "converse"), FAULTS)
def test_a_fault_is_found(monitor, rule, verdict, failing, converse):
    check(monitor, rule, verdict, failing, converse)


# What outlives its connection, or comes again, is no fault.


def test_the_number_of_a_rejected_request_may_be_used_again():
    talk = Talk().log_in()
    rejected = talk.ask(ScsiCommand)
    talk.ask(ScsiCommand)
    talk.answer(Reject, reason=4, data=rejected.pack(0))
    talk.ask(ScsiCommand, cmd_sn=rejected.cmd_sn)
    assert talk.result("M-07").verdict is Verdict.PASS
    talk.numbers["cmd_sn"] = rejected.cmd_sn + 2
    talk.ask(ScsiCommand)
    assert talk.failing() == set()


def test_a_ping_whose_answer_was_rejected_is_answered_again():
    talk = Talk().log_in()
    talk.answer(NopIn, counts=False, ttt=1)
    rejected = talk.ask(NopOut, immediate=True, itt=NO_TASK, ttt=1)
    talk.answer(Reject, reason=6, data=rejected.pack(0))
    talk.ask(NopOut, immediate=True, itt=NO_TASK, ttt=1)
    assert talk.result("M-22").verdict is Verdict.PASS


def test_a_ping_with_an_additional_header_is_answered_as_any_other():
    talk = Talk().log_in()
    ping = talk.due(NopIn, counts=False, ttt=1)
    header = ping.pack(0)
    talk.reply_bytes(header[:4] + b"\1" + header[5:] + bytes(4))
    talk.ask(NopOut, immediate=True, itt=NO_TASK, ttt=1)
    assert talk.result("M-22").verdict is Verdict.PASS


def test_a_ping_for_a_unit_that_cannot_be_has_no_lun_to_be_copied():
    talk = Talk().log_in()
    talk.answer(NopIn, counts=False, ttt=1, lun=NOWHERE)
    talk.ask(NopOut, immediate=True, itt=NO_TASK, ttt=1)
    assert talk.result("M-22").verdict is Verdict.PASS


def test_a_request_whose_connection_is_gone_may_be_sent_again_on_another():
    talk = Talk().log_in(ErrorRecoveryLevel="2", MaxConnections="2")
    other = Talk(talk).log_in(fields={"tsih": 1, "cid": 1})
    lost = talk.ask(ScsiCommand)
    other.ask(ScsiCommand)
    talk.close()
    other.say(lost)
    assert other.result("M-07").verdict is Verdict.PASS


@pytest.mark.parametrize("jump", [2**31, 2**31 + 5, 2**30 + 1])
def test_a_stat_sn_that_jumps_far_leaves_open_what_is_acknowledged(jump: int):
    talk = Talk().log_in()
    talk.answer(ScsiResponse, talk.ask(ScsiCommand))
    before = talk.stat_sn
    talk.stat_sn = add(before, jump)
    talk.answer(ScsiResponse, talk.ask(ScsiCommand, exp_stat_sn=before))
    talk.ask(NopOut)
    talk.ask(NopOut, exp_stat_sn=before)
    assert talk.result("M-09").verdict is Verdict.PASS


def test_a_status_that_comes_again_takes_nothing_back():
    talk = Talk().log_in()
    for _ in range(3):
        talk.answer(ScsiResponse, talk.ask(ScsiCommand))
    due = talk.stat_sn
    talk.answer(ScsiResponse, talk.ask(ScsiCommand), stat_sn=due - 2)
    talk.ask(NopOut, exp_stat_sn=due)
    assert talk.result("M-09").verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("monitor", "level", "request_"),
    [
        ("M-37", "1", partial(SnackRequest, type=1)),
        ("M-38", "2", partial(TaskManagementRequest, function=8, itt=9, referenced_task_tag=3)),
    ],
)
def test_a_session_keeps_its_level_when_its_first_connection_is_gone(monitor, level, request_):
    talk = Talk().log_in(ErrorRecoveryLevel=level)
    talk.close()
    again = Talk(talk).log_in(fields={"tsih": 1})
    again.say(request_(exp_stat_sn=again.stat_sn))
    assert again.result(monitor).verdict is Verdict.PASS
