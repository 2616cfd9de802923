"""What became of a scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from trioscsi.conformance.bench.ladder import Line
from trioscsi.conformance.bench.play import Evidence
from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.drivers.driver import Ending, How
from trioscsi.conformance.verdicts import Finding, Level, Result, Rule, Verdict
from trioscsi.pdu import LoginRequest, LoginResponse
from trioscsi.text import Side, Stage


@attrs.frozen(kw_only=True)
class Outcome:
    """One performance of a scenario, with what proves the verdict."""

    scenario: Scenario
    remarks: Sequence[Evidence] = ()
    """Each time that a rule was put to the test."""
    notes: Sequence[str] = ()
    interrupted: str = ""
    """Why the scenario was not played to its end, if it was not."""
    faulty: bool = False
    """Whether that was a fault of ours."""
    ending: Ending | None = None
    """How the initiator's part ended; None: it did not take part."""
    monitors: Mapping[str, Result] = attrs.field(factory=dict)
    own: Sequence[Finding] = ()
    """Rules that the target broke although the scenario does not say so."""
    ladder: Sequence[Line] = ()
    unlisted: int = 0
    """Lines of the ladder that were not kept."""
    seconds: float = 0.0

    @property
    def is_heard(self) -> bool:
        """Whether the initiator has sent a PDU, be it a bad one."""
        return any(line.sender is Side.INITIATOR and line.thing is not None for line in self.ladder)

    @property
    def is_used(self) -> bool:
        """Whether the initiator has sent more than logins."""
        return any(_is_more_than_a_login(line) for line in self.ladder)

    @property
    def silence(self) -> float:
        """Seconds from its last login until it was stopped, of an initiator that said no more.

        0 for one that was not stopped, has said more, or has closed a connection.
        """
        logged_in = None
        if self.ending is None or self.ending.how is not How.HUNG or self.is_used:
            return 0.0
        for line in self.ladder:
            if line.sender is Side.INITIATOR and not line.raw:
                return 0.0
            if _is_end_of_login(line.thing):
                logged_in = line.time
        return 0.0 if logged_in is None else self.seconds - logged_in

    @property
    def breaches(self) -> list[Evidence]:
        """What was not kept, the worst first."""
        levels = list(Level)
        broken = [each for each in self.remarks if not each.remark.kept]
        return sorted(broken, key=lambda each: levels.index(each.remark.rule.level))

    @property
    def verdict(self) -> Verdict:
        """The worst that was found; only what was put to the test, to its end, can pass."""
        for each in self.breaches:
            return Verdict(each.remark.rule.level.value)
        if not self.remarks:
            return Verdict.INCONCLUSIVE if self.faulty else Verdict.NOT_EXERCISED
        return Verdict.INCONCLUSIVE if self.interrupted else Verdict.PASS

    @property
    def rule(self) -> Rule:
        """What the verdict is about: the rule that was broken, or that of the scenario."""
        broken = self.breaches
        return broken[0].remark.rule if broken else self.scenario.rule

    @property
    def says(self) -> str:
        """Why the verdict is what it is."""
        broken = self.breaches
        if broken:
            return broken[0].remark.breach
        said = self.interrupted or "; ".join(self.notes)
        if said or self.ending is None or self.verdict is not Verdict.NOT_EXERCISED:
            return said
        return f"it did not come to that, and the initiator {self.ending}"


def _is_more_than_a_login(line: Line) -> bool:
    return (
        line.sender is Side.INITIATOR
        and line.thing is not None
        and not isinstance(line.thing, LoginRequest)
    )


def _is_end_of_login(thing: object) -> bool:
    return (
        isinstance(thing, LoginResponse)
        and not thing.status_class
        and thing.transit
        and thing.nsg == Stage.FULL_FEATURE
    )
