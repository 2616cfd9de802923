"""What was found, and the statistics of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import attrs

from tests.performance.cells import Cell

FELL = 0.9
"""A figure that is below this part of the older one has fallen."""


@attrs.frozen
class Sample:
    """One run: operations a second, microseconds, and CPU microseconds an operation."""

    iops: float
    p50_us: float
    p99_us: float
    server_cpu_us: float
    client_cpu_us: float
    others: float = 0.0
    """Processors that everything else kept busy meanwhile: more than a little disturbs."""

    @property
    def cores(self) -> float:
        """Processors that server and client kept busy; 1.0 for long: they had to share one."""
        return self.iops * (self.server_cpu_us + self.client_cpu_us) / 1e6

    @classmethod
    def of(cls, found: Mapping[str, Any], others: float) -> Sample:
        """From what a client printed."""
        names = ("iops", "p50_us", "p99_us", "server_cpu_us", "client_cpu_us")
        return cls(**{name: float(found[name]) for name in names}, others=others)


@attrs.frozen
class Result:
    """All rounds of one cell: for each unit its samples, in the order of the rounds."""

    cell: Cell
    samples: dict[str, list[Sample]]

    def middle(self, unit: str, figure: str) -> float:
        """The median of a figure of `Sample`."""
        figures: list[float] = [getattr(sample, figure) for sample in self.samples[unit]]
        return median(figures)

    def megabytes(self, unit: str) -> float:
        """The median of 10**6 bytes a second."""
        return self.middle(unit, "iops") * self.cell.size / 1e6

    def throughput_to(self, unit: str, other: str) -> float | None:
        """The median of the rounds' ratios of throughput: what drifts, cancels."""
        return self._ratio(unit, other, lambda sample: sample.iops)

    def cpu_to(self, unit: str, other: str) -> float | None:
        """The median of the rounds' ratios of the server's CPU time an operation."""
        return self._ratio(unit, other, lambda sample: sample.server_cpu_us)

    def spread(self, unit: str, other: str) -> tuple[float, float] | None:
        """The lowest and the highest of the rounds' ratios of throughput."""
        ratios = self._ratios(unit, other, lambda sample: sample.iops)
        return (min(ratios), max(ratios)) if ratios else None

    def _ratio(self, unit: str, other: str, figure: Callable[[Sample], float]) -> float | None:
        ratios = self._ratios(unit, other, figure)
        return median(ratios) if ratios else None

    def _ratios(self, unit: str, other: str, figure: Callable[[Sample], float]) -> list[float]:
        pairs = zip(self.samples.get(unit, []), self.samples.get(other, []), strict=False)
        return [figure(one) / figure(two) for one, two in pairs if figure(two)]

    def as_json(self) -> dict[str, Any]:
        """All figures, by unit."""
        return {unit: self._unit_as_json(unit) for unit in self.samples}

    def _unit_as_json(self, unit: str) -> dict[str, Any]:
        ratios = {}
        for other in self.samples:
            if other != unit:
                ratios[f"throughput_to_{other}"] = self.throughput_to(unit, other)
                ratios[f"cpu_to_{other}"] = self.cpu_to(unit, other)
        return {
            **{field.name: self.middle(unit, field.name) for field in attrs.fields(Sample)},
            "megabytes": self.megabytes(unit),
            **ratios,
            "samples": [attrs.asdict(sample) for sample in self.samples[unit]],
        }


@attrs.frozen
class Change:
    """A figure that is there in two runs: ``ratio`` is new to old."""

    cell: str
    unit: str
    figure: str
    old: float
    new: float

    @property
    def ratio(self) -> float:
        """New to old."""
        return self.new / self.old

    @property
    def fell(self) -> bool:
        """Whether it is worse by a tenth or more: for CPU time, more is worse."""
        return (1 / self.ratio if self.figure.startswith("cpu") else self.ratio) <= FELL


_COMPARED = ("throughput_to_tgt", "cpu_to_tgt")
_COMPARED_ALONE = ("iops",)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """The changes of our own units between two runs, as the JSON files have them.

    Ratios to tgt are compared where both runs have them: they do not depend on what else the
    machine did; where they have not, throughput is.
    """
    changes = []
    for cell, units in new["cells"].items():
        for unit in ("memory", "file"):
            was, now = old["cells"].get(cell, {}).get(unit, {}), units.get(unit, {})
            both = [name for name in _COMPARED if was.get(name) and now.get(name)]
            changes += [
                Change(cell, unit, name, was[name], now[name])
                for name in both or _COMPARED_ALONE
                if was.get(name) and now.get(name)
            ]
    return changes
