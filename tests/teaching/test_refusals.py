from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.pdu import (
    CLASSES,
    LoginRequest,
    LoginResponse,
    LoginStatus,
    LogoutRequest,
    LogoutResponse,
    NopOut,
    Pdu,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    TaskManagementRequest,
    TaskManagementResponse,
    encode,
)
from trioscsi.pdu.sense import join
from trioscsi.scsi import AdditionalSense, Sense, SenseKey
from trioscsi.scsi.complaints import invalid_field
from trioscsi.teaching.broken_rules import LOGIN
from trioscsi.teaching.fields import explain
from trioscsi.teaching.refusals import Refused, lines, refusal
from trioscsi.teaching.splitting import Cut

WHO = "anna at 192.0.2.1:5"
READ = bytes.fromhex("28000000100000000800") + bytes(6)


def cut(pdu: Pdu) -> Cut:
    header, *_ = encode(pdu)
    return Cut(bytes(header), bytes(pdu.data), len(pdu.data))


def refused(answer: Pdu, request: Pdu | None = None, **known: object) -> Refused | None:
    found = cut(answer)
    return refusal(
        explain(found.header, found.data),
        found,
        request=None if request is None else cut(request),
        **known,  # type: ignore[arg-type]
    )


def told(answer: Pdu, request: Pdu | None = None, **known: object) -> str:
    found = refused(answer, request, **known)
    assert found is not None
    return "\n".join(lines(found, WHO, "do this"))


@pytest.mark.parametrize(
    "answer",
    [
        LoginResponse(),
        TaskManagementResponse(),
        TaskManagementResponse(response=7),
        ScsiResponse(),
        ScsiResponse(status=4),
        ScsiResponse(status=2, data=join(Sense(SenseKey.UNIT_ATTENTION, 0x2900).encode())),
        ScsiResponse(status=2, data=join(Sense(SenseKey.RECOVERED_ERROR, 0x1700).encode())),
        LogoutResponse(),
    ],
    ids=repr,
)
def test_what_refuses_nothing_is_none(answer: Pdu) -> None:
    assert refused(answer) is None


def test_a_login_that_is_refused_is_told_with_fields_and_reason() -> None:
    text = told(
        LoginResponse(status_class=2),
        LoginRequest(transit=True, continue_=True, csg=1, nsg=3),
        because="a Login Request with both T and C",
        section="11.12.2",
    )
    assert text.splitlines() == [
        f"refused: {WHO}: Login Request, stage 1 to 3: a Login Request with both T and C",
        "  answer  Login Response, INITIATOR_ERROR",
        f"  rule    {LOGIN[LoginStatus.INITIATOR_ERROR].says} (RFC 7143 section 11.12.2)",
        "  wrong   text that goes on cannot end a step (RFC 7143 section 11.12)",
        "  field   Transit = 1: The initiator is ready for the next stage.",
        "  field   Continue = 1: The text goes on in the next request.",
        "            0|.|I|  Opcode   |T|C|.. |CSG|NSG|  Version Max  |  Version Min  |",
        "                              ^ ^",
        "  advice  do this",
    ]


def test_keys_that_a_refusal_is_about_are_told() -> None:
    keys = {"TargetName": "iqn.a:b", "InitiatorName": "iqn.a:c", "MaxBurstLength": "511"}
    text = told(LoginResponse(status_class=2, status_detail=3), LoginRequest(), keys=keys)
    assert "key     TargetName=iqn.a:b (declared, no answer; RFC 7143 section 13.4)" in text
    assert "InitiatorName" not in text
    because = "MaxBurstLength=511 is below 512"
    text = told(LoginResponse(status_class=2), LoginRequest(), keys=keys, because=because)
    assert "key     MaxBurstLength=511 (the smaller one; RFC 7143 section 13.13)" in text


def test_what_could_give_secrets_away_is_not_told() -> None:
    keys = {"CHAP_N": "anna", "CHAP_R": "0x1234abcd"}
    text = told(LoginResponse(status_class=2, status_detail=1), LoginRequest(), keys=keys)
    assert "CHAP_N=anna" in text
    assert "CHAP_R=<10 characters>" in text
    assert "1234abcd" not in text


