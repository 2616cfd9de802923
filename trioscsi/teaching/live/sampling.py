"""How many PDUs are looked at one by one, so that looking does not slow down what is looked at."""

from __future__ import annotations

import attrs

MOST_PDUS = 200
"""PDUs a second of all connections together; each takes 50 to 150 microseconds to be told of."""

BURST = 3.0
"""Seconds for which they may be saved up, so that of a short conversation nothing is missed."""

SLICE = 0.05
"""Seconds after which more may be looked at."""

RESUMING = 4
"""What it costs, in PDUs, to look at a connection again after a gap."""

BYTES_A_PDU = 32_768
"""Bytes that cost about as much as one more PDU, as they are copied."""


@attrs.define
class Budget:
    """What may be looked at now: so much a second, and what was saved up."""

    pdus: float = MOST_PDUS
    """A second; infinity leaves nothing out."""
    left: float = attrs.field(init=False, default=0.0)
    _since: float = attrs.field(init=False, default=0.0)
    _until: float = attrs.field(init=False, default=0.0)
    slice: int = attrs.field(init=False, default=0)
    """The number of the present slice."""

    def attend(self, now: float) -> None:
        """Begin a new slice, if it is time."""
        if now >= self._until or now < self._until - SLICE:
            # The first time, and after the clock was set back, all is there.
            seconds = max(now - self._since, SLICE) if self._since <= now else BURST
            self._since, self._until = now, now + SLICE
            self.left = min(self.left + self.pdus * seconds, self.pdus * BURST)
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

    def has_plenty(self, now: float) -> bool:
        """Whether most of it is there for the taking."""
        self.budget.attend(now)
        return self.budget.left > self.budget.pdus * BURST / 2

    def take(self, pdus: int, size: int) -> None:
        """So much was looked at."""
        cost = pdus + size / BYTES_A_PDU
        self._taken += cost
        self.budget.left -= cost
