"""How many PDUs are looked at one by one, so that looking does not slow down what is looked at."""

from __future__ import annotations

import attrs

MOST_PDUS = 2000
"""PDUs a second of all connections together; each takes some 50 microseconds to be told of."""

SLICE = 0.05
"""Seconds for which a share of them is handed out, so that each moment has some."""

BYTES_A_PDU = 32_768
"""Bytes that cost about as much as one more PDU, as they are copied."""


@attrs.define
class Budget:
    """What may be looked at in the present slice of time."""

    pdus: float = MOST_PDUS
    """A second; infinity leaves nothing out."""
    left: float = attrs.field(init=False, default=0.0)
    _until: float = attrs.field(init=False, default=0.0)
    slice: int = attrs.field(init=False, default=0)
    """The number of the present slice."""

    def attend(self, now: float) -> None:
        """Begin a new slice, if it is time."""
        if now >= self._until or now < self._until - SLICE:
            self._until = now + SLICE
            self.left = self.pdus * SLICE
            self.slice += 1


@attrs.define
class Share:
    """What one connection takes of it.

    It may take as much as it leaves to others: the first one half, the next one half of the rest.
    """

    budget: Budget
    _slice: int = 0
    _taken: float = 0.0

    def admits(self, now: float) -> bool:
        """Whether the connection may be looked at now."""
        budget = self.budget
        budget.attend(now)
        if self._slice != budget.slice:
            self._slice, self._taken = budget.slice, 0.0
        return self._taken <= budget.left

    def take(self, pdus: int, size: int) -> None:
        """So much was looked at."""
        cost = pdus + size / BYTES_A_PDU
        self._taken += cost
        self.budget.left -= cost
