from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from trioscsi.conformance import Level, Rule, Verdict
from trioscsi.conformance.bench.ladder import Line
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import Evidence
from trioscsi.conformance.drivers.driver import Ending, How
from trioscsi.pdu import LoginRequest, LoginResponse, NopIn, ScsiCommand
from trioscsi.text import Side

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


# Initiators that hang.

_CLOSED: Any = None


def line(time: float, sender: Side, thing: object) -> Line:
    raw = b"" if thing is _CLOSED else b"\0"
    return Line(0, time, 0, sender, thing, raw, len(raw))  # type: ignore[arg-type]


ASKS = line(1, Side.INITIATOR, LoginRequest(transit=True, csg=1, nsg=3))
LOGGED_IN = line(2, Side.TARGET, LoginResponse(transit=True, csg=1, nsg=3))
REFUSED = line(2, Side.TARGET, LoginResponse(status_class=2))
HALFWAY = line(2, Side.TARGET, LoginResponse(transit=True, csg=0, nsg=1))
COMMAND = line(3, Side.INITIATOR, ScsiCommand())
LEAVES = line(3, Side.INITIATOR, _CLOSED)
PINGED = line(3, Side.TARGET, NopIn())


@pytest.mark.parametrize(
    ("lines", "silence"),
    [
        ([ASKS, LOGGED_IN], 58),
        ([ASKS, LOGGED_IN, PINGED], 58),
        ([ASKS, LOGGED_IN, COMMAND], 0),
        ([ASKS, LOGGED_IN, LEAVES], 0),
        ([ASKS, HALFWAY], 0),
        ([ASKS, REFUSED], 0),
        ([], 0),
    ],
)
def test_an_initiator_is_silent_that_says_nothing_and_stays_after_its_login(
    lines: list[Line], silence: float
):
    hung = Ending(How.HUNG)
    assert outcome(ladder=lines, ending=hung, seconds=60.0).silence == silence
    assert not outcome(ladder=lines, ending=Ending(How.DONE), seconds=60.0).silence
