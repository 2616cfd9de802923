from __future__ import annotations

from typing import Any

import pytest

from tests.initiator.pair import Script, intent, logged_in, reading, writing
from trioscsi.initiator.events import ConnectionLost, Refused, SessionFailed
from trioscsi.initiator.full_feature import reason_name
from trioscsi.pdu import (
    DataIn,
    LoginResponse,
    NopOut,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    encode,
)


def header_of(pdu: Any) -> bytes:
    return bytes(encode(pdu)[0])[:48]


def done(script: Script, itt: int, **fields: Any) -> list[Any]:
    return script.say(ScsiResponse(itt=itt, **fields))


def test_requests_acknowledge_the_statuses_that_have_come():
    script = logged_in()
    (first,) = script.request(reading(0, 4))
    done(script, first.itt)
    (second,) = script.request(reading(0, 4))
    assert second.exp_stat_sn == first.exp_stat_sn + 1
    assert second.cmd_sn == first.cmd_sn + 1
    assert second.itt != first.itt


def test_a_status_that_comes_twice_is_heard_once():
    script = logged_in()
    task = reading(0, 4)
    (command,) = script.request(task)
    done(script, command.itt, status=8)
    script.stat_sn -= 1
    done(script, command.itt, status=2)
    assert not script.connection.closed
    assert task.status == 8


def test_a_missing_status_ends_the_session():
    script = logged_in()
    (command,) = script.request(reading(0, 4))
    script.stat_sn += 1
    done(script, command.itt)
    assert script.happened(ConnectionLost)
    assert script.happened(SessionFailed)


@pytest.mark.parametrize("pdu", [LoginResponse(), NopOut(), ScsiCommand(), SnackRequest()])
def test_what_has_no_place_there_ends_the_session(pdu: Any):
    script = logged_in()
    script.say(pdu, number=hasattr(pdu, "stat_sn"))
    assert script.connection.closed


def test_an_unknown_opcode_ends_the_session():
    script = logged_in()
    script.feed(b"\x3c" + bytes(47))
    assert script.connection.closed


def test_a_bad_digest_ends_the_session():
    script = logged_in(intent(data_digests=("CRC32C",)), b"DataDigest=CRC32C\0")
    task = reading(0, 4)
    (command,) = script.request(task)
    damaged = b"".join(map(bytes, encode(DataIn(itt=command.itt, data=b"abcd"), data_digest=True)))
    script.feed(damaged[:-1] + bytes([damaged[-1] ^ 1]))
    assert script.connection.closed
    assert "digest" in task.lost


def test_a_segment_that_is_too_large_ends_the_session():
    script = logged_in(intent(max_recv_data_segment_length=512))
    task = reading(0, 4096)
    (command,) = script.request(task)
    script.say(DataIn(itt=command.itt, data=bytes(516)))
    assert script.connection.closed


def test_data_is_acknowledged_where_that_was_agreed():
    script = logged_in(
        intent(error_recovery_level=1, data_sequence_in_order=True), b"ErrorRecoveryLevel=1\0"
    )
    (command,) = script.request(reading(0, 8, lun=1 << 48))
    ask = DataIn(itt=command.itt, ttt=9, lun=1 << 48, data=b"0123", final=True, acknowledge=True)
    (snack,) = script.say(ask)
    assert isinstance(snack, SnackRequest)
    assert (snack.type, snack.ttt, snack.lun, snack.beg_run, snack.run_length) == (
        2,
        9,
        1 << 48,
        1,
        0,
    )


def test_at_level_0_nothing_is_acknowledged():
    script = logged_in()
    (command,) = script.request(reading(0, 8))
    assert script.say(DataIn(itt=command.itt, ttt=9, data=b"0123", acknowledge=True)) == []


def test_a_rejected_command_is_over_and_its_number_is_used():
    script = logged_in()
    task = reading(0, 8)
    (command,) = script.request(task)
    reject = Reject(reason=RejectReason.INVALID_PDU_FIELD, data=header_of(command))
    reject.exp_cmd_sn, reject.max_cmd_sn = command.cmd_sn, command.cmd_sn + 7
    (ping,) = script.say(reject)
    assert (task.over, task.lost) == (True, "rejected: invalid pdu field")
    assert isinstance(ping, NopOut)
    assert (ping.cmd_sn, ping.immediate) == (command.cmd_sn, False)
    assert script.happened(Refused)[0].reject.reason == RejectReason.INVALID_PDU_FIELD


def test_a_command_whose_immediate_data_was_damaged_is_sent_once_more():
    script = logged_in()
    task = writing(0, b"data")
    (command,) = script.request(task)
    for repeated in (True, False):
        reject = Reject(reason=RejectReason.DATA_DIGEST_ERROR, data=header_of(command))
        reject.exp_cmd_sn, reject.max_cmd_sn = command.cmd_sn, command.cmd_sn + 7
        (answer,) = script.say(reject)
        assert answer.cmd_sn == command.cmd_sn
        assert isinstance(answer, ScsiCommand) is repeated
    assert task.lost == "rejected: data digest error"


def test_a_reject_of_data_leaves_the_command_to_its_status():
    script = logged_in(text=b"InitialR2T=No\0")
    task = writing(0, bytes(300_000))
    command, *outs = script.request(task)
    script.say(Reject(reason=RejectReason.DATA_DIGEST_ERROR, data=header_of(outs[0])))
    assert not task.over
    done(script, command.itt, status=2, data=b"\0\2no")
    assert (task.status, task.sense) == (2, b"no")


def test_a_reject_of_a_task_in_progress_leaves_it_alone():
    script = logged_in()
    task = reading(0, 4)
    (command,) = script.request(task)
    script.say(Reject(reason=RejectReason.TASK_IN_PROGRESS, data=header_of(command)))
    assert not task.over


def test_a_reject_without_a_header_ends_the_session():
    script = logged_in()
    script.say(Reject(reason=4, data=b"short"))
    assert script.connection.closed


def test_reasons_have_names():
    assert reason_name(2) == "data digest error"
    assert reason_name(0x55) == "0x55"
