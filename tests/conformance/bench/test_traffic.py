from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenario
from trioscsi.conformance.bench.traffic import Traffic, alter_logins
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.mutants import MUTANTS


def traffic_of(
    keys: dict[str, str | None] | None,
    judge: Callable[[Traffic], None] = lambda _: None,
    deviation: Deviation | None = None,
    **more: object,
) -> tuple[Traffic, Verdict]:
    seen: list[Traffic] = []

    async def act(play: Play) -> None:
        seen.append(alter_logins(play, lambda _: keys))
        await seen[0].watch()
        judge(seen[0])

    rule, drive = Rule("7143-13.12-1"), Drive.WRITE
    scenario = Scenario(id="XX-01", says="It works.", rule=rule, drive=drive, act=act, **more)  # type: ignore[arg-type]
    outcome = played(scenario, deviation)
    return seen[0], outcome.verdict


def test_lengths_are_those_that_were_agreed():
    traffic, _ = traffic_of(
        {"FirstBurstLength": "1023"},
        limits={"segment": 512},
        target={"first_burst_length": 1023},
    )
    assert (traffic.altered, traffic.segment, traffic.immediate) == (1, 512, 512)
    assert traffic.burst == 1023
    assert traffic.odd


def test_a_login_may_stay_as_it_is():
    traffic, _ = traffic_of(None)
    assert (traffic.altered, traffic.burst) == (0, 262_144)


@pytest.mark.parametrize(
    ("most", "deviation", "verdict"),
    [
        (65_536, None, Verdict.PASS),
        (65_536, MUTANTS["first-burst"], Verdict.FAIL),
        (0, None, Verdict.FAIL),
    ],
)
def test_what_is_written_is_judged(most: int, deviation: Deviation | None, verdict: Verdict):
    keys: dict[str, str | None] = {"FirstBurstLength": "65536"}

    def judge(traffic: Traffic) -> None:
        traffic.check(traffic.burst <= most, "too much")

    target = {"first_burst_length": 65_536}
    assert traffic_of(keys, judge, deviation, target=target)[1] is verdict


def test_whoever_leaves_at_once_keeps_the_rule_too():
    def judge(traffic: Traffic) -> None:
        assert traffic.refused
        traffic.check(False, "too much")

    assert traffic_of({"MaxBurstLength": "NotUnderstood"}, judge)[1] is Verdict.PASS


def test_who_leaves_and_tries_again_has_refused():
    left: Any = SimpleNamespace(is_open=False, has_logged_out=False)
    again: Any = SimpleNamespace(is_open=True, has_logged_out=False)
    play: Any = SimpleNamespace(links=[left, again])
    assert Traffic(play).refused
    assert not Traffic(play, pdus=1).refused
    play.links.remove(left)
    assert not Traffic(play).refused


def test_who_was_told_nothing_else_is_not_judged():
    verdict = traffic_of(None, lambda traffic: traffic.check(False, ""))[1]
    assert verdict is Verdict.NOT_EXERCISED
