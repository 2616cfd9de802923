"""How many may be at the doors: in all, of one address, and how fast they may come."""

from __future__ import annotations

from collections import Counter, OrderedDict

import attrs

from trioscsi.limits import Limits

_ADDRESSES = 4096
"""Addresses whose pace is remembered; those that came longest ago are forgotten first."""


@attrs.define
class _Pace:
    """How many connections may still come at once; with time there are more."""

    left: float
    since: float


class Crowd:
    """The connections of one server by the hosts that they come from."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._hosts: Counter[str] = Counter()
        self._paces: OrderedDict[str, _Pace] = OrderedDict()

    def refusal(self, host: str, now: float) -> str | None:
        """Why a connection from this host is one too many, or None if it may come in."""
        limits = self._limits
        if self._hosts[host] >= limits.connections_per_address:
            return f"{host} has {self._hosts[host]} connections already"
        if not self._keeps_pace(host, now):
            return f"{host} opens more than {limits.connection_rate:g} connections a second"
        return None

    def enter(self, host: str) -> None:
        """A connection from this host has begun."""
        self._hosts[host] += 1

    def leave(self, host: str) -> None:
        """A connection from this host has ended."""
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def _keeps_pace(self, host: str, now: float) -> bool:
        rate = self._limits.connection_rate
        pace = self._paces.pop(host, None) or _Pace(rate, now)
        self._paces[host] = pace
        if len(self._paces) > _ADDRESSES:
            self._paces.popitem(last=False)
        # What was not used is saved up, for one second at most.
        pace.left = min(pace.left + (now - pace.since) * rate, rate)
        pace.since = now
        if pace.left < 1:
            return False
        pace.left -= 1
        return True
