"""A bound on the bandwidth of work that goes on while others want to read and write."""

from __future__ import annotations

import math

import attrs
import trio

_SPAN = 0.25
"""Seconds that pass at most between two steps: progress is seen, and others come in between."""


@attrs.define
class Pace:
    """Lets ``rate`` bytes a second pass, of all that ask together; None: whatever comes.

    What storage could not take in time is not made up for.
    """

    rate: int | None = None
    _next: float = -math.inf

    async def ration(self, most: int, unit: int) -> int:
        """Wait until some of ``most`` bytes may pass; how many, in whole ``unit`` bytes.

        It is one unit at least, however long that has to be waited for afterwards.
        """
        if self.rate is None:
            return most
        units = max(int(self.rate * _SPAN) // unit, 1)
        amount = min(most, units * unit)
        now = trio.current_time()
        begin = max(self._next, now)
        self._next = begin + amount / self.rate
        await trio.sleep_until(begin)
        return amount
