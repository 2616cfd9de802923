from __future__ import annotations

import tomllib
from pathlib import Path

import attrs
import pytest

from trioscsi.pdu import CLASSES, AhsType, from_initiator

PDUS = tomllib.loads((Path(__file__).parents[2] / "specs" / "pdus.toml").read_text())
BY_NAME = {cls.__name__: cls for cls in CLASSES.values()}


def test_the_classes_are_those_of_the_specification():
    assert BY_NAME.keys() == PDUS.keys()


@pytest.mark.parametrize("name", PDUS)
def test_opcode_sender_and_section_agree(name):
    row, cls = PDUS[name], BY_NAME[name]
    assert (cls.opcode, cls.section) == (row["opcode"], row["section"])
    assert ("initiator" if from_initiator(cls.opcode) else "target") == row["sender"]


@pytest.mark.parametrize("name", PDUS)
def test_the_fields_are_where_the_specification_has_them(name):
    specified = [
        (row["name"], row["byte"], row["bit"], row["width"], row.get("ones", False))
        for row in PDUS[name]["fields"]
    ]
    declared = [
        (field.name, place.byte, place.bit, place.width, place.ones)
        for field in BY_NAME[name].fields
        for place in [field.place]
    ]
    assert declared == specified


@pytest.mark.parametrize("name", PDUS)
def test_no_attribute_is_missing_from_the_specification(name):
    row = PDUS[name]
    specified = {field["name"] for field in row["fields"] if not field.get("ones")}
    specified |= {segment["name"] for segment in row.get("ahs", [])}
    if "data" in row:
        specified.add("data")
    assert {attribute.name for attribute in attrs.fields(BY_NAME[name])} == specified


@pytest.mark.parametrize("name", PDUS)
def test_data_segments_are_where_the_specification_has_them(name):
    assert bool(BY_NAME[name].data_segment) == ("data" in PDUS[name])


def test_additional_header_segments_have_the_specified_types():
    types = {segment["type"] for row in PDUS.values() for segment in row.get("ahs", [])}
    assert types == set(AhsType)


@pytest.mark.parametrize("name", PDUS)
def test_every_field_has_its_sentence(name):
    row = PDUS[name]
    for field in [*row["fields"], *row.get("ahs", [])]:
        assert field["meaning"][0].isupper() or field["meaning"].startswith("The ")
        assert field["meaning"].endswith((".", "?"))
