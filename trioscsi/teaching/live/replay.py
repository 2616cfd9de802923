"""A capture, played as a feed.

The traces of this server say in comments which transitions its packets have led to.  Of other
captures, the machines of connections and sessions are run here, by what is seen on the wire.
"""

from __future__ import annotations

import re
from math import inf

from trioscsi.capture import Packet, dissect, read_capture
from trioscsi.capture.reading import Readable
from trioscsi.errors import CaptureError
from trioscsi.machines import MACHINES
from trioscsi.teaching.live.feed import Feed
from trioscsi.teaching.live.guessing import Guess
from trioscsi.teaching.live.talk import Talk
from trioscsi.teaching.onlooker import MOST_CONNECTIONS, Connection, Heard, Onlooker, Remark

_TRANSITION = re.compile(r"(\w+) (\S+): (\w+) -> (\w+) upon (\w+) ")
_TRANSITIONS = {
    (row.machine, row.label, row.source, row.target, row.cause): row
    for machine in MACHINES.values()
    for row in machine.transitions
}
_BROKEN = "the connection is broken off"


class Replay:
    """Plays the packets of a capture, one at a time; the time of its ``feed`` is theirs.

    Raises CaptureError if there is no packet in the file that can be read.
    """

    def __init__(self, file: Readable) -> None:
        self.feed = Feed(clock=lambda: self._now, source="capture", pdus=inf)
        self.complaint = ""
        """Why the rest of the capture cannot be understood, if that is so."""
        self.packets = 0
        self._connections = 0
        self._packets = read_capture(file)
        self._onlooker = Onlooker()
        self._known: dict[Connection, _Part] = {}
        self._next: Packet | None = next(self._packets, None)
        self._now = 0.0 if self._next is None else self._next.time / 1e9
        self._guesses = True
        """Whether transitions have to be found here; a trace has them in comments."""

    @property
    def due(self) -> float | None:
        """When the next packet was seen, in seconds since 1970; None at the end."""
        return None if self._next is None else self._next.time / 1e9

    def step(self) -> bool:
        """Play one packet; False if there was none left."""
        packet = self._next
        if packet is None:
            return False
        # Captures of several interfaces may go back a little.
        self._now = max(self._now, packet.time / 1e9)
        self._play(packet)
        self.packets += 1
        self._next = self._read()
        if self._next is None:
            self._finish()
        self.feed.tick()
        return True

    def _read(self) -> Packet | None:
        try:
            return next(self._packets, None)
        except CaptureError as error:
            self.complaint = f"{error}, after {self.packets} packets"
            return None

    def _play(self, packet: Packet) -> None:
        segment = dissect(packet.link_type, packet.data)
        if segment is None:
            return
        rows = [_TRANSITION.match(comment) for comment in packet.comments]
        self._guesses &= not any(rows)
        connection = self._onlooker.find(segment)
        for connection, heard in self._onlooker.hear(packet.time, segment):
            self._hear(connection, heard)
        part = None if connection is None else self._known.get(connection)
        if connection is None or part is None:
            return
        for comment, found in zip(packet.comments, rows, strict=True):
            row = found and _TRANSITIONS.get(found.groups())  # type: ignore[arg-type]
            if row:
                part.talk.moved(row)
            elif not found:
                part.talk.note(comment)
        if connection.over:
            self._close(connection)

    def _hear(self, connection: Connection, heard: Heard | None) -> None:
        part = self._known.get(connection)
        if part is None:
            self._connections += 1
            talk = self.feed.open(connection.initiator, connection.target)
            talk.digests = connection.digests
            part = self._known[connection] = _Part(talk)
            if len(self._known) > MOST_CONNECTIONS:
                self._close(next(iter(self._known)))
        if heard is None:
            return
        if isinstance(heard, Remark):
            part.how = "broken off" if heard.text == _BROKEN else part.how
            part.talk.note(heard.text)
            return
        part.talk.hear(heard.cut, from_initiator=heard.from_initiator)
        if self._guesses:
            part.guess.hear(heard.cut)

    def _close(self, connection: Connection) -> None:
        part = self._known.pop(connection, None)
        if part is not None:
            if self._guesses:
                part.guess.close()
            part.talk.close(part.how, for_good=True)

    def _finish(self) -> None:
        for connection, heard in self._onlooker.finish():
            self._hear(connection, heard)
        if not self.complaint and not self._connections:
            self.complaint = "there is no TCP connection in the capture"
        for part in self._known.values():
            if self.complaint:
                part.talk.note(self.complaint)


class _Part:
    """One connection of the capture."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.guess = Guess(talk)
        self.how = "closed"
