from __future__ import annotations

import pytest

from trioscsi.pdu import CLASSES, LoginRequest, Pdu
from trioscsi.teaching.fields import places, title
from trioscsi.teaching.header import draw

EVERY = pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)


@EVERY
def test_a_header_is_twelve_lines_of_four_bytes(cls: type[Pdu]) -> None:
    lines = draw(cls).splitlines()
    assert len(lines) == 3 + 2 * 12
    assert {len(line) for line in lines[2:]} == {3 + 65}
    assert [int(line[:3]) for line in lines[3::2]] == list(range(0, 48, 4))


@EVERY
def test_every_wide_field_is_in_it_by_its_name(cls: type[Pdu]) -> None:
    drawing = draw(cls)
    for name, place in places(cls):
        if place.width >= 16:
            assert title(name)[: place.width * 2 - 1] in drawing


@EVERY
def test_boxes_end_where_fields_end(cls: type[Pdu]) -> None:
    lines = draw(cls).splitlines()[3::2]
    for _, place in places(cls):
        end = place.first + place.width
        assert lines[(end - 1) // 32][3 + ((end - 1) % 32 + 1) * 2] == "|"


def test_flags_are_letters() -> None:
    assert "|.|I|  Opcode   |T|C|.. |CSG|NSG|" in draw(LoginRequest)
