from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi import lun


@given(st.integers(0, lun.MAXIMUM))
def test_every_number_decodes_back(number: int) -> None:
    assert lun.decode(lun.encode(number)) == number


@pytest.mark.parametrize(
    ("number", "field"),
    [
        (0, 0x0000_0000_0000_0000),
        (1, 0x0001_0000_0000_0000),
        (255, 0x00FF_0000_0000_0000),
        (256, 0x4100_0000_0000_0000),
        (0x3FFF, 0x7FFF_0000_0000_0000),
    ],
)
def test_numbers_below_256_are_peripheral_and_others_flat(number: int, field: int) -> None:
    assert lun.encode(number) == field


@pytest.mark.parametrize("field", [2**64 - 1, 0xC0 << 56, 0xF1 << 56])
def test_some_fields_can_address_nothing(field: int) -> None:
    assert lun.is_impossible(field)
    assert lun.decode(field) is None


@pytest.mark.parametrize("field", [0, 1 << 48, 0x4100 << 48, 0x8001 << 48, 0xC101 << 48])
def test_others_might_address_a_unit_of_some_target(field: int) -> None:
    assert not lun.is_impossible(field)


def test_flat_addressing_is_understood_for_small_numbers_too() -> None:
    assert lun.decode(0x4001_0000_0000_0000) == 1


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(0x0100_0000_0000_0000, id="another bus"),
        pytest.param(0x8001_0000_0000_0000, id="logical unit addressing"),
        pytest.param(0xC101_0000_0000_0000, id="the well known REPORT LUNS"),
        pytest.param(0x0001_0002_0000_0000, id="a second level"),
        pytest.param(0x0001_0000_0000_0001, id="a fourth level"),
    ],
)
def test_what_we_never_hand_out_addresses_nothing(field: int) -> None:
    assert lun.decode(field) is None


@given(st.integers(0, 2**64 - 1))
def test_any_field_is_a_number_in_range_or_nothing(field: int) -> None:
    number = lun.decode(field)
    assert number is None or 0 <= number <= lun.MAXIMUM


@pytest.mark.parametrize("number", [0, 1, 255, 256, lun.MAXIMUM])
def test_all_fields_of_a_number_are_understood_as_it(number: int) -> None:
    fields = lun.fields(number)
    assert lun.encode(number) in fields
    assert {lun.decode(field) for field in fields} == {number}
