from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import AdditionalSense, FieldPointer, Sense, SenseKey
from trioscsi.scsi import sense as sense_data
from trioscsi.scsi.sense import FIXED

senses = st.builds(
    Sense,
    st.sampled_from(SenseKey),
    st.sampled_from(AdditionalSense),
    st.none() | st.integers(0, 2**64 - 1),
    st.none()
    | st.builds(FieldPointer, st.integers(0, 65_535), st.none() | st.integers(0, 7), st.booleans()),
)


def pointer_in(specific: bytes) -> FieldPointer | None:
    if not specific[0] & 0x80:
        return None
    bit = specific[0] & 7 if specific[0] & 0x08 else None
    return FieldPointer(int.from_bytes(specific[1:3], "big"), bit, bool(specific[0] & 0x40))


@given(senses)
def test_fixed_sense_decodes_back_but_for_information_of_more_than_32_bits(sense: Sense) -> None:
    data = sense.encode()
    fields = FIXED.decode(data)
    assert len(data) == 18
    assert fields["response_code"] == 0x70
    assert fields["additional_sense_length"] == len(data) - 8
    assert fields["sense_key"] == sense.key
    assert fields["additional_sense"] == sense.code
    fits = sense.information is not None and sense.information < 2**32
    assert (fields["information"] if fields["valid"] else None) == (
        sense.information if fits else None
    )
    assert pointer_in(data[15:18]) == sense.field_pointer


@given(senses)
def test_descriptor_sense_decodes_back_whole(sense: Sense) -> None:
    data = sense.encode(descriptor=True)
    assert data[:4] == bytes((0x72, sense.key, sense.asc, sense.ascq))
    assert data[7] == len(data) - 8
    information, pointer, rest = None, None, data[8:]
    while rest:
        kind, length = rest[:2]
        if kind == 0x00:
            assert (length, rest[2]) == (0x0A, 0x80)
            information = int.from_bytes(rest[4:12], "big")
        else:
            assert (kind, length) == (0x02, 0x06)
            pointer = pointer_in(rest[4:7])
        rest = rest[2 + length :]
    assert (information, pointer) == (sense.information, sense.field_pointer)


def test_an_invalid_field_is_encoded_as_the_standard_draws_it() -> None:
    data = sense_data.invalid_field(1, 7).encode()
    assert data.hex(" ") == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cf 00 01"


def test_a_field_of_a_parameter_list_is_not_one_of_the_cdb() -> None:
    data = sense_data.invalid_parameter(4).encode()
    assert data.hex(" ") == "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 04"


@pytest.mark.parametrize(
    ("sense", "key", "code", "information"),
    [
        (sense_data.out_of_range(8), SenseKey.ILLEGAL_REQUEST, 0x2100, 8),
        (sense_data.unrecovered_read(8), SenseKey.MEDIUM_ERROR, 0x1100, 8),
        (sense_data.write_error(8), SenseKey.MEDIUM_ERROR, 0x0C00, 8),
        (sense_data.write_error(), SenseKey.MEDIUM_ERROR, 0x0C00, None),
        (sense_data.miscompare(8), SenseKey.MISCOMPARE, 0x1D00, 8),
        (
            sense_data.unit_attention(AdditionalSense.CAPACITY_DATA_HAS_CHANGED),
            SenseKey.UNIT_ATTENTION,
            0x2A09,
            None,
        ),
    ],
)
def test_each_complaint_has_its_key_and_code(
    sense: Sense, key: SenseKey, code: int, information: int | None
) -> None:
    assert sense == Sense(key, code, information)
    assert (sense.asc, sense.ascq) == divmod(code, 256)
