from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.playing import played
from trioscsi.conformance import Verdict
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.report import Report
from trioscsi.conformance.report.as_json import as_object
from trioscsi.conformance.report.compare import differences, parse
from trioscsi.conformance.report.expected import as_expected, counted, table
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.scenarios.quick import QUICK
from trioscsi.initiator.mutants import MUTANTS

MONITORS_OF_INITIATORS = Report("nobody").monitors
SPECS = Path(__file__).parents[3] / "specs"
FILES = sorted((SPECS / "initiators").glob("*.json"))
README = (SPECS / "initiators" / "README.md").read_text()
LOOKED_AT = {"MUST": Verdict.FAIL, "SHOULD": Verdict.WARN}
REQUIREMENTS = {
    row["id"]: row
    for row in tomllib.loads((SPECS / "requirements.toml").read_text())["requirements"]
}


def rows(word: str) -> list[list[str]]:
    """The table below the heading of the README that has this word."""
    _, _, text = next(part for part in _parts(README) if word in part[0])
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def _parts(text: str) -> Iterator[tuple[str, str, str]]:
    return (part.partition("\n") for part in text.split("\n## ")[1:])


@pytest.fixture(scope="module")
def report() -> Report:
    broken = MUTANTS["ping-tag"]
    return Report(
        "somebody",
        [
            played(SCENARIOS["LG-01"]),
            played(SCENARIOS["NP-01"], broken),
            Outcome(scenario=SCENARIOS["NP-02"], interrupted="nobody can"),
        ],
    )


def test_what_is_expected_is_all_verdicts_and_why_something_is_broken(report: Report):
    found = json.loads(as_expected(as_object(report)))
    assert found["initiator"] == {"name": "somebody"}
    assert found["results"] == [
        {"id": "LG-01", "verdict": "pass"},
        {
            "id": "NP-01",
            "verdict": "FAIL",
            "section": "11.18.2",
            "why": "the answer has the tag 0x8",
        },
        {"id": "NP-02", "verdict": "not-exercised"},
    ]
    assert len(found["monitors"]) == 44


def test_a_report_does_not_differ_from_what_it_lets_expect(report: Report):
    now = as_object(report)
    assert not list(differences(parse(as_expected(now)), now))


def test_numbers_that_are_others_each_time_are_left_out(report: Report):
    now = dict(as_object(report))
    whys = {
        "CmdSN 842795560 does not come again": "CmdSN N does not come again",
        "iqn.2025-12.local:one is not listed": "NAME is not listed",
        "MaxBurstLength=1 answers 0x12ab34 of 65536": "MaxBurstLength=1 answers N of N",
    }
    for why, steady in whys.items():
        now["results"] = [{"id": "X-1", "verdict": "FAIL", "section": "1", "why": why}]
        assert json.loads(as_expected(now))["results"][0]["why"] == steady


def test_initiators_stand_side_by_side(report: Report):
    found = json.loads(as_expected(as_object(report)))
    lines = list(table({"one": found, "two": found}))
    assert lines[0] == "| group | one | two |"
    assert "| NP | 1 FAIL, 1 not-exercised | 1 FAIL, 1 not-exercised |" in lines
    assert counted(found["results"]) == "1 pass, 1 FAIL, 1 not-exercised"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_expected_results_name_scenarios_and_monitors_that_there_are(file: Path):
    found = parse(file.read_text())
    names = [row["id"] for row in found["results"]]
    assert len(names) == len(set(names))
    assert set(names) <= set(SCENARIOS)
    assert [row["id"] for row in found["monitors"]] == list(MONITORS_OF_INITIATORS)
    for row in (*found["results"], *found["monitors"]):
        assert row["verdict"] in ("pass", "not-exercised", "inconclusive") or row["section"]


@pytest.mark.parametrize(("heading", "verdict"), LOOKED_AT.items())
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_breach_was_looked_at_and_none_that_is_not_there(
    file: Path, heading: str, verdict: Verdict
):
    found = parse(file.read_text())
    (name,) = [name for stem, name, *_ in rows("Whose") if stem == f"`{file.stem}`"]
    broken = [
        (row["id"], row["section"])
        for row in (*found["results"], *found["monitors"])
        if row["verdict"] == verdict
    ]
    listed = [
        (scenario, requirement.split("-")[1])
        for scenario, who, requirement, _ in rows(heading)
        if name in who.split(", ")
    ]
    assert sorted(listed) == sorted(broken)


@pytest.mark.parametrize("level", LOOKED_AT)
def test_what_was_looked_at_cites_requirements_of_initiators(level: str):
    for scenario, who, requirement, shows in rows(level):
        row = REQUIREMENTS[requirement]
        assert (row["level"], row["duty"] in ("initiator", "both")) == (level, True), scenario
        assert who
        assert shows


def test_the_counts_are_those_of_what_is_expected():
    reports = {file.stem: parse(file.read_text()) for file in FILES}
    order = [stem.strip("`") for stem, *_ in rows("Whose")]
    assert set(order) == set(reports)
    for line in table({stem: reports[stem] for stem in order}):
        assert line in README


def test_every_day_some_of_each_group_are_played():
    assert set(QUICK) <= set(SCENARIOS)
    assert {name[:2] for name in QUICK} == {scenario.group for scenario in SCENARIOS.values()}
