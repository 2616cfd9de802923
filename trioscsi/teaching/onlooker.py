"""The TCP connections of a capture, put together again: what each side said, in order.

Segments may come twice, out of order, or not at all.  What is missing is told; after it, the next
segment that begins like a PDU is where reading goes on.  Memory is bounded: of each direction
little is held back, and of connections that are over nothing is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heappop, heappush

import attrs

from trioscsi.capture.packets import ACK, FIN, RST, SYN, Address, Segment
from trioscsi.serial import MODULUS
from trioscsi.teaching.splitting import Cut, Digests, Splitter, looks_like_a_pdu

MOST_HELD = 2**20
"""Bytes of one direction that wait for earlier ones."""
MOST_HELD_IN_ALL = 64 * 2**20
"""The same for all connections together."""
MOST_CONNECTIONS = 4096
"""Connections that are followed at the same time; the one that was quiet longest gives way."""
DEFAULT_PORT = 3260


@attrs.frozen
class Said:
    """A PDU."""

    time: int
    from_initiator: bool
    cut: Cut


@attrs.frozen
class Remark:
    """Something about the connection itself."""

    time: int
    text: str
    from_initiator: bool = True


Heard = Said | Remark


class _Direction:
    """One side of a connection."""

    def __init__(self, digests: Digests, *, initiator: bool) -> None:
        self._initiator = initiator
        self._splitter = Splitter(digests)
        self._digests = digests
        self.first: int | None = None
        """The number of its first byte, if its beginning was seen."""
        self._next: int | None = None
        self._taken = 0
        """Bytes up to ``_next``: places do not begin anew, as sequence numbers do."""
        self._held: dict[int, bytes] = {}
        """What waits for earlier bytes, by its place."""
        self._places: list[int] = []
        """The same places as a heap."""
        self.held = 0
        """How many bytes wait."""
        self._known: int | None = None
        """The number up to which the other side has said that it has all."""
        self.ended = False
        """Whether it was seen to say that it is done: that is acknowledged as if it were a byte."""
        self._lost = True
        """Whether it is not known where PDUs begin."""
        self._torn = False
        self.repeated = 0
        """Bytes that came again."""
        self.pdus = 0

    @property
    def lost(self) -> bool:
        """Whether bytes are missing, so that it was not known where PDUs begin."""
        return self._torn

    def begin(self, sequence: int) -> None:
        """The side begins to speak: the first byte has this number."""
        if self.first is None:
            self.first = self._next = sequence
            self._lost = False

    def finds_strange(self, segment: Segment) -> bool:
        """Whether a PDU would have to begin with this segment, and none does."""
        due = not self._lost and segment.sequence == self.first
        return due and not looks_like_a_pdu(segment.payload, initiator=self._initiator)

    def hear(self, time: int, sequence: int, data: bytes, missing: int) -> Iterator[Heard]:
        """A segment; the capture has cut ``missing`` bytes off its end."""
        if self._next is None:
            self._next = sequence
        ahead = _difference(sequence, self._next)
        if ahead < 0:
            self.repeated += min(-ahead, len(data))
            data, sequence, ahead = data[-ahead:], self._next, 0
            if not data:
                return
        if ahead:
            self._hold(self._taken + ahead, data)
            if self.held > MOST_HELD:
                yield from self.give_up(time)
            return
        yield from self._take(time, data)
        if missing:
            yield from self._gap(time, missing, "were cut off by the capture")
        yield from self._take_held(time)

    def _hold(self, place: int, data: bytes) -> None:
        """Keep bytes that are early."""
        known = self._held.get(place)
        if known is None:
            heappush(self._places, place)
        elif len(known) >= len(data):
            self.repeated += len(data)
            return
        self.held += len(data) - len(known or b"")
        self._held[place] = data

    @property
    def lacks(self) -> bool:
        """Whether bytes are not here that the other side has, or that come before others."""
        if self.held or self._splitter.undecided:
            return True
        if self._next is None or self._known is None:
            return False
        return _difference(self._known, self._next) > self.ended

    def is_known_up_to(self, number: int) -> None:
        """The other side has all before this number."""
        if self._known is None or _difference(number, self._known) > 0:
            self._known = number

    def acknowledged(self, time: int, number: int) -> Iterator[Heard]:
        """The other side has all before this number: what is not here will not come any more."""
        if not self._places or self._next is None:
            return
        if _difference(number, self._next) > self._places[0] - self._taken:
            yield from self.give_up(time)

    def give_up(self, time: int) -> Iterator[Heard]:
        """Do not wait any longer for what is missing."""
        while self._places:
            missing = self._places[0] - self._taken
            if missing > 0:
                yield from self._gap(time, missing, "are missing in the capture")
            yield from self._take_held(time)

    def finish(self, time: int) -> Iterator[Heard]:
        """Nothing more comes."""
        yield from self.give_up(time)
        yield from self._said(time, self._splitter.finish())
        self._splitter = Splitter(self._digests)

    def _take_held(self, time: int) -> Iterator[Heard]:
        while self._places and self._places[0] <= self._taken:
            place = heappop(self._places)
            data = self._held.pop(place)
            self.held -= len(data)
            behind = self._taken - place
            self.repeated += min(behind, len(data))
            yield from self._take(time, data[behind:])

    def _take(self, time: int, data: bytes) -> Iterator[Heard]:
        if not data:
            return
        assert self._next is not None
        self._next = (self._next + len(data)) % MODULUS
        self._taken += len(data)
        if self._lost:
            if not looks_like_a_pdu(data, initiator=self._initiator):
                return
            self._lost = False
        yield from self._said(time, self._splitter.receive(data))

    def _gap(self, time: int, count: int, why: str) -> Iterator[Heard]:
        yield from self._said(time, self._splitter.finish())
        self._splitter = Splitter(self._digests)
        assert self._next is not None
        self._next = (self._next + count) % MODULUS
        self._taken += count
        self._lost = self._torn = True
        yield Remark(time, f"{count} bytes {why}", self._initiator)

    def _said(self, time: int, cuts: Iterator[Cut]) -> Iterator[Heard]:
        for cut in cuts:
            self.pdus += 1
            yield Said(time, self._initiator, cut)


class Connection:
    """One connection: ``number`` counts those of the capture from 1."""

    def __init__(self, number: int, initiator: Address, target: Address) -> None:
        self.number, self.initiator, self.target = number, initiator, target
        self.digests = Digests()
        """Set by whoever understands the login."""
        self._directions = {
            True: _Direction(self.digests, initiator=True),
            False: _Direction(self.digests, initiator=False),
        }
        self._ended: set[bool] = set()
        self.over = False
        self.foreign = False
        """Whether it is no iSCSI."""

    def hear(self, time: int, segment: Segment) -> Iterator[Heard]:
        """A segment of this connection."""
        from_initiator = segment.source == self.initiator
        this, other = self._directions[from_initiator], self._directions[not from_initiator]
        if segment.flags & SYN:
            this.begin((segment.sequence + 1) % MODULUS)
            if segment.flags & ACK:
                other.begin(segment.acknowledged)
            return
        if segment.flags & ACK:
            other.is_known_up_to(segment.acknowledged)
        if segment.payload and not self.foreign:
            if not self._heard_pdus and this.finds_strange(segment):
                self.foreign = True
                yield Remark(time, "this is no iSCSI", from_initiator)
                return
            yield from this.hear(time, segment.sequence, segment.payload, segment.missing)
        if segment.flags & ACK:
            yield from other.acknowledged(time, segment.acknowledged)
        if segment.flags & RST:
            yield Remark(time, "the connection is broken off", from_initiator)
        if segment.flags & FIN:
            this.ended = True
            self._ended.add(from_initiator)
        if segment.flags & RST or len(self._ended) == len(self._directions):
            self.over = True

    @property
    def from_its_beginning(self) -> bool:
        """Whether it is known which byte of each side is the first."""
        return all(direction.first is not None for direction in self._directions.values())

    @property
    def is_torn(self) -> bool:
        """Whether it is not known any more, on one side, where PDUs begin."""
        return self.foreign or any(direction.lost for direction in self._directions.values())

    def lacks(self, *, initiator: bool) -> bool:
        """Whether a side has said something that is not here, as far as is known."""
        return self._directions[initiator].lacks

    @property
    def initiator_closed(self) -> bool:
        """Whether the initiator has said that it is done."""
        return True in self._ended

    def is_followed_by(self, segment: Segment) -> bool:
        """Whether a segment begins another connection between the same addresses."""
        first = self._directions[True].first
        begins = segment.flags & (SYN | ACK) == SYN
        return begins and first is not None and first != (segment.sequence + 1) % MODULUS

    def finish(self, time: int) -> Iterator[Heard]:
        """Nothing more comes of it."""
        if not self.foreign:
            for direction in self._directions.values():
                yield from direction.finish(time)
        repeated = sum(direction.repeated for direction in self._directions.values())
        if repeated:
            yield Remark(time, f"{repeated} bytes came more than once")

    def give_up(self, time: int) -> Iterator[Heard]:
        """Do not wait any longer for what is missing, on either side."""
        for direction in self._directions.values():
            yield from direction.give_up(time)

    @property
    def held(self) -> int:
        """Bytes that wait for earlier ones."""
        return sum(direction.held for direction in self._directions.values())

    @property
    def _heard_pdus(self) -> int:
        return sum(direction.pdus for direction in self._directions.values())


class Onlooker:
    """Follows all connections of a capture."""

    def __init__(self) -> None:
        self._connections: OrderedDict[frozenset[Address], Connection] = OrderedDict()
        self._count = 0
        self._time = 0
        self._held = 0
        """Bytes of all connections that wait for earlier ones."""

    def find(self, segment: Segment) -> Connection | None:
        """The connection that a segment belongs to, if it has begun."""
        return self._connections.get(frozenset((segment.source, segment.destination)))

    def hear(self, time: int, segment: Segment) -> Iterator[tuple[Connection, Heard | None]]:
        """A segment; None announces a connection that has begun."""
        self._time = time
        key = frozenset((segment.source, segment.destination))
        connection = self._connections.get(key)
        if connection is not None and connection.is_followed_by(segment):
            yield from self._end(connection, time)
            connection = None
        if connection is None:
            if not segment.payload and not segment.flags & SYN:
                return
            connection = self._new(key, segment)
            yield connection, None
        self._connections.move_to_end(key)
        before = connection.held
        for heard in connection.hear(time, segment):
            yield connection, heard
        self._held += connection.held - before
        if self._held > MOST_HELD_IN_ALL:
            yield from self._give_up(time)
        if connection.over:
            yield from self._end(connection, time)
            del self._connections[key]
        if len(self._connections) > MOST_CONNECTIONS:
            _, oldest = self._connections.popitem(last=False)
            yield from self._end(oldest, time)

    def _give_up(self, time: int) -> Iterator[tuple[Connection, Heard | None]]:
        """Let that connection not wait any longer which holds most."""
        most = max(self._connections.values(), key=lambda each: each.held)
        self._held -= most.held
        for heard in most.give_up(time):
            yield most, heard

    def finish(self) -> Iterator[tuple[Connection, Heard | None]]:
        """The capture has ended."""
        for connection in self._connections.values():
            yield from self._end(connection, self._time)
        self._connections.clear()

    def _end(self, connection: Connection, time: int) -> Iterator[tuple[Connection, Heard | None]]:
        self._held -= connection.held
        for heard in connection.finish(time):
            yield connection, heard

    def _new(self, key: frozenset[Address], segment: Segment) -> Connection:
        self._count += 1
        ends = segment.source, segment.destination
        if not _from_initiator(segment):
            ends = ends[1], ends[0]
        connection = self._connections[key] = Connection(self._count, *ends)
        return connection


def _from_initiator(segment: Segment) -> bool:
    """Who it is that speaks, as well as one can tell."""
    if segment.flags & SYN:
        return not segment.flags & ACK
    if DEFAULT_PORT in (segment.source[1], segment.destination[1]):
        return segment.destination[1] == DEFAULT_PORT
    for initiator in (True, False):
        if looks_like_a_pdu(segment.payload, initiator=initiator):
            return initiator
    return segment.source[1] > segment.destination[1]


def _difference(number: int, reference: int) -> int:
    """How far a sequence number is ahead of another."""
    ahead = (number - reference) % MODULUS
    return ahead - MODULUS if ahead >= MODULUS // 2 else ahead
