"""The arrows of a diagram: the transitions of a machine, as few as can say all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import attrs

from trioscsi.machines import Machine, Transition


@attrs.frozen
class Arrow:
    """All transitions that lead from one state to another."""

    source: str
    target: str
    rows: tuple[Transition, ...]
    brief: bool = False
    """Whether it shows its labels alone, not the causes."""

    @property
    def causes(self) -> Iterator[tuple[str, list[str]]]:
        """Each label with its causes, in the order of the machine."""
        labels = list(dict.fromkeys(row.label for row in self.rows))
        for label in labels:
            yield label, [row.cause for row in self.rows if row.label == label]


def merged(machine: Machine[Any]) -> list[Arrow]:
    """The arrows of a machine: parallel transitions are one."""
    return [
        Arrow(source, target, tuple(rows))
        for (source, target), rows in groupby(
            machine.transitions, key=lambda row: (row.source, row.target)
        )
    ]
