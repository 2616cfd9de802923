from __future__ import annotations

import enum
import tomllib
from pathlib import Path

import pytest

from trioscsi.pdu import codes

TABLES = tomllib.loads((Path(__file__).parents[2] / "specs" / "codes.toml").read_text())
ENUMS = {
    name: value
    for name, value in vars(codes).items()
    if isinstance(value, type) and issubclass(value, enum.IntEnum)
}


def test_the_enumerations_are_those_of_the_specification():
    # Opcodes are specified with their PDUs, in pdus.toml.
    assert ENUMS.keys() - {"Opcode"} == TABLES.keys()


@pytest.mark.parametrize("name", TABLES)
def test_the_codes_agree(name):
    specified = {row["name"]: row["code"] for row in TABLES[name]["codes"]}
    assert {code.name: code.value for code in ENUMS[name]} == specified


@pytest.mark.parametrize("name", TABLES)
def test_the_docstring_cites_the_specified_sections(name):
    documentation = ENUMS[name].__doc__
    assert f"RFC 7143 section {TABLES[name]['section']}" in documentation
    for added in {row["added"] for row in TABLES[name]["codes"] if "added" in row}:
        assert f"RFC 7144 section {added}" in documentation


@pytest.mark.parametrize("name", TABLES)
def test_every_code_has_its_sentence(name):
    assert all(row["meaning"].endswith((".", "?")) for row in TABLES[name]["codes"])
