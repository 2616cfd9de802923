from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from trioscsi.conformance import Level, Rule, Verdict
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import Evidence

_SCENARIO: Any = None
"""What was played does not matter here."""


def said(level: Level, breach: str = "") -> Evidence:
    return Evidence(Rule("7143-7.7-1", level).holds(not breach, breach), 0)


def outcome(*remarks: Evidence, **more: Any) -> Outcome:
    return Outcome(scenario=_SCENARIO, remarks=remarks, **more)


def test_the_worst_breach_is_the_verdict_and_what_is_said():
    found = outcome(said(Level.NOTE, "odd"), said(Level.MUST, "bad"), said(Level.SHOULD, "poor"))
    assert found.verdict is Verdict.FAIL
    assert found.says == "bad"
    assert [each.remark.breach for each in found.breaches] == ["bad", "poor", "odd"]


@pytest.mark.parametrize(
    ("level", "verdict"),
    [(Level.MUST, Verdict.FAIL), (Level.SHOULD, Verdict.WARN), (Level.NOTE, Verdict.INFO)],
)
def test_a_breach_is_as_bad_as_its_level_even_if_the_scenario_was_cut_short(level, verdict):
    assert outcome(said(level, "bad"), interrupted="it left").verdict is verdict


def test_only_what_was_put_to_the_test_to_its_end_passes():
    assert outcome(said(Level.MUST)).verdict is Verdict.PASS
    assert outcome().verdict is Verdict.NOT_EXERCISED
    assert outcome(said(Level.MUST), interrupted="it left").verdict is Verdict.INCONCLUSIVE
    assert outcome(interrupted="our fault", faulty=True).verdict is Verdict.INCONCLUSIVE


def test_what_is_judged_by_is_the_rule_that_was_broken_worst_or_that_of_the_scenario():
    broken = outcome(said(Level.NOTE, "odd"), said(Level.MUST, "bad"))
    assert broken.rule == Rule("7143-7.7-1", Level.MUST)
    rule = Rule("7143-6.2-6")
    scenario: Any = SimpleNamespace(rule=rule)
    assert Outcome(scenario=scenario, remarks=[said(Level.MUST)]).rule is rule


def test_without_a_breach_it_says_what_stopped_it_or_what_was_noted():
    assert outcome(interrupted="it left", notes=["a", "b"]).says == "it left"
    assert outcome(notes=["a", "b"]).says == "a; b"
