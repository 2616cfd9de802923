"""The package is as its docstring says: no part knows one that comes later there."""

from __future__ import annotations

from pathlib import Path

import pytest

import trioscsi.conformance
from tests.test_layers import imports

ROOT = Path(trioscsi.conformance.__file__).parent
PARTS = [
    {"stream"},
    {"verdicts"},
    {"dialogue", "record", "notes"},
    {"monitors", "judge", "recorded"},
    {"bench", "drivers"},
    {"scenarios"},
    {"report"},
    {"__init__"},
]
LEVEL = {part: level for level, parts in enumerate(PARTS) for part in parts}
MODULES = sorted(ROOT.rglob("*.py"))
SELFTEST = ROOT / "bench" / "selftest.py"
"""It plays the whole catalogue, so that it stands above what it is about."""


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def level_of(part: str) -> int:
    """Where it stands; above all others if nobody has said so."""
    return LEVEL.get(part, len(PARTS))


def own_imports(path: Path) -> set[str]:
    """The parts of this package that a module imports from."""
    found = (name.split(".") for name in imports(path))
    return {words[2] for words in found if words[:2] == ["trioscsi", "conformance"]}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_part_knows_what_comes_after_it(path: Path):
    known = own_imports(path) - ({"scenarios"} if path == SELFTEST else set())
    assert all(level_of(part) <= level_of(part_of(path)) for part in known), known


def test_all_parts_are_on_the_map():
    assert trioscsi.conformance.__doc__
    for part in LEVEL.keys() - {"__init__"}:
        assert f"``{part}``" in trioscsi.conformance.__doc__


def test_public_names_are_there():
    assert all(hasattr(trioscsi.conformance, name) for name in trioscsi.conformance.__all__)
