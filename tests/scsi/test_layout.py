from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi.layout import Field, bits, layout, span

RECORD = layout(4, flag=bits(0, 7), code=bits(0, 4, 0), odd=Field(1, 3, 12), last=span(3))


def test_a_field_is_named_by_its_most_significant_bit() -> None:
    assert bits(2, 7, 6) == Field(2, 7, 2)
    assert bits(2, 3) == Field(2, 3, 1)
    assert span(3) == Field(3, 7, 8)
    assert span(6, 9) == Field(6, 7, 32)


def test_encoding_puts_each_value_in_its_place() -> None:
    assert RECORD.encode(flag=1, code=0x12, odd=0xABC, last=0xFF) == bytes.fromhex("920abcff")


def test_fields_that_are_not_given_are_zero() -> None:
    assert RECORD.encode(code=1) == bytes.fromhex("01000000")


def test_bytes_beyond_the_record_are_ignored() -> None:
    assert RECORD.decode(bytes.fromhex("920abcff deadbeef"))["last"] == 0xFF


def test_a_value_too_large_for_its_field_is_a_bug_of_ours() -> None:
    with pytest.raises(AssertionError, match="code has no room for 0x20"):
        RECORD.encode(code=0x20)


@given(st.fixed_dictionaries({n: st.integers(0, 2**f.width - 1) for n, f in RECORD.fields.items()}))
def test_every_record_decodes_back(values: dict[str, int]) -> None:
    assert RECORD.decode(RECORD.encode(**values)) == values


def test_a_mask_has_the_bits_of_its_fields() -> None:
    assert RECORD.mask("flag", "last") == 0x800000FF
