from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import AdditionalSense, FieldPointer, Sense, SenseKey
from trioscsi.scsi.complaints import invalid_field
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.sense import Progress
from trioscsi.teaching.commands import explain_cdb, explain_sense, marked, pointed_at, sense_key


def test_a_cdb_is_read_by_the_table_of_commands() -> None:
    found = explain_cdb(bytes.fromhex("28000000100000000800") + bytes(6))
    assert found.name == "READ(10)"
    fields = dict(found.fields)
    assert fields["logical block address"] == "4096 (0x1000)"
    assert fields["transfer length"] == "8"
    assert found.wrong == ()


@pytest.mark.parametrize("command", list(DISK), ids=lambda command: command.name)
def test_every_command_of_a_disk_is_known(command: object) -> None:
    (found,) = (each for each in DISK if each is command)
    values = {} if found.service_action is None else {"service_action": found.service_action}
    if "additional_cdb_length" in found.layout.record.fields:
        values["additional_cdb_length"] = found.layout.length - 8
    cdb = found.layout.record.encode(**values)
    assert explain_cdb(bytes([found.opcode]) + cdb[1:]).name == found.name


def test_what_is_wrong_with_a_cdb_is_told() -> None:
    assert explain_cdb(b"\xee").wrong == ("no command of a disk",)
    assert explain_cdb(b"").name == "operation code none"
    assert explain_cdb(b"\x28\0\0").wrong == ("the CDB ends after 3 of 10 bytes",)
    assert explain_cdb(b"\x00\x01" + bytes(14)).wrong == ("bit 0 of byte 1 is set and must not be",)


@pytest.mark.parametrize("descriptor", [False, True])
def test_sense_data_are_read_in_both_formats(descriptor: bool) -> None:
    sense = Sense(
        SenseKey.ILLEGAL_REQUEST,
        AdditionalSense.INVALID_FIELD_IN_CDB,
        information=77,
        specific=FieldPointer(2, 5),
        command_specific=3,
    )
    found = dict(explain_sense(sense.encode(descriptor=descriptor)))
    assert found["sense key"] == "5h ILLEGAL_REQUEST"
    assert found["additional sense code"] == "24h/00h INVALID_FIELD_IN_CDB"
    assert found["field pointer"] == "byte 2, bit 5 of the CDB"
    assert "information" in found
    assert "command-specific information" in found


def test_progress_is_a_part_of_a_hundred() -> None:
    found = dict(
        explain_sense(Sense(SenseKey.NOT_READY, 0x04EE, specific=Progress(32_768)).encode())
    )
    assert found["progress"] == "50.0 %"
    assert found["additional sense code"] == "04h/EEh"


def test_other_sense_data_are_shown_as_they_are() -> None:
    assert list(explain_sense(b"\x01\x02")) == [("sense data", "in no format that is known: 01 02")]


@given(st.binary(max_size=60))
def test_no_bytes_are_too_odd(data: bytes) -> None:
    explain_cdb(data)
    list(explain_sense(data))


@given(st.sampled_from([0x70, 0x71, 0x72, 0x73]), st.binary(max_size=60))
def test_no_sense_data_are_too_odd(code: int, data: bytes) -> None:
    assert dict(explain_sense(bytes([code]) + data))


READ = bytes.fromhex("28000000100000000800") + bytes(6)


@pytest.mark.parametrize("descriptor", [False, True])
@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        (FieldPointer(8), "transfer length, byte 8"),
        (FieldPointer(1, 3), "fua, byte 1"),
        (FieldPointer(1, 0), "byte 1"),
    ],
)
def test_sense_data_point_at_a_field(
    descriptor: bool, pointer: FieldPointer, expected: str
) -> None:
    sense = Sense(SenseKey.ILLEGAL_REQUEST, 0x2400, specific=pointer)
    assert pointed_at(READ, sense.encode(descriptor=descriptor)) == expected
    assert sense_key(sense.encode(descriptor=descriptor)) == SenseKey.ILLEGAL_REQUEST


def test_the_byte_that_sense_data_point_at_is_marked() -> None:
    assert list(marked(READ, invalid_field(8).encode())) == [
        "28 00 00 00 10 00 00 00 08 00",
        "                        ^^",
    ]
    assert list(marked(READ, b"")) == list(marked(b"\xee", invalid_field(0).encode())) == []
    assert list(marked(READ, invalid_field(77).encode())) == []


def test_sense_data_need_not_point_at_a_field() -> None:
    nothing = Sense(SenseKey.ILLEGAL_REQUEST, 0x2000).encode()
    assert pointed_at(READ, nothing) == ""
    assert pointed_at(b"\xee", invalid_field(2).encode()) == ""
    assert pointed_at(READ, b"") == ""
    assert sense_key(b"") == sense_key(b"abcd") == 0


@given(st.binary(max_size=20), st.binary(max_size=40))
def test_no_sense_data_are_too_odd_to_point(cdb: bytes, sense: bytes) -> None:
    assert isinstance(pointed_at(cdb, sense), str)
    assert 0 <= sense_key(sense) < 16
