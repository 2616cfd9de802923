from __future__ import annotations

import pytest

from trioscsi.pdu import (
    CLASSES,
    AsyncMessage,
    DataIn,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    NopOut,
    Pdu,
    ReadyToTransfer,
    Reject,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    TaskManagementRequest,
    TaskManagementResponse,
    encode,
)
from trioscsi.pdu.sense import join
from trioscsi.scsi.complaints import invalid_field
from trioscsi.teaching.fields import explain, title_of
from trioscsi.teaching.splitting import Cut
from trioscsi.teaching.summary import headline, numbers, summary


def told(pdu: Pdu) -> tuple[str, list[str], str]:
    header, *_ = encode(pdu)
    data = bytes(pdu.data)
    cut = Cut(bytes(header), data, len(data))
    explained = explain(cut.header, data)
    return headline(explained, cut), numbers(explained, cut), summary(explained, cut)


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_every_pdu_is_named(cls: type[Pdu]) -> None:
    assert told(cls())[0].startswith(title_of(cls))


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        (LoginRequest(csg=1, nsg=3, transit=True), "Login Request, stage 1 to 3"),
        (LoginRequest(csg=1), "Login Request, stage 1"),
        (LoginResponse(), "Login Response, SUCCESS"),
        (LoginResponse(status_class=9), "Login Response, status 0x0900"),
        (ScsiCommand(cdb=b"\x2a" + bytes(15)), "SCSI Command, WRITE(10)"),
        (ScsiCommand(cdb=b"\xff" + bytes(15)), "SCSI Command, CDB FFh"),
        (DataIn(has_status=True), "SCSI Data-In, GOOD"),
        (DataIn(), "SCSI Data-In"),
        (ScsiResponse(status=0x77), "SCSI Response, status 0x77"),
        (
            ReadyToTransfer(buffer_offset=512, desired_data_transfer_length=1024),
            "Ready To Transfer, 1024 bytes wanted from 512",
        ),
        (TaskManagementRequest(function=1), "Task Management Request, ABORT_TASK"),
        (TaskManagementRequest(function=77), "Task Management Request, function 0x4d"),
        (TaskManagementResponse(), "Task Management Response, COMPLETE"),
        (TaskManagementResponse(response=77), "Task Management Response, response 0x4d"),
        (LogoutRequest(reason=1), "Logout Request, CLOSE_CONNECTION"),
        (LogoutResponse(response=1), "Logout Response, CID_NOT_FOUND"),
        (AsyncMessage(async_event=1), "Async Message, LOGOUT_REQUEST"),
        (AsyncMessage(async_event=99), "Async Message, async event 0x63"),
        (SnackRequest(type=1), "SNACK Request, STATUS"),
        (Reject(reason=4), "Reject, PROTOCOL_ERROR"),
        (Reject(reason=0x77), "Reject, reason 0x77"),
    ],
)
def test_what_matters_most_comes_first(pdu: Pdu, expected: str) -> None:
    assert told(pdu)[0] == expected


def test_sense_is_told_with_its_status() -> None:
    pdu = ScsiResponse(status=2, data=join(invalid_field(2).encode()))
    expected = "SCSI Response, CHECK_CONDITION, 5h ILLEGAL_REQUEST 24h/00h INVALID_FIELD_IN_CDB"
    assert told(pdu)[0] == expected


def test_numbers_come_with_their_names() -> None:
    pdu = NopOut(itt=1, cmd_sn=2, exp_stat_sn=3, data=b"abc")
    said = ["ITT 0x00000001", "CmdSN 2", "ExpStatSN 3", "3 bytes"]
    assert told(pdu) == ("NOP-Out", said, ", ".join(["NOP-Out", *said]))


def test_data_without_a_status_have_no_stat_sn() -> None:
    assert "StatSN 5" in told(DataIn(has_status=True, stat_sn=5))[1]
    assert "StatSN 0" not in told(DataIn())[1]


def test_what_is_no_pdu_has_no_more_than_its_opcode() -> None:
    cut = Cut(b"\x1f" + bytes(47), b"", 0)
    explained = explain(cut.header)
    assert (summary(explained, cut), numbers(explained, cut)) == ("Opcode 0x1f", [])
