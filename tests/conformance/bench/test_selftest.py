from __future__ import annotations

import pytest

from trioscsi.conformance import Verdict
from trioscsi.conformance.bench.selftest import (
    NO_MUTANT,
    WATCHERS,
    SelfTest,
    Trial,
    attempt,
    plan,
    selftest,
)
from trioscsi.conformance.bench.watched import WATCHED
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.initiator.mutants import MUTANTS

ALONE = """
M-01 LG-12 login-led-astray      M-02 TM-11 management-without-f  M-03 NP-05 opcode
M-04 KY-09 segment               M-05 LG-01 padding-not-zero      M-06 MC-03 second-tags
M-07 CN-01 cmdsn-skips           M-08 CN-02 window-ignored        M-09 ST-01 exp-stat-sn-ahead
M-10 CN-01 command-no-direction  M-11 DO-05 command-without-f     M-12 DO-01 immediate-data
M-13 DO-01 unsolicited-data      M-14 DO-02 first-burst           M-15 DO-06 data-sn
M-16 DO-06 data-offset           M-17 DO-06 data-tag              M-18 DO-07 data-odd
M-19 DO-10 r2t-reversed          M-20 DO-06 data-task             M-21 NP-01 ping-counted
M-22 NP-01 ping-tag              M-23 TM-01 management-cmdsn      M-24 MC-02 abort-elsewhere
M-25 AS-01 logout-talks-on       M-26 CN-01 logout-cid            M-27 TX-02 text-other-tag
M-28 LG-01 login-t-and-c         M-29 LG-01 login-version         M-30 LG-01 key-twice
M-31 KY-15 key-too-early         M-32 LG-01 key-range             M-33 KY-01 key-markers-unknown
M-34 NG-21 key-bursts            M-35 TX-01 text-two-keys         M-36 KY-06 header-digest
M-37 DI-15 data-in-acknowledged  M-38 TM-01 reassign-unagreed     M-39 LG-20 login-stays
M-40 LG-36 isid-reserved         M-41 LG-01 login-no-name         M-42 DO-25 bidirectional-short
M-43 LG-01 key-marker            M-44 DO-18 any-lun
"""
"""Each monitor, and a mutant that it alone notices, in a scenario."""
WORDS = ALONE.split()
TRIPLES = list(zip(WORDS[::3], WORDS[1::3], WORDS[2::3], strict=True))
WATCHED_PAIRS = [
    (monitor, scenario, mutant)
    for monitor, by_scenario in WATCHED.items()
    for scenario, mutants in by_scenario.items()
    for mutant in mutants
    if (monitor, scenario, mutant) not in TRIPLES
]


@pytest.mark.parametrize(("monitor", "scenario", "mutant"), TRIPLES)
def test_each_monitor_notices_a_fault_that_no_other_notices(
    monitor: str, scenario: str, mutant: str
):
    result = SelfTest((attempt((scenario, NO_MUTANT)), attempt((scenario, mutant))))
    assert result.alone(monitor) == [mutant]


def test_no_monitor_is_left_out():
    assert [monitor for monitor, _, _ in TRIPLES] == list(WATCHERS)


@pytest.mark.parametrize(("monitor", "scenario", "mutant"), WATCHED_PAIRS)
def test_what_is_watched_is_noticed(monitor: str, scenario: str, mutant: str):
    assert monitor in attempt((scenario, mutant)).noticed


def test_all_mutants_are_tried():
    assert {mutant for _, mutant in plan(SCENARIOS.values())} == {NO_MUTANT, *MUTANTS}


def trial(scenario: str, mutant: str, caught: bool = False, *noticed: str) -> Trial:
    verdict = Verdict.FAIL if caught else Verdict.PASS
    return Trial(scenario, mutant, verdict, "", caught, frozenset(noticed))


def test_what_is_missed_and_by_whom_is_told():
    result = SelfTest(
        (
            trial("NP-01", NO_MUTANT, False, "M-02"),
            trial("NP-01", "ping-tag", False, "M-02"),
            trial("NP-02", NO_MUTANT, True),
            trial("NP-02", "ping-ignored", True),
            trial("LG-01", NO_MUTANT),
            trial("LG-01", "key-twice", False, "M-31"),
        )
    )
    assert result.mutants == ["ping-tag", "ping-ignored", "key-twice"]
    assert result.missed == ["ping-tag"]
    assert result.told == []
    assert result.blamed == ["NP-02"]
    assert result.escaped == [("NP-01", "ping-tag"), ("M-30", "key-twice")]
    assert result.alone("M-31") == ["key-twice"]
    assert result.alone("M-02") == []


def test_what_is_not_forbidden_is_told_apart():
    told = Trial("LG-22", "recovery-stubborn", Verdict.INFO, "", True, frozenset())
    failed = trial("LG-21", "login-tsih", True)
    noticed = Trial("LG-09", "login-led-on", Verdict.INFO, "", True, frozenset({"M-28"}))
    result = SelfTest((told, failed, noticed))
    assert result.missed == []
    assert result.told == ["recovery-stubborn"]


def test_several_processes_come_to_the_same_result():
    scenarios = [SCENARIOS["NP-01"], SCENARIOS["NP-04"]]
    told: list[Trial] = []
    result = selftest(scenarios, jobs=2, tell=told.append)
    assert tuple(told) == result.trials == selftest(scenarios).trials
    assert [(t.scenario, t.mutant) for t in told] == plan(scenarios)
