"""Everything that went over an initiator's wires in one scenario, in its order."""

from __future__ import annotations

import attrs
import trio

from trioscsi.conformance.bench.relay import Relay, Watcher
from trioscsi.conformance.stream import Thing
from trioscsi.pdu import BHS_LENGTH
from trioscsi.text import Side

KEPT = 2000
"""Lines of one ladder."""
_BYTES = BHS_LENGTH + 512
"""Bytes of each PDU that are kept."""


@attrs.frozen
class Line:
    """One PDU, or the end of a connection (``raw`` is empty then)."""

    number: int
    time: float
    """Seconds since the scenario began."""
    connection: int
    sender: Side
    thing: Thing | None
    """None: bytes that are no PDU, or the end."""
    raw: bytes
    """Its first bytes."""
    length: int


class Watchers(list[Watcher]):
    """Several watchers as one."""

    def passed(self, link: Relay, sender: Side, thing: Thing | None, raw: bytes) -> None:
        """See `Watcher`."""
        for watcher in self:
            watcher.passed(link, sender, thing, raw)

    def ended(self, link: Relay, sender: Side) -> None:
        """See `Watcher`."""
        for watcher in self:
            watcher.ended(link, sender)


class Ladder:
    """Collects lines; the first ones are kept, of the others only how many there were."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.seen = 0
        self._began = trio.current_time()

    def passed(self, link: Relay, sender: Side, thing: Thing | None, raw: bytes) -> None:
        """See `Watcher`."""
        self._add(link, sender, thing, raw)

    def ended(self, link: Relay, sender: Side) -> None:
        """See `Watcher`."""
        self._add(link, sender, None, b"")

    def _add(self, link: Relay, sender: Side, thing: Thing | None, raw: bytes) -> None:
        if len(self.lines) < KEPT:
            time = trio.current_time() - self._began
            self.lines.append(
                Line(self.seen, time, link.number, sender, thing, bytes(raw[:_BYTES]), len(raw))
            )
        self.seen += 1
