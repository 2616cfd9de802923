from __future__ import annotations

import tomllib
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.pdu import (
    CLASSES,
    NO_TASK,
    DataIn,
    LoginRequest,
    LoginResponse,
    NopOut,
    Pdu,
    ScsiCommand,
    TaskFunction,
    TaskManagementRequest,
    TextRequest,
    encode,
)
from trioscsi.teaching.fields import explain, places, title_of

PDUS = tomllib.loads((Path(__file__).parents[2] / "specs" / "pdus.toml").read_text())
BY_NAME = {cls.__name__: cls for cls in CLASSES.values()}


def header(pdu: Pdu) -> bytes:
    return bytes(encode(pdu)[0])


def values(pdu: Pdu) -> dict[str, str]:
    return {part.name: part.value for part in explain(header(pdu)).parts}


@pytest.mark.parametrize("name", PDUS)
def test_every_field_of_the_specification_is_explained(name: str) -> None:
    explained = explain(header(BY_NAME[name]()))
    found = {part.name: part for part in explained.parts}
    for field in PDUS[name]["fields"]:
        part = found.pop(field["name"])
        assert part.meaning.startswith(field["meaning"])
        assert (part.place.byte, part.place.bit) == (field["byte"], field["bit"])
        assert part.section == PDUS[name]["section"]
    assert found.keys() == {"opcode", "total_ahs_length", "data_segment_length"}


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_what_we_send_has_nothing_wrong_with_it(cls: type[Pdu]) -> None:
    fixed = {"DataIn": {"has_status": False}, "TaskManagementRequest": {"function": 1}}
    explained = explain(header(cls(**fixed.get(cls.__name__, {}))))
    assert [wrong for wrong in explained.wrong if "Reason" not in wrong] == []
    assert explained.title == title_of(cls)


def test_values_read_as_what_they_are() -> None:
    found = values(LoginRequest(transit=True, csg=1, nsg=3, isid=b"\x80abcde", itt=7))
    assert found["csg"] == "0x01 LOGIN_OPERATIONAL_NEGOTIATION"
    assert found["isid"] == "80 61 62 63 64 65"
    assert found["itt"] == "0x00000007"
    assert found["opcode"] == "0x03 Login Request"
    assert values(ScsiCommand(lun=1 << 48))["lun"] == "0x0001000000000000 unit 1"
    assert values(NopOut())["ttt"] == "0xffffffff none"
    refused = values(LoginResponse(status_class=2, status_detail=1))
    assert refused["status_detail"] == "0x0201 AUTHENTICATION_FAILURE"


def wrong(data: bytes, segment: bytes = b"", missing: int = 0) -> str:
    return "; ".join(explain(data, segment, missing=missing).wrong)


def test_reserved_bits_and_values_are_wrong() -> None:
    data = bytearray(header(LoginRequest(csg=2)))
    data[47] = 0x80
    found = wrong(bytes(data))
    assert "reserved bits are set in byte 47: 0x80" in found
    assert "CSG has a reserved value (RFC 7143 section 11.12)" in found


def test_bits_that_are_to_be_one_are_missed() -> None:
    data = bytearray(header(NopOut()))
    data[1] = 0
    assert wrong(bytes(data)) == "1 at byte 1 is to be all ones (section 11.18)"


def test_a_status_that_is_not_there_may_have_any_value() -> None:
    assert not wrong(header(DataIn(has_status=False, status=0x55)))
    assert "Status has a reserved value" in wrong(header(DataIn(has_status=True, status=0x55)))


def test_what_contradicts_itself_is_wrong() -> None:
    assert "text that goes on" in wrong(header(TextRequest(final=True, continue_=True)))
    logout = bytes([0x06, 0x80]) + bytes(46)
    assert "a Logout Request has no data segment" in wrong(logout, b"abcd")
    assert "immediate data" in wrong(header(ScsiCommand(read=True)), b"abcd")


@pytest.mark.parametrize(
    ("request_", "section"),
    [
        (LoginRequest(), "11.12"),
        (TaskManagementRequest(function=TaskFunction.TASK_REASSIGN), "11.5.1"),
        (NopOut(itt=NO_TASK), "11.18.1"),
    ],
)
def test_what_has_to_be_immediate_is_wrong_without(request_: Pdu, section: str) -> None:
    complaint = f"it has to be immediate, and I is 0 (RFC 7143 section {section})"
    assert wrong(header(attrs.evolve(request_, immediate=False))) == complaint
    assert not wrong(header(attrs.evolve(request_, immediate=True)))


def test_what_is_missing_is_counted() -> None:
    data = header(ScsiCommand(cdb=bytes(32)))
    assert wrong(data[:20]) == "the header ends after 20 of 48 bytes"
    assert len(explain(data[:20]).parts) < len(explain(data).parts)
    assert wrong(data[:50]) == "18 bytes of additional header segments are missing"
    assert wrong(header(TextRequest()), missing=3) == "3 bytes of the data segment are missing"


def test_additional_header_segments_that_are_malformed_are_wrong() -> None:
    data = bytearray(header(ScsiCommand(cdb=bytes(32))))
    data[50] = 9
    assert "AHS type 9 is reserved (RFC 7143 section 11.2.2.1)" in wrong(bytes(data))


def test_an_unknown_opcode_is_told_with_the_fields_that_all_pdus_have() -> None:
    explained = explain(b"\x1f" + bytes(47))
    assert explained.title == "Opcode 0x1f"
    assert explained.wrong == ("no PDU has the opcode 0x1f (RFC 7143 section 11.2.1.2)",)
    assert [part.name for part in explained.parts] == [name for name, _ in places(None)]


@given(st.binary(max_size=80), st.binary(max_size=9), st.integers(0, 9))
def test_nothing_is_too_odd_to_be_explained(data: bytes, segment: bytes, missing: int) -> None:
    for part in explain(data, segment, missing=missing).parts:
        assert part.title
        assert part.value
        assert part.meaning
