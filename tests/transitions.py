"""Counts which transitions of the machines a run of tests has taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from trioscsi.machines import MACHINES, Machine, Transition


class TransitionCounter:
    """A watcher for any number of running machines.

    >>> counter = TransitionCounter()
    >>> connection.machine.start(counter)
    >>> print(counter.table())
    """

    def __init__(self, machines: Mapping[str, Machine[Any]] = MACHINES) -> None:
        self.machines = machines
        self.counts: Counter[Transition] = Counter()

    def __call__(self, transition: Transition) -> None:
        self.counts[transition] += 1

    def missing(self, machine: str) -> list[Transition]:
        """The transitions of ``machine`` that nobody has taken."""
        return [row for row in self.machines[machine].transitions if not self.counts[row]]

    def table(self, *machines: str) -> str:
        """A line for each machine (all by default): taken, total, and which are missing."""
        names = machines or tuple(self.machines)
        width = max(map(len, names))
        lines = []
        for name in names:
            total, missing = len(self.machines[name].transitions), self.missing(name)
            arrows = ", ".join(f"{row.label} {row.source} {row.cause}" for row in missing)
            lines.append(f"{name:{width}}  {total - len(missing):3}/{total:<3}  {arrows}".rstrip())
        return "\n".join(lines)
