"""All connections of a server, or of a capture, as one feed of messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from time import time
from typing import Any

from trioscsi.capture.packets import Address
from trioscsi.protocol.line import nobody
from trioscsi.teaching.live.message import Filter, Message, News, Told
from trioscsi.teaching.live.rates import Meter
from trioscsi.teaching.live.sampling import MOST_PDUS, Budget
from trioscsi.teaching.live.seen import Seen, Shelf
from trioscsi.teaching.live.sessions import Sessions
from trioscsi.teaching.live.subscription import MOST_QUEUED, Subscription
from trioscsi.teaching.live.talk import Talk
from trioscsi.teaching.live.tap import LiveTap

VERSION = 1
"""Of the messages: it grows when one that is there changes its meaning."""

INTERVAL = 1.0
"""Seconds from one ``rates`` to the next."""

_EVERYTHING = Filter()


class Feed:
    """Tells subscribers of connections.

    ``clock`` tells the time in seconds since 1970; ``surroundings`` what else there is: the targets
    and portals.  ``source`` is "server" or "capture".  ``pdus`` of all connections are looked at in
    a second, at most.  Nothing here waits, and nothing fails.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time,
        surroundings: Callable[[], Mapping[str, Any]] = dict,
        source: str = "server",
        pdus: float = MOST_PDUS,
    ) -> None:
        self._clock = clock
        self._surroundings = surroundings
        self._source = source
        self.budget = Budget(pdus)
        self.sessions = Sessions()
        self.followed = False
        """Whether anybody listens."""
        self._talks: dict[int, Talk] = {}
        self._taps: dict[int, LiveTap] = {}
        self._count = 0
        self._subscriptions: list[Subscription] = []
        self._shelf = Shelf()
        self.meter = Meter(0.0)
        self._told = 0.0
        """When ``rates`` were told last."""

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    # Those who are told of connections.

    def connect(self, peer: Address, own: Address, portal: Address) -> LiveTap:
        """A connection of a server: see `trioscsi.server.tracing.Trace`."""
        talk = self.open(peer, portal)
        tap = self._taps[talk.number] = LiveTap(self, talk)
        return tap

    def open(self, peer: Address, portal: Address) -> Talk:
        """A connection has begun."""
        self._count += 1
        talk = self._talks[self._count] = Talk(self, self._count, peer, portal)
        described = talk.described
        talk.tell("connection", peer=described["peer"], portal=described["portal"])
        return talk

    def forget(self, talk: Talk) -> None:
        """Nothing is left of a connection."""
        if self.followed:
            self.meter.add(talk.number, talk.take_counted())
        self._talks.pop(talk.number, None)
        self._taps.pop(talk.number, None)

    def tell(self, news: News) -> None:
        """Tell all subscribers."""
        for subscription in self._subscriptions:
            subscription.offer(news)

    def see(self, seen: Seen) -> None:
        """A PDU has passed: it can be explained for a while."""
        self._shelf.put(seen)
        self.tell(seen)

    # Those who listen.

    def subscribe(
        self,
        wanted: Filter = _EVERYTHING,
        *,
        most: int = MOST_QUEUED,
        wake: Callable[[], None] = nobody,
    ) -> Subscription:
        """Listen from now on; the first message is ``hello``."""
        if not self.followed:
            self._begin()
            self.followed = True
        subscription = Subscription(self, wanted, most, wake)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Somebody does not listen any more."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        self.followed = bool(self._subscriptions)

    def hello(self) -> Message:
        """The present state of everything."""
        return {
            "type": "hello",
            "at": self.now,
            "version": VERSION,
            "program": f"trioscsi {version('trioscsi')}",
            "source": self._source,
            "targets": [],
            "portals": [],
            **self._surroundings(),
            "sessions": self.sessions.described,
            "connections": [talk.described for talk in self._talks.values()],
        }

    def explain(self, connection: int, number: int) -> Message | None:
        """All about one PDU, by the numbers that its message had; None if it is gone."""
        seen = self._shelf.find(connection, number)
        return None if seen is None else seen.explained()

    def tick(self) -> float:
        """To be called by whoever takes messages: tells ``rates`` once a second.

        Returns in how many seconds it wants to be called again at the latest.
        """
        now = self.now
        left = self._told + INTERVAL - now
        if not 0 < left <= INTERVAL:
            self._tell_rates(now)
            left = INTERVAL
        return left

    def _begin(self) -> None:
        """Somebody listens again: the figures so far are of nobody's interest."""
        for tap in self._taps.values():
            tap.catch_up()
        for talk in self._talks.values():
            talk.take_counted()
        self.meter, self._told = Meter(self.now), self.now

    def _tell_rates(self, now: float) -> None:
        for tap in self._taps.values():
            tap.tell_gap()
        for number, talk in self._talks.items():
            self.meter.add(number, talk.take_counted())
        self.tell(Told(self.meter.described(now)))
        self.meter, self._told = Meter(now), now
