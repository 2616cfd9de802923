"""A stream of bytes to PDUs and back (RFC 7143 sections 11.1, 11.2 and 7.8)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

import attrs

from trioscsi.errors import DamagedHeader, PeerError, UsageError
from trioscsi.pdu.codes import RejectReason
from trioscsi.pdu.digest import DIGEST_LENGTH, digest, matches
from trioscsi.pdu.gathering import Destination, Gathering, Lend, Taker
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

Eager: TypeAlias = Callable[[Pdu, int], Taker | None]
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
) -> None:
    """Put what `encode` gives behind other buffers."""
    data = pdu.data
    length = len(data)
    if length > _DATA_LENGTH:
        raise UsageError(f"a data segment of {length} bytes")
    header = pdu.pack(length)
    if header_digest:
        header += digest(header)
    buffers.append(header)
    if length:
        buffers.append(data)
        trailer = _PADDING[-length & 3]
        if data_digest:
            trailer += digest(data, trailer)
        if trailer:
            buffers.append(trailer)


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
        "_apart",
        "_current",
        "_end",
        "_input",
        "_kept",
        "_kept_length",
        "_position",
        "_start",
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
        self.lend: Lend = _fresh
        self._input = _NOTHING
        self._position = self._end = 0
        self._kept: memoryview | None = None
        self._kept_length = 0
        self._current: Buffer = _NOTHING
        self._start = self._ahs_length = 0
        self._apart: Gathering | None = None
        """The large PDU whose data are gathered apart from its header."""

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
        if self._apart is not None:
            return self._apart.room()
        kept = self._kept
        return None if kept is None or len(kept) < _LARGE else kept[self._kept_length :]

    def filled(self, count: int) -> None:
        """So many bytes of the stream were put into what `get_buffer` gave."""
        if self._apart is not None:
            self._apart.come += count
        else:
            self._kept_length += count

    @property
    def header_length(self) -> int:
        """Bytes of a PDU before its data, if it has no additional header segments."""
        return BHS_LENGTH + (DIGEST_LENGTH if self.header_digest else 0)

    @property
    def left(self) -> int:
        """How many of the bytes that were received have not been taken out."""
        return self._end - self._position

    @property
    def pauses(self) -> bool:
        """Whether bytes are left of the data of a PDU that was heard eagerly."""
        apart = self._apart
        return apart is not None and apart.taker is not None and self.left > 0

    @property
    def rest(self) -> int | None:
        """How many bytes of a PDU are still to come that is partly here; None: not known yet.

        It is 0 where the next byte begins a PDU; to be asked when all PDUs were taken.
        """
        if self._apart is not None:
            return self._apart.length - self._apart.come
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
            if self._apart is not None:
                return self._next_apart(self._apart)
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
            if available >= data_start - start and not matches(current[start:data_start]):
                self._refuse_header()
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

    def _refuse_header(self) -> None:
        """A header has come that does not match its digest."""
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
        header = bytes(self._current[self._start : data_start])
        if self._kept is None:
            self._position = data_start
        else:
            self._kept, self._kept_length = None, 0
        self._current, self._start = header, 0
        owner = _UNPACK[opcode](header)
        self._apart = Gathering(owner, header, length, self.destination_for, self.lend)
        if self.eager is not None:
            self._apart.taker = self.eager(owner, length)
            if self._apart.taker is not None:
                return None
        return self._next_apart(self._apart)

    def _next_apart(self, apart: Gathering) -> Received | None:
        """Move what was received of a data segment to its place; the PDU once all is there."""
        self._position += apart.take(self._input[self._position : self._end])
        data = apart.whole
        if data is None:
            self._wait()
            return None
        self._apart = None
        self._current, self._start, self._ahs_length = apart.header, 0, 0
        if apart.taker is not None:
            apart.taker(data)
            return self.next_pdu()
        apart.owner.data = data  # type: ignore[misc]
        return apart.owner

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
