"""The bench put to the test: initiators with one fault each, and whether it is found.

Each scenario names the mutants that have to fail in it; what a monitor says of them counts in a run
of several scenarios.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs

from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.run import perform
from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.verdicts import Verdict
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.text import Side

CAUGHT = frozenset({Verdict.FAIL, Verdict.WARN})
"""Verdicts that notice a fault."""


@attrs.frozen
class Trial:
    """One mutant in one scenario."""

    mutant: str
    outcome: Outcome

    @property
    def caught(self) -> bool:
        """Whether the scenario has found the fault."""
        return self.outcome.verdict in CAUGHT or (
            self.outcome.scenario.level.value == Verdict.INFO
            and self.outcome.verdict is Verdict.INFO
        )

    @property
    def noticed(self) -> bool:
        """Whether a monitor of initiators has."""
        return any(
            result.verdict in CAUGHT
            for name, result in self.outcome.monitors.items()
            if MONITORS[name].sender is not Side.TARGET
        )


@attrs.frozen
class SelfTest:
    """All trials."""

    trials: tuple[Trial, ...]

    @property
    def pairs(self) -> Mapping[tuple[str, str], Trial]:
        """By mutant and scenario."""
        return {(trial.mutant, trial.outcome.scenario.id): trial for trial in self.trials}

    @property
    def mutants(self) -> list[str]:
        """The mutants that were tried."""
        return list(dict.fromkeys(trial.mutant for trial in self.trials))

    @property
    def missed(self) -> list[str]:
        """Mutants that neither a scenario nor a monitor has found."""
        caught = {trial.mutant for trial in self.trials if trial.caught or trial.noticed}
        return [mutant for mutant in self.mutants if mutant not in caught]

    @property
    def escaped(self) -> list[tuple[str, str]]:
        """Mutants that a scenario should have found and has not, with that scenario."""
        return [pair for pair, trial in self.pairs.items() if not trial.caught]


async def selftest(
    scenarios: Iterable[Scenario], *, tell: Callable[[Trial], None] = lambda _: None
) -> SelfTest:
    """Play each scenario with each mutant that it names."""
    trials = []
    for scenario in scenarios:
        for name in scenario.mutants:
            trial = Trial(name, await perform(scenario, InHouse(MUTANTS[name])))
            tell(trial)
            trials.append(trial)
    return SelfTest(tuple(trials))
