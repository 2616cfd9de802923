"""Strategies for PDUs, made from the specification rather than from the code."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from trioscsi import pdu
from trioscsi.pdu import Pdu

SPECIFICATION = Path(__file__).parents[2] / "specs" / "pdus.toml"
BYTE_STRINGS = {"isid", "cdb"}


def values(field: dict[str, Any]) -> st.SearchStrategy[Any]:
    width = field["width"]
    if width == 1:
        return st.booleans()
    if field["name"] in BYTE_STRINGS:
        return st.binary(min_size=width // 8, max_size=width // 8)
    return st.integers(0, 2**width - 1)


def pdus_of(name: str, row: dict[str, Any]) -> st.SearchStrategy[Pdu]:
    chosen = {f["name"]: values(f) for f in row["fields"] if not f.get("ones")}
    if "data" in row:
        chosen["data"] = st.binary(max_size=70)
    if "ahs" in row:
        chosen["cdb"] = st.binary(min_size=16, max_size=40)
        chosen["bidirectional_read_length"] = st.none() | st.integers(0, 2**32 - 1)
    return st.builds(getattr(pdu, name), **chosen)


@pytest.fixture(scope="session")
def pdus() -> st.SearchStrategy[Pdu]:
    """Every kind of PDU, with any values in its fields."""
    rows = tomllib.loads(SPECIFICATION.read_text())
    return st.one_of([pdus_of(name, row) for name, row in rows.items()])
