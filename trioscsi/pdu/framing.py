"""A stream of bytes to PDUs and back (RFC 7143 sections 11.1, 11.2 and 7.8)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

import attrs

from trioscsi.errors import DamagedHeader, PeerError, UsageError
from trioscsi.pdu.codes import RejectReason
from trioscsi.pdu.digest import DIGEST_LENGTH, digest, matches
from trioscsi.pdu.header import AHS_MAXIMUM
from trioscsi.pdu.layout import BHS_LENGTH, Buffer, Pdu
from trioscsi.pdu.opcodes import CLASSES, OPCODE_BITS

_LENGTHS = struct.Struct(">B3xI")
_DATA_LENGTH = 0xFFFFFF
_PADDING = (b"", bytes(1), bytes(2), bytes(3))
_NOTHING = memoryview(b"")
# What is looked up for each PDU, looked up beforehand where that takes long.
_lengths = _LENGTHS.unpack_from
_UNPACK = {int(opcode): cls.unpack for opcode, cls in CLASSES.items()}
_WITHOUT_DATA = {int(opcode) for opcode, cls in CLASSES.items() if not cls.data_segment}
_LARGE = 131_072
"""From so many bytes on, a PDU that is partly here is worth a buffer to receive the rest into."""

Destination: TypeAlias = Callable[[Pdu, int], memoryview | None]
"""Where the data segment of this PDU (still without data, of so many bytes) is to be stored.

None if that is nowhere in particular, or not any longer.
"""

Eager: TypeAlias = Callable[[Pdu, int], Callable[[memoryview], None] | None]
"""Hears this PDU (still without data, of so many bytes) at once, and says who takes its data.

