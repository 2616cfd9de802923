"""How much is done, and how long it takes."""

from __future__ import annotations

from bisect import bisect_left

import attrs

from trioscsi.teaching.live.message import Message

BOUNDS = tuple(round(base * 10.0**power, 9) for power in range(-5, 1) for base in (1, 2, 5))
"""Seconds: the upper bounds of the buckets of a histogram, from 10 us to 5 s."""


@attrs.define
class Latency:
    """From a command to its status, of all commands of some time."""

    _counts: list[int] = attrs.field(factory=lambda: [0] * (len(BOUNDS) + 1))
    _times: list[float] = attrs.field(factory=list)

    def note(self, seconds: float) -> None:
        """One command has taken so long."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._times.append(seconds)

    @property
    def described(self) -> Message:
        """Count, median, 99th percentile, maximum, and the buckets that are not empty."""
        times = sorted(self._times)
        count = len(times)
        bounds: tuple[float | None, ...] = (*BOUNDS, None)
        return {
            "count": count,
            "median": times[count // 2] if times else None,
            "p99": times[min(count - 1, count * 99 // 100)] if times else None,
            "most": times[-1] if times else None,
            "buckets": [
                [bound, number]
                for bound, number in zip(bounds, self._counts, strict=True)
                if number
            ],
        }


@attrs.define
class Counted:
    """What one connection has carried since that was told last."""

    bytes_in: int = 0
    bytes_out: int = 0
    operations: int = 0


class Meter:
    """What all connections have carried, second by second."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._counted: dict[int, Counted] = {}
        self.latency = Latency()

    def add(self, connection: int, counted: Counted) -> None:
        """One connection has carried this."""
        if counted != Counted():
            self._counted[connection] = counted

    def described(self, now: float) -> Message:
        """All of it as the message ``rates``."""
        counted = self._counted.values()
        return {
            "type": "rates",
            "at": now,
            "seconds": now - self._since,
            "operations": sum(each.operations for each in counted),
            "bytes_in": sum(each.bytes_in for each in counted),
            "bytes_out": sum(each.bytes_out for each in counted),
            "connections": [
                {"connection": number, "bytes_in": each.bytes_in, "bytes_out": each.bytes_out}
                for number, each in self._counted.items()
            ],
            "latency": self.latency.described,
        }
