"""What goes over the wire, taken apart: the record that all monitors look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import attrs

from trioscsi.errors import PeerError
from trioscsi.pdu import (
    BHS_LENGTH,
    BadDigest,
    Buffer,
    Framer,
    Malformed,
    Pdu,
    UnknownPdu,
    from_initiator,
)
from trioscsi.text import Side

_LARGEST_SEGMENT = 2**24 - 1
"""What a header can say: that a segment is longer than agreed is a matter for a monitor."""
_WORD = 4


@attrs.frozen
class Undecipherable:
    """A header whose digest is wrong: nothing after it on this connection can be judged."""

    header: bytes
    error: PeerError


@attrs.frozen
class Closed:
    """A side closed its end of the connection.

    ``missing`` is how many bytes of padding the last PDU lacked, if that is all that it lacked.
    """

    missing: int = 0


Thing: TypeAlias = Pdu | UnknownPdu | BadDigest | Malformed | Undecipherable | Closed


def bare(pdu: Any) -> Any:
    """The PDU without its data, to be kept."""
    return attrs.evolve(pdu, data=b"") if type(pdu).data_segment else pdu


@attrs.frozen
class Seen:
    """One PDU (or the end of the connection) at its place in the order of the wire."""

    number: int
    """Its place among all that was seen."""
    time: float
    """When it was seen, in seconds."""
    connection: int
    """On which connection, counted from 0."""
    sender: Side
    thing: Thing
    header: bytes = b""
    """All header segments, as they were sent."""
    padding: bytes = b""

    @property
    def pdu(self) -> Pdu | None:
        """The PDU, if it is one that the RFC knows; damaged data do not matter."""
        thing = self.thing.pdu if isinstance(self.thing, BadDigest) else self.thing
        return thing if isinstance(thing, Pdu) else None

    @property
    def has_own_opcode(self) -> bool:
        """Whether it is not a PDU that only the other side may send."""
        pdu = self.pdu
        return pdu is None or from_initiator(pdu.opcode) is (self.sender is Side.INITIATOR)

    def without_data(self) -> Seen:
        """The same as evidence that can be kept: only the headers are of interest then."""
        pdu = self.pdu
        if pdu is not None:
            return attrs.evolve(self, thing=bare(pdu))
        if isinstance(self.thing, UnknownPdu):
            return attrs.evolve(self, thing=attrs.evolve(self.thing, data=b""))
        return self

    def __str__(self) -> str:
        thing = self.pdu or self.thing
        return (
            f"#{self.number}, a {type(thing).__name__} of the {self.sender.value}"
            f" on connection {self.connection}"
        )


class Tap:
    """One direction of a connection: bytes in, PDUs out."""

    def __init__(self) -> None:
        self.framer = Framer(_LARGEST_SEGMENT)
        self.lost = False
        """Whether a damaged header has made the rest meaningless."""

    def receive(self, data: Buffer) -> Iterator[tuple[Thing, bytes, bytes]]:
        """Each PDU that is complete now, with its headers and its padding."""
        if self.lost:
            return
        framer = self.framer
        framer.receive(bytes(data))
        while True:
            try:
                thing = framer.next_pdu()
            except PeerError as error:
                self.lost = True
                yield (
                    Undecipherable(framer.last_header[:BHS_LENGTH], error),
                    framer.last_header,
                    b"",
                )
                return
            if thing is None:
                return
            yield thing, framer.last_header, framer.last_padding

    def close(self) -> Iterator[tuple[Thing, bytes, bytes]]:
        """The end; what lacked only its padding is handed over before."""
        for missing in range(1, _WORD):
            found = list(self.receive(bytes(1)))
            if found:
                thing, header, padding = found[0]
                if len(padding) >= missing:
                    yield thing, header, padding
                    yield Closed(missing), b"", b""
                    return
                break
        yield Closed(), b"", b""
