"""A capture of each scenario, as Wireshark reads it, with what was found in its comments."""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns

from trioscsi.capture import Trace
from trioscsi.capture.trace import Sink, Tap
from trioscsi.conformance.bench.relay import Relay
from trioscsi.conformance.stream import Thing
from trioscsi.text import Side

Address = tuple[str, int]


class Captured:
    """Writes what passes on the stage; see `Watcher`."""

    def __init__(self, sink: Sink, clock: Callable[[], int] = time_ns) -> None:
        self._trace = Trace(sink, clock)
        self._taps: dict[int, Tap] = {}
        self._last: Tap | None = None

    def passed(self, link: Relay, sender: Side, thing: Thing | None, raw: bytes) -> None:
        """See `Watcher`."""
        del thing
        tap = self._last = self._tap(link)
        if sender is Side.INITIATOR:
            tap.received(raw)
            tap.settle()
        else:
            tap.sent([raw], len(raw))

    def ended(self, link: Relay, sender: Side) -> None:
        """See `Watcher`."""
        tap = self._tap(link)
        if sender is Side.INITIATOR:
            tap.ended()
        tap.close()

    def note(self, text: str) -> None:
        """Say something of the next packet."""
        if self._last is not None:
            self._last.note(text)

    def close(self) -> None:
        """The scenario is over."""
        for tap in self._taps.values():
            tap.close()
        self._trace.close()

    def _tap(self, link: Relay) -> Tap:
        tap = self._taps.get(link.number)
        if tap is None:
            tap = self._taps[link.number] = self._trace.connect(link.peer, link.own, link.own)
        return tap
