"""A stream of bytes cut into PDUs, one direction of a connection as an onlooker sees it.

Unlike `trioscsi.pdu.Framer` it refuses nothing, keeps little of large PDUs, and can begin anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from trioscsi.pdu import BHS_LENGTH, CLASSES, Opcode, Pdu, from_initiator
from trioscsi.pdu.digest import DIGEST_LENGTH, digest
from trioscsi.pdu.opcodes import OPCODE_BITS

MOST_DATA = 65_536
"""Bytes of one data segment that are kept."""

_LOGIN = {Opcode.LOGIN_REQUEST, Opcode.LOGIN_RESPONSE}


@attrs.frozen
class Cut:
    """A PDU: all its header segments, its data as far as they are kept, and its digests."""

    header: bytes
    data: bytes
    data_length: int
    missing: int = 0
    """Bytes of the data that the stream does not have."""
    wrong: tuple[str, ...] = ()
    """What its digests say."""

    @property
    def is_whole(self) -> bool:
        """Whether the stream has all of it: the end may have come in the middle of a header."""
        if len(self.header) < BHS_LENGTH:
            return False
        return not self.missing and len(self.header) == BHS_LENGTH + (self.header[4] << 2)


@attrs.define
class Digests:
    """Which digests a connection has; None: that is not known, and is found out."""

    header: bool | None = None
    data: bool | None = None


class Splitter:
    """Takes bytes, gives PDUs."""

    def __init__(self, digests: Digests) -> None:
        self.digests = digests
        self._buffer = bytearray()
        self._header: bytes | None = None
        self._wrong: tuple[str, ...] = ()
        self._segment = bytearray()
        """What is kept of the data, of its padding and of its digest."""
        self._left = 0
        """Bytes of these that are still to come."""
        self.undecided = False
        """Whether a header is here, and not known whether its digest is to come."""

    def receive(self, data: bytes) -> Iterator[Cut]:
        """The PDUs that end in these bytes."""
        self._buffer += data
        yield from self._cut(last=False)

    def finish(self) -> Iterator[Cut]:
        """What is left when nothing more comes: perhaps a PDU that is cut."""
        yield from self._cut(last=True)
        if self._header is not None:
            yield self._end()
        elif self._buffer:
            yield Cut(bytes(self._buffer), b"", 0)
            self._buffer.clear()

    def _cut(self, *, last: bool) -> Iterator[Cut]:
        while self._header is not None or self._begin(last=last):
            step = min(self._left, len(self._buffer))
            room = MOST_DATA + 8 - len(self._segment)
            self._segment += self._buffer[: min(step, room)]
            del self._buffer[:step]
            self._left -= step
            if self._left:
                return
            yield self._end()

    def _begin(self, *, last: bool) -> bool:
        """Take a header, if it is there, and it is known whether it has a digest."""
        buffer, digests = self._buffer, self.digests
        if len(buffer) < BHS_LENGTH:
            return False
        length = BHS_LENGTH + (buffer[4] << 2)
        may_have_digest = buffer[0] & OPCODE_BITS not in _LOGIN and digests.header is not False
        needed = length + DIGEST_LENGTH if may_have_digest else length
        if len(buffer) < (length if last else needed):
            self.undecided = digests.header is None and len(buffer) >= length
            return False
        header, found = bytes(buffer[:length]), bytes(buffer[length:needed])
        self._header, self._wrong, self.undecided = header, (), False
        if may_have_digest:
            if digests.header is None:
                digests.header = found == digest(header)
            if not digests.header:
                needed = length
            elif found != digest(header):
                self._wrong = ("the header digest does not match (RFC 7143 section 7.8)",)
        del buffer[:needed]
        self._left = _size(header) + (-_size(header) & 3) + self._digest_length(header)
        return True

    def _digest_length(self, header: bytes) -> int:
        """How long the digest of the data is."""
        has_one = self.digests.data and header[0] & OPCODE_BITS not in _LOGIN
        return DIGEST_LENGTH if has_one and _size(header) else 0

    def _end(self) -> Cut:
        header, segment = self._header or b"", bytes(self._segment)
        size, wrong = _size(header), self._wrong
        padded = size + (-size & 3)
        length = self._digest_length(header)
        checked = length and not self._left and padded + length == len(segment)
        if checked and digest(segment[:padded]) != segment[padded:]:
            wrong = (*wrong, "the data digest does not match (RFC 7143 section 7.8)")
        missing = max(self._left - (padded - size) - length, 0)
        self._header, self._left = None, 0
        self._segment.clear()
        return Cut(header, segment[: min(size, MOST_DATA)], size, missing, wrong)


def _size(header: bytes) -> int:
    return int.from_bytes(header[5:8], "big")


def _fixed_bits(cls: type[Pdu]) -> tuple[int, int]:
    """Of the first eight bytes: the bits that always have the same value, and that value."""
    free, ones = 0xFFFFFFFF, 0  # both lengths
    for field in cls.fields:
        place = field.place
        mask = ((1 << place.width) - 1) << (64 - place.first - place.width) if place.byte < 4 else 0
        if place.ones:
            ones |= mask
        else:
            free |= mask
    return ~free & (1 << 64) - 1, ones | cls.opcode << 56


_FIXED_BITS = {opcode: _fixed_bits(cls) for opcode, cls in CLASSES.items()}


def looks_like_a_pdu(data: bytes, *, initiator: bool | None = None) -> bool:
    """Whether a PDU may begin here, by its first eight bytes; of this side, if that is known."""
    if len(data) < 8 or data[0] & 0x80:
        return False
    opcode = data[0] & OPCODE_BITS
    cls = CLASSES.get(opcode)
    if cls is None or (initiator is not None and from_initiator(opcode) is not initiator):
        return False
    mask, value = _FIXED_BITS[opcode]
    if int.from_bytes(data[:8], "big") & mask != value:
        return False
    size = int.from_bytes(data[5:8], "big")
    return bool(cls.data_segment or not size) and (not data[4] or opcode == Opcode.SCSI_COMMAND)
