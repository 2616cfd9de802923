from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from trioscsi.pdu import CLASSES, LoginRequest, Pdu
from trioscsi.teaching.fields import places, title
from trioscsi.teaching.header import FORMATS, dot, marked, mermaid, svg
from trioscsi.teaching.header import text as draw

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


@EVERY
def test_an_svg_has_a_box_for_every_part_of_every_field(cls: type[Pdu]) -> None:
    tree = ET.fromstring(svg(cls))
    boxes = [each for each in tree.iter() if each.tag.endswith("}rect")]
    widths = sum(int(each.attrib["width"]) for each in boxes if each.get("class") != "page")
    assert widths == 12 * 32 * 26
    tips = " ".join(each.text or "" for each in tree.iter() if each.tag.endswith("}title"))
    for name, _ in places(cls):
        assert title(name) in tips


@EVERY
def test_a_packet_diagram_leaves_no_bit_out(cls: type[Pdu]) -> None:
    at = 0
    for first, last in re.findall(r"^(\d+)(?:-(\d+))?: ", mermaid(cls), re.MULTILINE):
        assert int(first) == at
        at = int(last or first) + 1
    assert at == 48 * 8


@EVERY
def test_a_table_of_graphviz_has_a_column_for_each_bit(cls: type[Pdu]) -> None:
    drawing = dot(cls)
    rows = re.findall(r"<tr><td>\d+</td>(.*)</tr>", drawing)
    assert len(rows) == 12
    assert {sum(map(int, re.findall(r'colspan="(\d+)"', row))) for row in rows} == {32}
    ET.fromstring(drawing[drawing.index("<table") : drawing.index(">]")])


def test_the_formats_are_those_that_can_show_a_layout() -> None:
    assert list(FORMATS) == ["text", "svg", "dot", "mermaid"]


def test_fields_are_marked_in_the_lines_that_hold_them() -> None:
    assert list(marked(LoginRequest, {"transit", "cid"})) == [
        "  0|.|I|  Opcode   |T|C|.. |CSG|NSG|  Version Max  |  Version Min  |",
        "                    ^",
        " 20|              CID              |           Reserved            |",
        "    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    ]
    assert list(marked(LoginRequest, ())) == []
