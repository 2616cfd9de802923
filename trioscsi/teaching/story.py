"""What happens in a capture, one event after the other, for whoever shows it.

Connections begin; PDUs pass, each explained; things are missing; logins settle keys; and what a
trace says of its packets is passed on.  Nothing is kept but what later events need.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import attrs

from trioscsi.capture import Packet, dissect
from trioscsi.pdu import LoginRequest, LoginResponse, Pdu, TextRequest, TextResponse
from trioscsi.teaching.fields import Explained, explain
from trioscsi.teaching.negotiated import Line, Table, pairs_in
from trioscsi.teaching.onlooker import Connection, Heard, Onlooker, Remark, Said
from trioscsi.teaching.splitting import Cut
from trioscsi.teaching.summary import summary
from trioscsi.text import Side
from trioscsi.text.key import Kind
from trioscsi.text.keys import KEYS

TEXTS = (LoginRequest, LoginResponse, TextRequest, TextResponse)
"""The PDUs that carry keys."""
_MOST_TEXT = 65_536
"""Bytes of one text that are read."""


@attrs.frozen
class Began:
    """A connection has begun, or is seen for the first time."""

    connection: Connection


@attrs.frozen
class Spoke:
    """A PDU; ``time`` is in nanoseconds since the first thing that was heard of its connection."""

    connection: Connection
    time: int
    from_initiator: bool
    cut: Cut
    explained: Explained

    @property
    def line(self) -> str:
        """The PDU in one line."""
        return summary(self.explained, self.cut)

    @property
    def wrong(self) -> tuple[str, ...]:
        """What is wrong with it, a sentence each."""
        return (*self.explained.wrong, *self.cut.wrong)


@attrs.frozen
class Happened:
    """Something about the connection itself: bytes are missing, it was broken off, ..."""

    connection: Connection
    time: int
    from_initiator: bool
    text: str


@attrs.frozen
class Commented:
    """A comment on the packet that has just passed, such as a transition."""

    connection: Connection
    text: str


@attrs.frozen
class Settled:
    """A login, or a text negotiation, is over: its keys, and the same as rows of a table."""

    connection: Connection
    keys: tuple[Line, ...]
    rows: tuple[tuple[str, ...], ...]


Event = Began | Spoke | Happened | Commented | Settled


class Talk:
    """What has been understood of one connection so far."""

    def __init__(self) -> None:
        self._table = Table()
        self._text = {True: bytearray(), False: bytearray()}
        self._first: int | None = None

    def hear(self, connection: Connection, heard: Heard) -> Iterator[Event]:
        """Something that was heard of the connection, which is always the same one."""
        if self._first is None:
            self._first = heard.time
        time = heard.time - self._first
        if isinstance(heard, Remark):
            yield Happened(connection, time, heard.from_initiator, heard.text)
            return
        explained = explain(heard.cut.header, heard.cut.data, missing=heard.cut.missing)
        yield Spoke(connection, time, heard.from_initiator, heard.cut, explained)
        yield from self._negotiation(connection, heard, explained.pdu)

    def _negotiation(self, connection: Connection, said: Said, pdu: Pdu | None) -> Iterator[Event]:
        """Keep the keys of a login; when it is over, what was negotiated."""
        if not isinstance(pdu, TEXTS):
            return
        text = self._text[said.from_initiator]
        text += said.cut.data[: _MOST_TEXT - len(text)]
        if pdu.continue_:
            return
        pairs, _ = pairs_in(bytes(text))
        text.clear()
        side = Side.INITIATOR if said.from_initiator else Side.TARGET
        for name, value in pairs:
            self._table.hear(side, name, value)
        ends = isinstance(pdu, LoginResponse) and (
            bool(pdu.status_class) or (pdu.transit and pdu.nsg == 3)
        )
        if ends:
            _learn(connection, self._table)
        over = ends or (isinstance(pdu, TextResponse) and pdu.final)
        if over and self._table.rows:
            yield Settled(connection, tuple(self._table.lines), tuple(self._table.rows))
            self._table = Table()


class Story:
    """Takes the packets of a capture, gives events."""

    def __init__(self) -> None:
        self._onlooker = Onlooker()
        self._talks: WeakKeyDictionary[Connection, Talk] = WeakKeyDictionary()
        self.packets = 0
        self.others = 0
        """Packets that have no TCP in them."""
        self.connections = 0
        self.pdus = 0

    def hear(self, packet: Packet) -> Iterator[Event]:
        """One packet of the capture."""
        self.packets += 1
        segment = dissect(packet.link_type, packet.data)
        if segment is None:
            self.others += 1
            return
        connection = self._onlooker.find(segment)
        for connection, heard in self._onlooker.hear(packet.time, segment):
            yield from self._events(connection, heard)
        if connection is not None:
            for comment in packet.comments:
                yield Commented(connection, comment)

    def finish(self) -> Iterator[Event]:
        """The capture has ended: what is left of it."""
        for connection, heard in self._onlooker.finish():
            yield from self._events(connection, heard)

    def _events(self, connection: Connection, heard: Heard | None) -> Iterator[Event]:
        if heard is None:
            self.connections = max(self.connections, connection.number)
            yield Began(connection)
            return
        talk = self._talks.get(connection)
        if talk is None:
            talk = self._talks[connection] = Talk()
        self.pdus += isinstance(heard, Said)
        yield from talk.hear(connection, heard)


def _learn(connection: Connection, heard: Table) -> None:
    """The digests of a connection, from what its login has settled."""
    settled = {line.name: line.result for line in heard.lines if _is_list(line.name)}
    connection.digests.header = settled.get("HeaderDigest") == "CRC32C"
    connection.digests.data = settled.get("DataDigest") == "CRC32C"


def _is_list(name: str) -> bool:
    return name in KEYS and KEYS[name].kind is Kind.LIST