def test_a_reject_has_what_it_refuses_with_it() -> None:
    header, *_ = encode(LogoutRequest(reason=77, itt=5))
    text = told(Reject(reason=RejectReason.INVALID_PDU_FIELD, data=bytes(header)))
    assert "Logout Request, reason 0x4d: a field with a value that makes no sense" in text
    assert "wrong   Reason has a reserved value (RFC 7143 section 11.14)" in text
    assert "field   Reason = 0x4d reserved" in text
    assert "^^^^" in text


def test_a_tag_that_was_taken_is_drawn() -> None:
    header, *_ = encode(NopOut(itt=5))
    text = told(Reject(reason=RejectReason.TASK_IN_PROGRESS, data=bytes(header)))
    assert "field   Initiator Task Tag = 0x00000005" in text
    assert "           16|                      Initiator Task Tag  " in text


def test_task_management_that_fails_is_told() -> None:
    text = told(TaskManagementResponse(response=1), TaskManagementRequest(function=1, itt=2))
    assert "Task Management Request, ABORT_TASK: there is no such task" in text
    assert "field   Referenced Task Tag = 0xffffffff none" in text
    assert "advice  mostly nothing" in text


def test_a_status_other_than_check_condition_is_told() -> None:
    text = told(ScsiResponse(status=0x18), ScsiCommand(cdb=READ))
    assert "SCSI Command, READ(10): reservation conflict" in text
    assert "sg_persist" in text
    assert "status 0x77" in told(ScsiResponse(status=0x77))


@pytest.mark.parametrize("descriptor", [False, True])
def test_sense_data_point_at_the_field_of_the_cdb(descriptor: bool) -> None:
    sense = invalid_field(8).encode(descriptor=descriptor)
    text = told(ScsiResponse(status=2, data=join(sense)), ScsiCommand(cdb=READ, itt=9))
    assert "SCSI Command, READ(10): invalid field in cdb" in text
    assert "sense   additional sense code: 24h/00h INVALID_FIELD_IN_CDB" in text
    assert "sense   in the CDB: transfer length, byte 8" in text
    assert "sense   28 00 00 00 10 00 00 00 08 00\n  sense " in text
    assert text.count("^^\n") >= 1
    assert "cdb     READ(10): " in text
    assert "logical block address 4096 (0x1000)" in text


def test_sense_data_without_a_command_are_told() -> None:
    sense = Sense(SenseKey.DATA_PROTECT, AdditionalSense.WRITE_PROTECTED).encode()
    text = told(ScsiResponse(status=2, data=join(sense)))
    assert "refused: anna at 192.0.2.1:5: write protected" in text
    assert "read-only" in text


def test_codes_that_nobody_knows_are_told_as_such() -> None:
    for answer in (
        LoginResponse(status_class=9, status_detail=9),
        TaskManagementResponse(response=99),
        Reject(reason=99),
    ):
        assert "a code that no RFC knows" in told(answer)


@given(
    st.sampled_from(sorted(CLASSES)),
    st.binary(min_size=48, max_size=48),
    st.binary(max_size=60),
    st.none() | st.binary(min_size=48, max_size=60),
    st.text(max_size=30),
)
def test_no_answer_is_too_odd(
    opcode: int, header: bytes, data: bytes, request: bytes | None, because: str
) -> None:
    header = bytes([opcode]) + header[1:]
    found = refusal(
        explain(header, data),
        Cut(header, data, len(data)),
        request=None if request is None else Cut(request[:48], request[48:], 0),
        keys={because: because, "TargetName": because},
        because=because,
    )
    if found is not None:
        assert all(lines(found, "somebody"))


def test_the_code_is_kept_for_who_wants_to_give_advice() -> None:
    found = refused(LoginResponse(status_class=2, status_detail=2))
    assert found is not None
    assert found.code is LoginStatus.AUTHORIZATION_FAILURE
