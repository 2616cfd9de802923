"""What is measured: the shapes of load."""

from __future__ import annotations

from fnmatch import fnmatch

import attrs

KIB = 1024
MIB = 1024 * KIB


@attrs.frozen
class Wanted:
    """What the project promises of a cell, as ratios to tgt: for the reader, asserted nowhere."""

    throughput: float
    cpu: float


@attrs.frozen
class Cell:
    """One shape of load; ``reads`` is the part of reads in per cent."""

    size: int
    reads: int
    sessions: int = 1
    depth: int = 1
    sequential: bool = False
    digests: bool = False
    wanted: Wanted | None = attrs.field(default=None, eq=False)

    @property
    def name(self) -> str:
        """Such as ``4k-random-read-16x8``: 16 sessions with 8 commands each."""
        size = f"{self.size // MIB}m" if self.size >= MIB else f"{self.size // KIB}k"
        order = "sequential" if self.sequential else "random"
        kind = {100: "read", 0: "write"}.get(self.reads, f"{self.reads}-{100 - self.reads}")
        digests = "-digests" if self.digests else ""
        return f"{size}-{order}-{kind}-{self.sessions}x{self.depth}{digests}"

    def matches(self, pattern: str) -> bool:
        """Whether the name contains the pattern, or matches it if it has wildcards."""
        return pattern in self.name or fnmatch(self.name, pattern)


PROMISED = [
    Cell(4 * KIB, 100, depth=32, wanted=Wanted(2.0, 0.5)),
    Cell(4 * KIB, 0, depth=32, wanted=Wanted(1.6, 0.6)),
    Cell(4 * KIB, 100, wanted=Wanted(1.0, 1.2)),
    Cell(4 * KIB, 0, wanted=Wanted(1.0, 1.2)),
    Cell(4 * KIB, 100, sessions=16, wanted=Wanted(0.9, 1.2)),
    Cell(4 * KIB, 100, sessions=64, wanted=Wanted(0.9, 1.2)),
    Cell(4 * KIB, 100, sessions=16, depth=8, wanted=Wanted(2.0, 0.5)),
    Cell(64 * KIB, 100, depth=8, wanted=Wanted(1.5, 0.7)),
    Cell(64 * KIB, 0, depth=8, wanted=Wanted(1.2, 0.9)),
    Cell(256 * KIB, 100, depth=8, wanted=Wanted(1.4, 0.7)),
    Cell(256 * KIB, 0, depth=8, wanted=Wanted(1.1, 0.9)),
    Cell(MIB, 100, depth=4, wanted=Wanted(1.8, 0.6)),
    Cell(MIB, 0, depth=4, wanted=Wanted(1.8, 0.6)),
    Cell(4 * KIB, 100, depth=32, digests=True, wanted=Wanted(3.0, 0.3)),
    Cell(4 * KIB, 0, depth=32, digests=True, wanted=Wanted(3.0, 0.3)),
    Cell(64 * KIB, 100, depth=8, digests=True, wanted=Wanted(4.0, 0.3)),
    Cell(64 * KIB, 0, depth=8, digests=True, wanted=Wanted(4.0, 0.3)),
]
"""The cells with a promise."""

_KINDS = (100, 0, 70)
_LARGE = ((64 * KIB, 8), (256 * KIB, 8), (MIB, 4))


def all_cells() -> list[Cell]:
    """Every cell: the promised ones first."""
    cells = [
        *PROMISED,
        *(
            Cell(4 * KIB, reads, depth=depth, sequential=sequential)
            for depth in (1, 8, 32, 128)
            for sequential in (False, True)
            for reads in _KINDS
        ),
        *(
            Cell(size, reads, depth=depth, sequential=sequential)
            for size, depth in _LARGE
            for sequential in (False, True)
            for reads in _KINDS
        ),
        *(
            Cell(4 * KIB, reads, sessions=sessions, depth=depth)
            for sessions in (4, 16, 64)
            for depth in (1, 8)
            for reads in _KINDS
        ),
        *(
            Cell(size, reads, depth=depth, digests=True)
            for size, depth in ((4 * KIB, 1), (4 * KIB, 32), *_LARGE)
            for reads in _KINDS
        ),
    ]
    return list(dict.fromkeys(cells))


def choose(patterns: tuple[str, ...], *, quick: bool) -> list[Cell]:
    """The cells to measure: those that match any of the patterns, or all."""
    cells = PROMISED if quick else all_cells()
    if not patterns:
        return list(cells)
    return [cell for cell in cells if any(cell.matches(pattern) for pattern in patterns)]
