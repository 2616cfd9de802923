"""Receive buffers."""

from __future__ import annotations

from trioscsi.backends.arena import Arena, pages

_KEPT = 64
"""Buffers that are kept for later: as many as are lent at a time, but for a rush."""


class Lender:
    """Receive buffers, lent only while a connection has bytes to parse.

    An idle connection owns none, so a thousand of them cost little.  ``lend`` is for what has to
    last longer than a turn.
    """

    def __init__(self, size: int, lasting: int) -> None:
        """``size`` is that of a buffer; ``lasting`` bytes are kept of what lasts longer."""
        self.size = size
        self.lend = Arena(lasting).lend
        self._free: list[memoryview] = []

    def borrow(self) -> memoryview:
        """A buffer for one turn."""
        return self._free.pop() if self._free else memoryview(pages(self.size))

    def give_back(self, buffer: memoryview) -> None:
        """The turn is over."""
        if len(self._free) < _KEPT:
            self._free.append(buffer)
