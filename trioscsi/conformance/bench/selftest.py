"""The bench put to the test: initiators with one fault each, and whether it is found.

Each scenario is played with the correct initiator, with the mutants that have to fail in it, and
with those that monitors have to notice (`watched.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property, partial
from multiprocessing import get_context

import attrs

from trioscsi.conformance.bench.clock import run_in_no_time
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.run import perform
from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.bench.watched import WATCHED
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.verdicts import Verdict
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.text import Side

CAUGHT = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.INFO})
"""Verdicts that notice a fault: all that the correct initiator never gets."""
NO_MUTANT = ""
"""Stands for the correct initiator."""
WATCHERS = tuple(each.id for each in MONITORS.values() if each.sender is not Side.TARGET)
"""The monitors of initiators."""

Pair = tuple[str, str]
"""A scenario, and a mutant that is played in it."""


@attrs.frozen
class Trial:
    """What one initiator has shown in one scenario."""

    scenario: str
    mutant: str
    verdict: Verdict
    says: str
    caught: bool
    """Whether the scenario has found a fault."""
    noticed: frozenset[str]
    """The monitors of initiators that have."""

    @classmethod
    def of(cls, mutant: str, outcome: Outcome) -> Trial:
        """From an outcome."""
        verdict = outcome.verdict
        return cls(
            outcome.scenario.id,
            mutant,
            verdict,
            outcome.says,
            caught=verdict in CAUGHT,
            noticed=frozenset(
                name
                for name, result in outcome.monitors.items()
                if name in WATCHERS and result.verdict in CAUGHT
            ),
        )


@attrs.frozen
class SelfTest:
    """All trials."""

    trials: tuple[Trial, ...]

    @cached_property
    def pairs(self) -> Mapping[Pair, Trial]:
        """By scenario and mutant."""
        return {(trial.scenario, trial.mutant): trial for trial in self.trials}

    @property
    def mutants(self) -> list[str]:
        """The mutants that were tried."""
        return list(dict.fromkeys(trial.mutant for trial in self._of_mutants))

    @property
    def missed(self) -> list[str]:
        """Mutants that neither a scenario nor a monitor has found."""
        caught = {t.mutant for t in self._of_mutants if t.caught or self.noticed(t)}
        return [mutant for mutant in self.mutants if mutant not in caught]

    @property
    def told(self) -> list[str]:
        """Mutants that are caught as information alone: what they do the RFC does not forbid."""
        held = {
            t.mutant
            for t in self._of_mutants
            if self.noticed(t) or (t.caught and t.verdict is not Verdict.INFO)
        }
        return [each for each in self.mutants if each not in held and each not in self.missed]

    @property
    def blamed(self) -> list[str]:
        """Scenarios that find fault with the correct initiator."""
        return [t.scenario for t in self.trials if not t.mutant and t.caught]

    @property
    def escaped(self) -> list[tuple[str, str]]:
        """Who should have found a mutant and has not, be it a scenario or a monitor."""
        pairs = self.pairs
        scenarios = [
            (scenario, mutant)
            for scenario, mutant in pairs
            if mutant in SCENARIOS[scenario].mutants and not pairs[scenario, mutant].caught
        ]
        monitors = [
            (monitor, mutant)
            for monitor, (scenario, mutant) in _watched()
            if (scenario, mutant) in pairs and monitor not in self.noticed(pairs[scenario, mutant])
        ]
        return scenarios + monitors

    def noticed(self, trial: Trial) -> frozenset[str]:
        """The monitors that have found the fault, and nothing in the correct initiator."""
        correct = self.pairs.get((trial.scenario, NO_MUTANT))
        return trial.noticed - (correct.noticed if correct else frozenset())

    def alone(self, monitor: str) -> list[str]:
        """Mutants that a monitor, and no other, has noticed in some scenario."""
        mutants = [t.mutant for t in self._of_mutants if self.noticed(t) == {monitor}]
        return list(dict.fromkeys(mutants))

    @property
    def _of_mutants(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.mutant]


def plan(scenarios: Iterable[Scenario]) -> list[Pair]:
    """What is played: each scenario with the correct initiator, and then with mutants."""
    watched: dict[str, list[str]] = {}
    for _, (scenario, mutant) in _watched():
        watched.setdefault(scenario, []).append(mutant)
    return [
        (each.id, mutant)
        for each in scenarios
        for mutant in dict.fromkeys((NO_MUTANT, *each.mutants, *watched.get(each.id, ())))
    ]


def attempt(pair: Pair) -> Trial:
    """Play one of them, in no time: the clock jumps when all wait."""
    scenario, mutant = pair
    driver = InHouse(MUTANTS[mutant] if mutant else None)
    return Trial.of(mutant, run_in_no_time(partial(perform, SCENARIOS[scenario], driver)))


def selftest(
    scenarios: Iterable[Scenario], *, jobs: int = 1, tell: Callable[[Trial], None] = lambda _: None
) -> SelfTest:
    """Play all that is planned, in so many processes; it is told of in the order of the plan."""
    trials = []
    for trial in _attempts(plan(scenarios), jobs):
        tell(trial)
        trials.append(trial)
    return SelfTest(tuple(trials))


def _attempts(pairs: list[Pair], jobs: int) -> Iterator[Trial]:
    if jobs == 1:
        yield from map(attempt, pairs)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_quiet) as pool:
        yield from pool.map(attempt, pairs, chunksize=8)


def _quiet() -> None:
    """What the target behind the stage logs is what the scenarios are about."""
    logging.getLogger("trioscsi").setLevel(logging.CRITICAL)


def _watched() -> Iterator[tuple[str, Pair]]:
    """Each monitor with what it has to notice."""
    for monitor, by_scenario in WATCHED.items():
        for scenario, mutants in by_scenario.items():
            for mutant in mutants:
                yield monitor, (scenario, mutant)
