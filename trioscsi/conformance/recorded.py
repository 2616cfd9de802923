"""A recorded session, judged: captures of Wireshark, of tcpdump, or of ``serve --trace``.

What is missing in a capture is missing: a connection is judged from its login up to the first gap,
and it is said how far that is.  After a gap, and where the login is not there, each PDU is judged
by itself, by the monitors that need not know what was before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from operator import itemgetter

from trioscsi.capture.packets import dissect
from trioscsi.capture.reading import Packet
from trioscsi.conformance.judge import Judge, ignore
from trioscsi.conformance.stream import Thing
from trioscsi.conformance.verdicts import Finding, Result
from trioscsi.pdu import BadDigest, Framer, Malformed, Pdu, UnknownPdu
from trioscsi.teaching.onlooker import Connection, Heard, Onlooker, Said
from trioscsi.teaching.splitting import Cut
from trioscsi.text import Side

_LARGEST_SEGMENT = 2**24 - 1
_SECOND = 10**9


class RecordedJudge:
    """Give it the packets of a capture in their order, then ask what it found."""

    def __init__(self, *, tell: Callable[[Finding], None] = ignore) -> None:
        self._judge = Judge(tell=tell)
        self._onlooker = Onlooker()
        self._numbers: dict[Connection, int] = {}
        """What the judge calls the connections."""
        self._torn: set[Connection] = set()
        """Those of which something is not known."""
        self.notes: list[str] = []
        """How far connections could be judged, where that is not to their end."""
        self.packets = 0
        self.connections = 0
        """How many connections there were, judged or not."""

    @property
    def pdus(self) -> int:
        """How many PDUs there were, and ends of connections that were judged to their end."""
        return self._judge.seen

    def hear(self, packet: Packet) -> None:
        """The next packet; what is no TCP is passed over."""
        self.packets += 1
        segment = dissect(packet.link_type, packet.data)
        if segment is None:
            return
        heard_now = self._onlooker.hear(packet.time, segment)
        for connection, all_heard in groupby(heard_now, key=itemgetter(0)):
            for _, heard in all_heard:
                self._follow(connection, heard)
            # One that is over may have had much to say that was held back.
            if connection.over:
                self._close(connection, packet.time)

    def end(self) -> Mapping[str, Result]:
        """The capture is over: what became of each monitor."""
        for connection, heard in self._onlooker.finish():
            self._follow(connection, heard)
        for number in self._numbers.values():
            self._judge.abandon(number)
        return self._judge.end()

    def _follow(self, connection: Connection, heard: Heard | None) -> None:
        if heard is None:
            self.connections += 1
        elif isinstance(heard, Said):
            self._take(connection, heard)
        elif connection.is_torn:
            self._lose(connection, heard.text)

    def _take(self, connection: Connection, said: Said) -> None:
        if connection not in self._numbers:
            self._begin(connection)
        if connection not in self._torn:
            if not said.cut.is_whole:
                self._lose(connection, "a PDU is not whole")
            elif connection.lacks(initiator=not said.from_initiator):
                # What the other side has said before this is not here: their order is not known.
                self._lose(connection, "packets are missing, or not in their order")
        side = Side.INITIATOR if said.from_initiator else Side.TARGET
        number, time = self._numbers[connection], said.time / _SECOND
        if connection not in self._torn:
            self._judge.take(number, side, thing_of(said.cut), said.cut.header, time)
            self._follow_digests(connection, number)
        elif said.cut.is_whole:
            self._judge.glance(number, side, thing_of(said.cut), said.cut.header, time)

    def _follow_digests(self, connection: Connection, number: int) -> None:
        known = self._judge.record.connections[number]
        if known.logged_in:
            connection.digests.header = known.parameters.header_digest
            connection.digests.data = known.parameters.data_digest

    def _begin(self, connection: Connection) -> None:
        self._numbers[connection] = self._judge.open(connection.number)
        if not connection.from_its_beginning:
            self._tear(connection, f"it begins in the middle, before PDU {self._judge.seen}")

    def _lose(self, connection: Connection, why: str) -> None:
        if connection in self._numbers and connection not in self._torn:
            self._tear(connection, f"it is judged up to PDU {self._judge.seen} only: {why}")

    def _tear(self, connection: Connection, note: str) -> None:
        self._torn.add(connection)
        self._judge.abandon(self._numbers[connection])
        self._note(connection, f"{note}; from there on each PDU is judged by itself")

    def _close(self, connection: Connection, time: int) -> None:
        number = self._numbers.pop(connection, None)
        if number is not None and connection not in self._torn:
            side = Side.INITIATOR if connection.initiator_closed else Side.TARGET
            self._judge.close(number, side, time / _SECOND)
        self._torn.discard(connection)

    def _note(self, connection: Connection, text: str) -> None:
        self.notes.append(f"connection {connection.number}: {text}")


def thing_of(cut: Cut) -> Thing:
    """The PDU that an onlooker has cut out of a stream."""
    data = cut.data.ljust(cut.data_length, b"\0")
    framer = Framer(_LARGEST_SEGMENT)
    framer.receive(cut.header + data + bytes(-len(data) % 4))
    thing = framer.next_pdu()
    assert thing is not None, "it is whole, and says so"
    if cut.wrong and isinstance(thing, Pdu | UnknownPdu) and not isinstance(thing, Malformed):
        return BadDigest(thing)
    return thing
