from __future__ import annotations

import tomllib
from pathlib import Path

from trioscsi.teaching.meanings import CODES, FIELDS

SPECS = Path(__file__).parents[2] / "specs"
PDUS = tomllib.loads((SPECS / "pdus.toml").read_text())
TABLES = tomllib.loads((SPECS / "codes.toml").read_text())


def test_every_field_of_every_pdu_has_the_meaning_that_the_specification_gives_it() -> None:
    specified = {}
    for name, row in PDUS.items():
        fields = {field["name"]: field["meaning"] for field in row["fields"]}
        fields |= {f"{each['name']}_ahs": each["meaning"] for each in row.get("ahs", [])}
        if "data" in row:
            fields["data"] = f"{row['data'][0].upper()}{row['data'][1:]}."
        specified[name] = fields
    assert specified == FIELDS


def test_every_code_has_the_meaning_that_the_specification_gives_it() -> None:
    specified = {
        name: {code["name"]: code["meaning"] for code in table["codes"]}
        for name, table in TABLES.items()
    }
    assert specified == CODES
