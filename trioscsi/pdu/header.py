"""Additional header segments (RFC 7143 section 11.2.2): only a SCSI Command can have them."""

from __future__ import annotations

import struct

from trioscsi.errors import PeerError, UsageError
from trioscsi.pdu.codes import AhsType, RejectReason
from trioscsi.pdu.layout import Buffer

AHS_MAXIMUM = 255 * 4
"""All additional header segments of one PDU, in bytes, padding included (section 11.2.1.5)."""

_PREFIX = struct.Struct(">HBx")
_READ_LENGTH = struct.Struct(">HBxI")
_READ_LENGTH_SIZE = 5
_TYPE_BITS = 0x3F
_TYPES = frozenset(AhsType)


def padding(length: int) -> int:
    """How many bytes pad a segment of ``length`` bytes to whole words (section 11.1)."""
    return -length & 3


def pack_ahs(cdb_rest: Buffer, read_length: int | None) -> bytes:
    """The segments that carry what does not fit into the basic header segment.

    ``cdb_rest`` is the CDB from its seventeenth byte on. Raises UsageError if all of it is too
    much for one header.
    """
    parts = []
    if cdb_rest:
        # AHSLength counts the reserved byte before the spilled part of the CDB.
        prefix = _PREFIX.pack(len(cdb_rest) + 1, AhsType.EXTENDED_CDB)
        parts += [prefix, bytes(cdb_rest), bytes(padding(len(cdb_rest)))]
    if read_length is not None:
        parts.append(
            _READ_LENGTH.pack(_READ_LENGTH_SIZE, AhsType.BIDIRECTIONAL_READ_LENGTH, read_length)
        )
    ahs = b"".join(parts)
    if len(ahs) > AHS_MAXIMUM:
        raise UsageError(f"{len(ahs)} bytes of additional header segments in one PDU")
    return ahs


def unpack_ahs(ahs: Buffer) -> tuple[bytes, int | None]:
    """The rest of the CDB and the bidirectional read length; b"" and None if not there.

    Raises PeerError if the segments contradict themselves or are of an unknown type.
    """
    found: dict[int, memoryview] = {}
    rest = memoryview(ahs)
    while rest:
        length, code = _PREFIX.unpack_from(rest)
        code &= _TYPE_BITS
        # The length leaves out AHSLength and AHSType but counts the reserved byte after them.
        end = 3 + length
        if code not in _TYPES:
            raise _malformed(
                f"AHS type {code} is reserved", "11.2.2.1", RejectReason.PROTOCOL_ERROR
            )
        if code in found:
            raise _malformed(f"two segments of AHS type {code}", "11.2.2")
        if end > len(rest):
            raise _malformed("an additional header segment longer than all of them", "11.2.2.2")
        found[code] = rest[4:end]
        rest = rest[end + padding(end) :]
    return _cdb_rest(found), _read_length(found)


def _cdb_rest(found: dict[int, memoryview]) -> bytes:
    rest = found.get(AhsType.EXTENDED_CDB)
    if rest is None:
        return b""
    if not rest:
        raise _malformed("an extended CDB of no more than 16 bytes", "11.2.2.3")
    return bytes(rest)


def _read_length(found: dict[int, memoryview]) -> int | None:
    value = found.get(AhsType.BIDIRECTIONAL_READ_LENGTH)
    if value is None:
        return None
    if len(value) != 4:
        raise _malformed("a bidirectional read length that is not of 4 bytes", "11.2.2.4")
    return int.from_bytes(value, "big")


def _malformed(
    reason: str, section: str, answer: RejectReason = RejectReason.INVALID_PDU_FIELD
) -> PeerError:
    return PeerError(reason, section=section, answer=answer)
