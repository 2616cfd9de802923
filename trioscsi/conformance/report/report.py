"""The report of a run: what became of scenarios and monitors, and of whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from trioscsi.conformance.bench.ladder import Line
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.verdicts import Finding, Level, Result, Verdict
from trioscsi.errors import PeerError
from trioscsi.pdu import LoginRequest
from trioscsi.text import Side, decode

_SECRET = frozenset({"CHAP_R", "CHAP_C", "CHAP_I", "CHAP_N"})
"""Keys whose values say nothing of an initiator."""


@attrs.define
class Watched:
    """What became of one monitor in all scenarios together."""

    id: str
    exercised: int = 0
    unfinished: bool = False
    broken: Counter[Level] = attrs.field(factory=Counter)
    findings: list[tuple[str, Finding]] = attrs.field(factory=list)
    """With the scenario in which each was made."""

    def add(self, scenario: str, result: Result) -> None:
        """Take over what one scenario has shown."""
        self.exercised += result.exercised
        self.unfinished |= result.unfinished
        self.broken.update(result.broken)
        self.findings += [(scenario, finding) for finding in result.findings]

    @property
    def verdict(self) -> Verdict:
        """The worst that was found; only what was put to the test can pass."""
        for level in Level:
            if self.broken[level]:
                return Verdict(level.value)
        if self.exercised:
            return Verdict.PASS
        return Verdict.INCONCLUSIVE if self.unfinished else Verdict.NOT_EXERCISED


@attrs.frozen
class Report:
    """A run: the name of the initiator, and the outcomes in the order of the catalogue."""

    initiator: str
    outcomes: Sequence[Outcome] = ()
    observed: Mapping[str, Result] = attrs.field(factory=dict)
    """What monitors have found where no scenario was played."""

    @property
    def monitors(self) -> Mapping[str, Watched]:
        """What became of each monitor of initiators."""
        return self._watched(frozenset({Side.INITIATOR, None}))

    @property
    def of_target(self) -> Mapping[str, Watched]:
        """What became of each monitor of targets, where a target was observed."""
        return self._watched(frozenset({Side.TARGET})) if self.observed else {}

    def _watched(self, senders: frozenset[Side | None]) -> Mapping[str, Watched]:
        watched = {
            name: Watched(name) for name, monitor in MONITORS.items() if monitor.sender in senders
        }
        seen = [(outcome.scenario.id, outcome.monitors) for outcome in self.outcomes]
        for where, results in [*seen, ("what was observed", self.observed)]:
            for name in watched.keys() & results.keys():
                watched[name].add(where, results[name])
        return watched

    @property
    def summary(self) -> Mapping[Verdict, int]:
        """How many scenarios there are of each verdict."""
        counts = Counter(outcome.verdict for outcome in self.outcomes)
        return {verdict: counts[verdict] for verdict in Verdict}

    @property
    def failed(self) -> bool:
        """Whether the initiator breaks anything that it MUST keep."""
        return bool(self.summary[Verdict.FAIL]) or any(
            watched.verdict is Verdict.FAIL
            for watched in (*self.monitors.values(), *self.of_target.values())
        )

    @property
    def deserted(self) -> bool:
        """Whether the initiator was started, and has never sent a PDU: it was not judged at all."""
        started = [outcome for outcome in self.outcomes if outcome.ending is not None]
        return bool(started) and not any(outcome.is_heard for outcome in started)

    @property
    def offered(self) -> Mapping[str, tuple[str, ...]]:
        """The keys that the initiator has said in its logins, each with its values."""
        said: dict[str, dict[str, None]] = {}
        for line in self._logins():
            for name, value in _pairs(line):
                if name not in _SECRET:
                    said.setdefault(name, {})[value] = None
        return {name: tuple(values) for name, values in sorted(said.items())}

    @property
    def seen(self) -> Mapping[str, Any]:
        """What it was seen to do: how it logs in."""
        first = next(iter(self._logins()), None)
        if first is None:
            return {}
        request = first.thing
        assert isinstance(request, LoginRequest)
        return {
            "first stage": request.csg,
            "first CmdSN": request.cmd_sn,
            "first ExpStatSN": request.exp_stat_sn,
            "ISID type": request.isid[0] >> 6,
            "versions": [request.version_min, request.version_max],
        }

    def _logins(self) -> Iterable[Line]:
        return (
            line
            for outcome in self.outcomes
            for line in outcome.ladder
            if line.sender is Side.INITIATOR and isinstance(line.thing, LoginRequest)
        )


def _pairs(line: Line) -> Iterable[tuple[str, str]]:
    assert isinstance(line.thing, LoginRequest)
    try:
        return decode(bytes(line.thing.data))
    except PeerError:
        return ()
