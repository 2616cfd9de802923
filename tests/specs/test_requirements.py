"""The requirements, the monitors that judge by them, and the tests that point to them.

How many of them are covered is counted from the tests and printed at the end of a run.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.specs.covered import ROOT, covering, pointing
from trioscsi.conformance import Level, Rule
from trioscsi.conformance.coverage import judged
from trioscsi.conformance.monitors import (
    MONITORS,
    data,
    keys,
    login,
    numbering,
    requests,
    shape,
    target,
    transfer,
)
from trioscsi.text import Side

ROWS = tomllib.loads((ROOT / "specs" / "requirements.toml").read_text())["requirements"]
BY_ID = {row["id"]: row for row in ROWS}
SECTIONS = tomllib.loads((ROOT / "specs" / "sections.toml").read_text())
LEVELS = {"MUST": Level.MUST, "SHOULD": Level.SHOULD, "NOTE": Level.NOTE}
MODULES = (data, keys, login, numbering, requests, shape, target, transfer)
RULES = [rule for module in MODULES for rule in vars(module).values() if isinstance(rule, Rule)]
TESTS = covering()


def test_every_row_has_an_id_of_its_own():
    assert len(BY_ID) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_row_is_whole(row):
    rfc, section, number = row["id"].split("-")
    assert row["section"] == section
    assert section in SECTIONS[f"rfc{rfc}"]
    assert int(number) > 0
    assert row["level"] in LEVELS
    assert row["duty"] in {"initiator", "target", "both"}
    assert row["says"][0].isupper()
    assert row["says"].endswith(".")
    assert row["state"] in {"held", "open", "later", "not ours"}
    assert ("why" in row) == (row["state"] != "held")


def test_numbers_within_a_section_are_without_gap():
    sections = {row["id"].rpartition("-")[0] for row in ROWS}
    for section in sections:
        ids = [row["id"].rpartition("-") for row in ROWS]
        numbers = [int(number) for within, _, number in ids if within == section]
        assert numbers == list(range(1, len(numbers) + 1)), section


def test_a_test_points_to_rows_that_exist():
    assert TESTS.keys() <= BY_ID.keys()


def test_what_is_held_has_a_test_and_what_is_open_has_none():
    held = {row["id"] for row in ROWS if row["state"] == "held"}
    assert held == TESTS.keys()


def test_the_judge_goes_by_rows_that_exist_with_their_level():
    assert not {rule.id for rule in RULES} - BY_ID.keys()
    for rule in RULES:
        assert rule.level is LEVELS[BY_ID[rule.id]["level"]], rule.id


def test_scenarios_and_monitors_judge_by_rows_that_exist():
    assert judged().keys() <= BY_ID.keys()


def test_there_are_44_monitors_of_initiators():
    assert [f"M-{number:02}" for number in range(1, 45)] == sorted(
        monitor.id for monitor in MONITORS.values() if monitor.sender is Side.INITIATOR
    )


def test_monitors_of_each_side_judge_by_the_duties_of_that_side():
    of_target = {rule.id for rule in vars(target).values() if isinstance(rule, Rule)}
    of_target |= {rule.id for rule in vars(transfer).values() if isinstance(rule, Rule)}
    assert all(BY_ID[id_]["duty"] in {"target", "both"} for id_ in of_target)
    for module in (data, login, numbering, requests):
        for rule in vars(module).values():
            if isinstance(rule, Rule):
                assert BY_ID[rule.id]["duty"] in {"initiator", "both"}, rule.id


def test_pointing_tests_are_found_as_they_are_written(tmp_path: Path):
    (tmp_path / "test_it.py").write_text(
        '@requirement("7143-1-1")\n'
        '@requirement("7143-C-1")\n'
        'def test_one(): other("7143-1-3")\n'
        '@fault("M-01", "7143-1-2", Verdict.WARN)\n'
        "def two(): ...\n"
    )
    found = pointing(tmp_path)
    assert found == {row: {"test_it.py"} for row in ("7143-1-1", "7143-C-1", "7143-1-2")}
