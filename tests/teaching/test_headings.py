from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from trioscsi.machines import MACHINES
from trioscsi.teaching.headings import headings, trail

SPECS = Path(__file__).parents[2] / "specs"


def test_the_headings_are_those_of_the_specification():
    table = tomllib.loads((SPECS / "sections.toml").read_text())
    assert headings() == table["rfc7143"]
    assert headings("3720") == table["rfc3720"]


def test_a_section_is_shown_with_those_that_it_is_in():
    assert trail("11.2.1.2") == [
        ("11", "iSCSI PDU Formats"),
        ("11.2", "PDU Template, Header, and Opcodes"),
        ("11.2.1", "Basic Header Segment (BHS)"),
        ("11.2.1.2", "Opcode"),
    ]
    assert trail("99.1") == []
    assert trail("") == []


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda machine: machine.name)
def test_the_section_of_every_machine_has_a_heading(machine):
    assert trail(machine.section)[-1][0] == machine.section


def test_an_rfc_that_nobody_knows_has_none():
    with pytest.raises(KeyError):
        headings("1")
