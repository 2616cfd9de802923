"""One direction of a stream cut into PDUs, each with the bytes that it was."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from trioscsi.conformance.stream import Thing, Undecipherable
from trioscsi.errors import PeerError
from trioscsi.pdu import BHS_LENGTH, Buffer, Framer

_LARGEST_SEGMENT = 2**24 - 1
_DIGEST = 4


@attrs.frozen
class Piece:
    """One PDU, and its bytes with padding and digests."""

    thing: Thing
    raw: bytes


class Cutter:
    """Feed it with ``receive``; the digests may be set between two PDUs."""

    def __init__(self) -> None:
        self.header_digest = False
        self.data_digest = False
        self._input = bytearray()

    def receive(self, data: Buffer) -> None:
        """Take the next bytes of the stream."""
        self._input += data

    def pieces(self) -> Iterator[Piece]:
        """Each PDU that is whole.  After a header whose digest is wrong, its rest is guessed."""
        while (size := self._size()) and len(self._input) >= size:
            raw = bytes(self._input[:size])
            del self._input[:size]
            yield Piece(self._parse(raw), raw)

    @property
    def rest(self) -> bytes:
        """The beginning of a PDU that is not whole."""
        return bytes(self._input)

    def _size(self) -> int:
        """The bytes of the next PDU; 0 if that is not known yet."""
        if len(self._input) < BHS_LENGTH:
            return 0
        ahs, data = self._input[4], int.from_bytes(self._input[5:8])
        size = BHS_LENGTH + 4 * ahs + data + (-data & 3)
        return size + _DIGEST * (self.header_digest + (self.data_digest and data > 0))

    def _parse(self, raw: bytes) -> Thing:
        framer = Framer(
            _LARGEST_SEGMENT, header_digest=self.header_digest, data_digest=self.data_digest
        )
        framer.receive(raw)
        try:
            thing = framer.next_pdu()
        except PeerError as error:
            return Undecipherable(raw[:BHS_LENGTH], error)
        assert thing is not None, "the piece is whole"
        return thing
