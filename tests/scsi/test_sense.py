from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import AdditionalSense, FieldPointer, Sense, SenseKey
from trioscsi.scsi.complaints import out_of_range
from trioscsi.scsi.sense import FIXED, Forwarded, Overflow, Progress, RetryCount

specifics = st.one_of(
    st.none(),
    st.builds(FieldPointer, st.integers(0, 65_535), st.none() | st.integers(0, 7), st.booleans()),
    st.builds(Progress, st.integers(0, 65_535)),
    st.builds(RetryCount, st.integers(0, 65_535)),
    st.builds(Overflow),
)
senses = st.builds(
    Sense,
    st.sampled_from(SenseKey),
    st.sampled_from(AdditionalSense),
    st.none() | st.integers(0, 2**64 - 1),
    specifics,
    command_specific=st.none() | st.integers(0, 2**64 - 1),
    ili=st.booleans(),
    unit_code=st.integers(0, 255),
    deferred=st.booleans(),
)


def pointer_in(specific: bytes) -> FieldPointer:
    bit = specific[0] & 7 if specific[0] & 0x08 else None
    return FieldPointer(int.from_bytes(specific[1:3], "big"), bit, bool(specific[0] & 0x40))


def check_specific(specific: bytes, sense: Sense) -> None:
    number = int.from_bytes(specific[1:3], "big")
    match sense.specific:
        case None:
            assert specific == bytes(3)
        case FieldPointer():
            assert pointer_in(specific) == sense.specific == sense.field_pointer
        case Progress(done=value) | RetryCount(retries=value):
            assert (specific[0], number) == (0x80, value)
        case Overflow():
            assert specific == b"\x81\0\0"


@given(senses)
def test_fixed_sense_decodes_back_but_for_what_is_more_than_32_bits(sense: Sense) -> None:
    data = sense.encode()
    fields = FIXED.decode(data)
    assert len(data) == 18
    assert fields["response_code"] == (0x71 if sense.deferred else 0x70)
    assert fields["additional_sense_length"] == len(data) - 8
    assert fields["sense_key"] == sense.key
    assert fields["additional_sense"] == sense.code
    assert fields["ili"] == sense.ili
    assert fields["field_replaceable_unit_code"] == sense.unit_code
    fits = sense.information is not None and sense.information < 2**32
    assert (fields["information"] if fields["valid"] else None) == (
        sense.information if fits else None
    )
    fits = sense.command_specific is not None and sense.command_specific < 2**32
    assert fields["command_specific_information"] == (sense.command_specific if fits else 0)
    check_specific(data[15:18], sense)


@given(senses)
def test_descriptor_sense_decodes_back_whole(sense: Sense) -> None:
    data = sense.encode(descriptor=True)
    code = 0x73 if sense.deferred else 0x72
    assert data[:4] == bytes((code, sense.key, sense.asc, sense.ascq))
    assert data[7] == len(data) - 8
    found: dict[int, bytes] = {}
    rest = data[8:]
    while rest:
        kind, length = rest[:2]
        assert kind not in found
        found[kind] = rest[2 : 2 + length]
        rest = rest[2 + length :]
    assert {kind: len(content) for kind, content in found.items()} == {
        kind: length
        for kind, length, there in (
            (0x00, 0x0A, sense.information is not None),
            (0x01, 0x0A, sense.command_specific is not None),
            (0x02, 0x06, sense.specific is not None),
            (0x03, 0x02, bool(sense.unit_code)),
            (0x05, 0x02, sense.ili),
        )
        if there
    }
    assert found.get(0x00, b"\x80")[0] == 0x80
    for kind, value in ((0x00, sense.information), (0x01, sense.command_specific)):
        assert int.from_bytes(found.get(kind, b"")[2:], "big") == (value or 0)
    check_specific(found.get(0x02, bytes(6))[2:5], sense)
    assert found.get(0x03, bytes(2))[1] == sense.unit_code
    assert found.get(0x05, bytes(2))[1] == (0x20 if sense.ili else 0)


def test_what_a_copy_source_or_destination_said_is_forwarded() -> None:
    said = out_of_range(5)
    for destination, where in ((False, "12 00"), (True, "00 12")):
        sense = Sense(
            SenseKey.COPY_ABORTED,
            AdditionalSense.THIRD_PARTY_DEVICE_FAILURE,
            command_specific=7,
            forwarded=Forwarded(destination, 2, said),
        )
        fixed = sense.encode()
        assert fixed[7] == len(fixed) - 8
        assert fixed[8:12] == bytes.fromhex(where + "0007")
        assert fixed[18:] == b"\x02" + said.encode()
        data = sense.encode(descriptor=True)
        assert data[:8] == bytes.fromhex("72 0a 0d 01 000000 22")
        assert data[8:20] == bytes.fromhex("01 0a 0000 0000000000000007")
        assert data[20:] == bytes((0x0C, 0x14, 2 if destination else 1, 2)) + said.encode()


def test_a_status_is_forwarded_without_sense_data() -> None:
    sense = Sense(SenseKey.COPY_ABORTED, forwarded=Forwarded(False, 0x18))
    assert sense.encode()[7:] == bytes.fromhex("0b 12000000 0000 00 000000 18")