None if it is to be heard like any other, when all of it has come.
"""


def _fresh(length: int) -> memoryview:
    return memoryview(bytearray(length))


@attrs.define
class UnknownPdu:
    """A PDU whose opcode the RFC does not assign; vendor opcodes are among them."""

    opcode: int
    header: bytes
    """All header segments."""
    data: Buffer


@attrs.define
class BadDigest:
    """A PDU whose data are damaged, as their digest tells (section 7.8)."""

    pdu: Pdu | UnknownPdu


@attrs.define
class Malformed:
    """A PDU that contradicts itself; the stream goes on after it (section 7.7)."""

    header: bytes
    """All header segments."""
    error: PeerError
    """What is wrong, with the reason for a Reject as its answer."""


Received: TypeAlias = Pdu | UnknownPdu | BadDigest | Malformed


def encode(
    pdu: Pdu, *, header_digest: bool = False, data_digest: bool = False
) -> list[bytes | bytearray | memoryview]:
    """The buffers of one PDU, to be sent one after the other; ``pdu.data`` is not copied.

    Raises UsageError if a value does not fit its field.
    """
    buffers: list[bytes | bytearray | memoryview] = []
    append(buffers, pdu, header_digest, data_digest)
    return buffers


def append(
    buffers: list[bytes | bytearray | memoryview],
    pdu: Pdu,
    header_digest: bool,
    data_digest: bool,
) -> int:
    """Put what `encode` gives behind other buffers; returns how many bytes that is."""
    data = pdu.data
    length = len(data)
    if length > _DATA_LENGTH:
        raise UsageError(f"a data segment of {length} bytes")
    ahs = pdu.pack_ahs()
    header = pdu.pack(len(ahs), length)
    if ahs:
        header += ahs
    if header_digest:
        header += digest(header)
    buffers.append(header)
    if not length:
        return len(header)
    buffers.append(data)
    trailer = _PADDING[-length & 3]
    if data_digest:
        trailer += digest(data, trailer)
    if trailer:
        buffers.append(trailer)
    return len(header) + length + len(trailer)


class Framer:
    """Takes a byte stream apart, however it was cut.

    Feed it with ``receive``, then call ``next_pdu`` until it returns None. PDUs that are whole
    in what was received are read there, without a copy; of one that is not, what has come is
    kept, in a buffer of its own size that never exceeds the limits. A large data segment can go
    where it belongs instead, if ``destination_for`` knows and no digest has to be checked first;
    `get_buffer` and `filled` are for a driver that receives the rest of it right there.

    ``eager`` may hear such a PDU before its data have come. Then ``next_pdu`` returns None although
    bytes may be left (it `pauses`): what the PDU asks for is done first, as that tells where its
    data belong.

    ``max_data_segment_length`` is what we declared to the peer (section 13.12). It and the two
    digest flags may be set between two PDUs, that is before ``next_pdu`` is called again. After a
    PeerError the stream is lost, and ``next_pdu`` raises the same error for ever. ``lend`` gives
    the buffers for what is kept: writable, of a given length and any content.
    """

    __slots__ = (
        "_ahs_length",
        "_come",
        "_current",
        "_data",
        "_data_length",
        "_end",
        "_header",
        "_in_place",
        "_input",
        "_kept",
        "_kept_length",
        "_owner",
        "_position",
        "_start",
        "_taker",
        "data_digest",
        "destination_for",
        "eager",
        "header_digest",
        "lend",
        "max_ahs_length",
        "max_data_segment_length",
    )

    def __init__(
        self,
        max_data_segment_length: int,
        *,
        max_ahs_length: int = AHS_MAXIMUM,
        header_digest: bool = False,
        data_digest: bool = False,
    ) -> None:
        self.max_data_segment_length = max_data_segment_length
        self.max_ahs_length = max_ahs_length
        self.header_digest = header_digest
        self.data_digest = data_digest
        self.destination_for: Destination | None = None
        self.eager: Eager | None = None
        self.lend: Callable[[int], memoryview] = _fresh
        self._input = _NOTHING
        self._position = self._end = 0
        self._kept: memoryview | None = None
        self._kept_length = 0
        self._current: Buffer = _NOTHING
        self._start = self._ahs_length = 0
        self._owner: Pdu | None = None
        """The large PDU whose data are gathered apart from its header, still without them."""
        self._header = b""
        self._taker: Callable[[memoryview], None] | None = None
        """Who has heard it already."""
        self._data: memoryview | None = None
        """Where they are gathered, once the first of them are moved there."""
        self._in_place = False
        """Whether that is where they belong."""
        self._data_length = self._come = 0

    def receive(self, data: Buffer) -> None:
        """Take the next bytes of the stream; they must stay as they are until ``next_pdu``
        returns None, and as long as the data of a PDU out of them are in use.

        Raises UsageError if there are still PDUs to take out of the bytes before.
        """
        if self._position != self._end:
            raise UsageError("bytes received before all PDUs were taken")
        self._input = memoryview(data)
        self._position, self._end = 0, len(data)

    def get_buffer(self) -> memoryview | None:
        """Room for the rest of a large PDU that is partly here, or None if there is none.

        What is put there is not to be received, but told with `filled`; then call ``next_pdu``.
        """
        if self._position != self._end:
            return None
        if self._owner is not None:
            return self._place_of(self._owner)[self._come :]
        kept = self._kept
        return None if kept is None or len(kept) < _LARGE else kept[self._kept_length :]

    def filled(self, count: int) -> None:
        """So many bytes of the stream were put into what `get_buffer` gave."""
        if self._owner is not None:
            self._come += count
        else:
            self._kept_length += count

    @property
    def pauses(self) -> bool:
        """Whether bytes are left of the data of a PDU that was heard eagerly."""
        return self._taker is not None and self._position != self._end

    @property
    def rest(self) -> int | None:
        """How many bytes of a PDU are still to come that is partly here; None: not known yet.

        It is 0 where the next byte begins a PDU; to be asked when all PDUs were taken.
        """
        if self._owner is not None:
            return self._data_length - self._come
        kept = self._kept
        if kept is None:
            return 0
        if self._kept_length < BHS_LENGTH:
            return None
        data_length = int.from_bytes(kept[5:8])
        size = BHS_LENGTH + self.header_digest * DIGEST_LENGTH + (kept[4] << 2)
        size += data_length + (-data_length & 3)
        if self.data_digest and data_length:
            size += DIGEST_LENGTH
        return size - self._kept_length

    @property
    def last_header(self) -> bytes:
        """All header segments of what ``next_pdu`` returned or refused last, for a Reject."""
        return bytes(self._current[self._start : self._start + BHS_LENGTH + self._ahs_length])

    @property
    def last_padding(self) -> bytes:
        """The bytes that pad the data segment of what ``next_pdu`` returned last (section 11.2).

        Data that were put where ``destination_for`` wanted them have none.
        """
        end = self._start + BHS_LENGTH + self._ahs_length + self.header_digest * DIGEST_LENGTH
        _, data_length = _LENGTHS.unpack_from(self._current, self._start)
        end += data_length & _DATA_LENGTH
        return bytes(self._current[end : end + (-data_length & 3)])

    def next_pdu(self) -> Received | None:
        """The next PDU, or None if more bytes are needed.

        Raises PeerError if the rest of the stream cannot be understood: the header is damaged
        (section 7.8), or a segment is larger than allowed (section 13.12).
        """
        kept = self._kept
        if kept is None:
            if self._owner is not None:
                return self._next_apart(self._owner)
            current, start, available = self._input, self._position, self._end - self._position
        else:
            self._refill(kept)
            current, start, available = kept, 0, self._kept_length
        if available < BHS_LENGTH:
            if not available:
                self._wait()
                return None
            return self._keep(BHS_LENGTH)

        first, data_length = _lengths(current, start)
        self._current, self._start, self._ahs_length = current, start, 0
        data_start = start + BHS_LENGTH
        if data_length > self.max_data_segment_length:  # or additional header segments are there
            data_length &= _DATA_LENGTH
            self._ahs_length = self._check_lengths(current[start + 4] << 2, data_length)
            data_start += self._ahs_length
        if self.header_digest:
            data_start += DIGEST_LENGTH
            if available >= data_start - start:
                self._check_header(data_start)
        end = data_end = data_start
        if data_length:
            end = data_end = data_start + data_length + (-data_length & 3)
            if self.data_digest:
                end += DIGEST_LENGTH
        if available < end - start:
            if data_length < _LARGE or end - data_start > data_length or self._ahs_length:
                return self._keep(end - start)
            if available < data_start - start:
                return self._keep(data_start - start)
            return self._begin_apart(first & OPCODE_BITS, data_start, data_length)

        if kept is None:
            self._position = end
        else:
            self._kept, self._kept_length = None, 0
        data = current[data_start : data_start + data_length] if data_length else b""
        pdu = self._decode(first & OPCODE_BITS, data)
        if end != data_end and not matches(current[data_start:end]):
            return pdu if isinstance(pdu, Malformed) else BadDigest(pdu)
        return pdu

    def _decode(self, opcode: int, data: Buffer) -> Pdu | UnknownPdu | Malformed:
        """The PDU at the current place; its header is whole, its lengths are not checked yet."""
        unpack = _UNPACK.get(opcode)
        if unpack is None:
            return UnknownPdu(opcode, self.last_header, data)
        if data and opcode in _WITHOUT_DATA:
            name = CLASSES[opcode].__name__
            return self._malformed(f"a data segment in a {name}", "11.2.1.6")
        pdu = unpack(self._current, self._start, data)
        if self._ahs_length:
            try:
                ahs = self._start + BHS_LENGTH
                pdu.unpack_ahs(self._current[ahs : ahs + self._ahs_length])
            except PeerError as error:
                return Malformed(self.last_header, error)
        return pdu

    def _check_header(self, end: int) -> None:
        if not matches(self._current[self._start : end]):
            raise DamagedHeader("a header digest does not match its header", section="7.8")

    def _keep(self, size: int) -> Received | None:
        """Set aside what there is of a PDU that takes at least ``size`` bytes."""
        kept = self._kept
        if (kept is None and self._position != self._end) or (kept and len(kept) < size):
            larger = self.lend(size)
            if kept:
                larger[: len(kept)] = kept
            self._kept = larger
            self._refill(larger)
            if self._kept_length == size:
                return self.next_pdu()
        self._wait()
        return None

    def _wait(self) -> None:
        """Let go of what was received: all of it was taken or set aside."""
        self._input = self._current = _NOTHING
        self._position = self._end = 0

    def _begin_apart(self, opcode: int, data_start: int, length: int) -> Received | None:
        """A large PDU is here with its header: its data are gathered apart from it."""
        if opcode not in _UNPACK or opcode in _WITHOUT_DATA:
            return self._keep(data_start - self._start + length)
        self._header = bytes(self._current[self._start : data_start])
        if self._kept is None:
            self._position = data_start
        else:
            self._kept, self._kept_length = None, 0
        owner = self._owner = _UNPACK[opcode](self._header)
        self._data_length, self._come = length, 0
        self._current, self._start = self._header, 0
        if self.eager is not None:
            self._taker = self.eager(owner, length)
            if self._taker is not None:
                return None
        return self._next_apart(owner)

    def _next_apart(self, owner: Pdu) -> Received | None:
        """Move what was received of a data segment to its place; the PDU once all is there."""
        if self._come < self._data_length and self._position != self._end:
            place = self._place_of(owner)
            count = min(self._data_length - self._come, self._end - self._position)
            stop = self._position + count
            place[self._come : self._come + count] = self._input[self._position : stop]
            self._come += count
            self._position = stop
        if self._come < self._data_length:
            self._wait()
            return None
        data, taker = self._data, self._taker
        assert data is not None, "they have come to somewhere"
        self._owner, self._data, self._taker = None, None, None
        self._current, self._start, self._ahs_length = self._header, 0, 0
        if taker is not None:
            taker(data)
            return self.next_pdu()
        owner.data = data  # type: ignore[misc]
        return owner

    def _place_of(self, owner: Pdu) -> memoryview:
        """Where the data of a large PDU are gathered: where they belong, as long as they do."""
        data = self._data
        if data is None or self._in_place:
            place = None
            if self.destination_for is not None:
                place = self.destination_for(owner, self._data_length)
            if data is None or place is None:
                self._in_place = place is not None
                gathered = self.lend(self._data_length) if place is None else place
                if data is not None:
                    gathered[: self._come] = data[: self._come]
                self._data = data = gathered
        return data

    def _refill(self, kept: memoryview) -> None:
        """Move bytes from the input into ``kept``, as many as there are and as it holds."""
        count = min(len(kept) - self._kept_length, self._end - self._position)
        stop = self._position + count
        kept[self._kept_length : self._kept_length + count] = self._input[self._position : stop]
        self._kept_length += count
        self._position = stop

    def _check_lengths(self, ahs_length: int, data_length: int) -> int:
        """Raise PeerError if a segment is larger than allowed; returns ``ahs_length``."""
        self._ahs_length = ahs_length
        if data_length > self.max_data_segment_length:
            raise PeerError(
                f"a data segment of {data_length} bytes,"
                f" {self.max_data_segment_length} were allowed",
                section="13.12",
                answer=RejectReason.PROTOCOL_ERROR,
            )
        if ahs_length > self.max_ahs_length:
            raise PeerError(
                f"{ahs_length} bytes of additional header segments,"
                f" {self.max_ahs_length} were allowed",
                section="11.2.1.5",
                answer=RejectReason.PROTOCOL_ERROR,
            )
        return ahs_length

    def _malformed(self, reason: str, section: str) -> Malformed:
        error = PeerError(reason, section=section, answer=RejectReason.INVALID_PDU_FIELD)
        return Malformed(self.last_header, error)
