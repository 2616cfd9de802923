from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import LogicalUnit, Refusal
from trioscsi.scsi.complaints import invalid_parameter
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.modes.page import choice, fixed, mode_page, mode_subpage, switch

PAGE = mode_page(
    0x20,
    "An Example",
    8,
    quiet=bits(2, 7),
    loud=switch(bits(2, 6)),
    pace=choice(bits(2, 5, 4), 0, 2, default=2),
    blocks=fixed(span(4, 5), lambda unit: unit.blocks),
    cached=switch(bits(6, 0), default=1, where=lambda unit: unit.write_cache),
)
SUBPAGE = mode_subpage(0x20, 0x02, "Another", 6, loud=switch(bits(4, 0)))


def body(**values: int) -> bytes:
    return PAGE.encode(values, saveable=False)


def test_defaults_may_differ_from_unit_to_unit(unit: LogicalUnit) -> None:
    expected = {"quiet": 0, "loud": 0, "pace": 2, "blocks": 1000, "cached": 1}
    assert PAGE.defaults(unit) == expected


def test_all_bits_of_what_can_be_changed_are_ones(unit: LogicalUnit) -> None:
    assert PAGE.changeable(unit) == {"loud": 1, "pace": 3, "cached": 1}
    unit.write_cache = False
    assert PAGE.changeable(unit) == {"loud": 1, "pace": 3}


def test_a_page_has_its_header(unit: LogicalUnit) -> None:
    page = PAGE.encode(PAGE.defaults(unit), saveable=False)
    assert page.hex(" ") == "20 06 20 00 03 e8 01 00"
    assert PAGE.encode({}, saveable=True)[0] == 0xA0
    assert SUBPAGE.encode({"loud": 1}, saveable=False).hex(" ") == "60 02 00 02 01 00"
    assert (PAGE.header, SUBPAGE.header) == (2, 4)


def test_a_change_is_of_the_fields_that_can_be_changed(unit: LogicalUnit) -> None:
    page = body(loud=1, pace=0, blocks=1000)
    assert PAGE.change(unit, PAGE.defaults(unit), page, 4) == {"loud": 1, "pace": 0, "cached": 0}


@pytest.mark.parametrize(
    ("page", "byte", "bit"),
    [
        pytest.param(body(quiet=1, blocks=1000), 2, 7, id="a field that is fixed"),
        pytest.param(body(pace=1, blocks=1000), 2, 5, id="a value that is not taken"),
        pytest.param(body(pace=3, blocks=1), 2, 5, id="the first of two"),
        pytest.param(body(blocks=999), 4, 7, id="a number that is fixed"),
        pytest.param(b"\x20\x06\x00\x00\x03\xe8\x01\x10", 7, 4, id="a reserved bit"),
        pytest.param(b"\x20\x06\x01\x00\x03\xe8\x01\x10", 2, 0, id="the first reserved bit"),
    ],
)
def test_what_cannot_be_is_pointed_at(unit: LogicalUnit, page: bytes, byte: int, bit: int) -> None:
    with pytest.raises(Refusal) as refusal:
        PAGE.change(unit, PAGE.defaults(unit), page, 100)
    assert refusal.value.plan.sense == invalid_parameter(100 + byte, bit)


@given(st.binary(min_size=8, max_size=8))
def test_whatever_is_asked_for_only_values_that_are_taken_come_of_it(page: bytes) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1000)
    try:
        changes = PAGE.change(unit, PAGE.defaults(unit), page, 0)
    except Refusal as refusal:
        pointer = refusal.plan.sense.field_pointer
        assert pointer is not None
        assert 2 <= pointer.byte < 8
    else:
        assert all(value in PAGE.settings[name].takes for name, value in changes.items())
