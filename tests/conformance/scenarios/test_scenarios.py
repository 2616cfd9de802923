from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from tests.conformance.playing import played
from trioscsi.conformance import Level, Rule, Verdict
from trioscsi.conformance.bench.selftest import Trial
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.initiator.mutants import MUTANTS

SPECS = Path(__file__).parents[3] / "specs"
REQUIREMENTS, DEVIATIONS = SPECS / "requirements.toml", SPECS / "deviations.md"

BEYOND_US = {
    "NG-17": "our initiator knows neither KRB5 nor SRP, whose items are the long ones",
}
"""Scenarios that our own initiator cannot play, and why."""

PAIRS = [
    pytest.param(scenario.id, mutant, id=f"{scenario.id} {mutant}")
    for scenario in SCENARIOS.values()
    for mutant in scenario.mutants
]


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in BEYOND_US])
def test_our_own_initiator_passes(name: str):
    outcome = played(SCENARIOS[name])
    assert outcome.verdict is Verdict.PASS, (outcome.says, outcome.ending)
    assert not outcome.own, "the target breaks rules that the scenario does not account for"


@pytest.mark.parametrize("name", BEYOND_US)
def test_what_our_own_initiator_cannot_play_is_no_pass(name: str):
    assert played(SCENARIOS[name]).verdict is Verdict.NOT_EXERCISED


@pytest.mark.parametrize(("name", "mutant"), PAIRS)
def test_an_initiator_with_the_fault_does_not_pass(name: str, mutant: str):
    trial = Trial.of(mutant, played(SCENARIOS[name], MUTANTS[mutant]))
    assert trial.caught, (trial.verdict, trial.says)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if SCENARIOS[name].also])
def test_what_else_a_scenario_judges_is_broken_too(name: str):
    scenario = SCENARIOS[name]
    outcomes = [played(scenario, MUTANTS[mutant]) for mutant in scenario.mutants]
    broken = {each.remark.rule for outcome in outcomes for each in outcome.breaches}
    assert broken >= set(scenario.also)


def test_scenarios_cite_requirements_of_the_specification():
    rows = {row["id"]: row for row in tomllib.loads(REQUIREMENTS.read_text())["requirements"]}
    for scenario in SCENARIOS.values():
        assert rows[scenario.rule.id]["duty"] in ("initiator", "both"), scenario.id
    modules = {scenario.act.__module__ for scenario in SCENARIOS.values()}
    named = [value for name in modules for value in vars(import_module(name)).values()]
    for rule in (value for value in named if isinstance(value, Rule)):
        assert rule.level in (Level.NOTE, Level[rows[rule.id]["level"]]), rule


def test_whatever_can_be_failed_is_failed_by_a_mutant():
    spared = {
        scenario.id
        for scenario in SCENARIOS.values()
        if scenario.level is not Level.NOTE and not scenario.mutants
    }
    assert spared == BEYOND_US.keys()


def test_what_is_said_of_a_stimulus_is_what_the_scenario_says():
    section = DEVIATIONS.read_text().split("### What a stimulus is")[1].split("###")[0]
    told = re.findall(r"^\| ([A-Z].*?) \| ([VFX]) \|", section, re.MULTILINE)
    for names, letter in told:
        first, *others = re.findall(r"[A-Z]{2}-\d\d", names)
        ids = [each for each in SCENARIOS if first <= each <= others[0]] if " to " in names else []
        for name in ids or [first, *others]:
            assert SCENARIOS[name].stimulus.value == letter, name
    assert len(told) == 10
