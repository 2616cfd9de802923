"""The words in which PDU classes are written, to read as the RFC draws them.

A field says where it lives as section 11 of RFC 7143 does: byte 0 is the first of the header, and
bit 0 is the *most* significant of its byte::

    @pdu(Opcode.TEXT_REQUEST, section="11.10")
    class TextRequest(Pdu):
        immediate: bool = bit(0, 1, default=False)
        final: bool = bit(1, 0, default=True)
        continue_: bool = bit(1, 1, default=False)
        ...
        data: Buffer = segment("text", default=b"")

The decorator ``pdu`` (see compiler.py) makes the code of it. Bits that no field claims are
reserved: zero when sent, ignored when received (section 11).
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeAlias

import attrs

from trioscsi.errors import PeerError
from trioscsi.pdu.codes import Opcode, RejectReason

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes that can be sliced and sent without a copy; memoryviews must be of single bytes."""

BHS_LENGTH = 48
"""The basic header segment, in bytes (RFC 7143 section 11.2.1)."""

PLACE = "place"
"""The metadata of an attribute that is a field of the basic header segment: a Place."""

CONTENT = "content"
"""The metadata of the data segment: what it carries."""


@attrs.frozen
class Place:
    """Where a field is: ``bit`` 0 is the most significant of its byte, ``width`` is in bits."""

    byte: int
    bit: int
    width: int
    octets: bool = False
    """Whether the value is a string of bytes rather than a number."""
    ones: bool = False
    """Whether it is no field at all but bits that the RFC prints as 1."""

    @property
    def first(self) -> int:
        """The number of the first bit, counted from the start of the header."""
        return self.byte * 8 + self.bit


@attrs.frozen
class Field:
    """One named place in the header of a PDU."""

    name: str
    place: Place


class Pdu:
    """What all PDUs have in common; the classes are in the modules beside this one."""

    __slots__ = ()

    opcode: ClassVar[Opcode]
    section: ClassVar[str]
    """The section of RFC 7143 that draws this PDU."""
    fields: ClassVar[tuple[Field, ...]]
    """Those of the basic header segment in the order in which the RFC draws them.

    The opcode and the two lengths are not listed: every PDU has them in the same places.
    """
    data_segment: ClassVar[str] = ""
    """What the data segment carries, or nothing if this PDU cannot have one."""

    @property
    def data(self) -> Buffer:
        """The data segment without its padding."""
        return b""

    def pack(self, data_length: int) -> bytes:
        """All header segments, with the length of the data segment in bytes.

        Raises UsageError if a value does not fit its field.
        """
        raise NotImplementedError

    @classmethod
    def unpack(cls, header: Buffer, start: int = 0, data: Buffer = b"") -> Self:
        """The PDU whose basic header segment is at ``start``, with ``data`` as data segment."""
        raise NotImplementedError

    def pack_ahs(self) -> bytes:
        """The additional header segments (RFC 7143 section 11.2.2)."""
        return b""

    def unpack_ahs(self, ahs: Buffer) -> None:
        """Take over what the additional header segments say.

        Raises PeerError if they are malformed, or if this PDU cannot have any.
        """
        raise PeerError(
            f"{len(ahs)} bytes of additional header segments in a {type(self).__name__}",
            section="11.2.1.5",
            answer=RejectReason.INVALID_PDU_FIELD,
        )


def bit(byte: int, bit: int, *, default: bool) -> Any:
    """A flag."""
    return _field(Place(byte, bit, 1), default)


def bits(byte: int, bit: int, width: int, *, default: int) -> Any:
    """A number within one byte."""
    return _field(Place(byte, bit, width), default)


def u8(byte: int, *, default: int) -> Any:
    """A number of one byte."""
    return _field(Place(byte, 0, 8), default)


def u16(byte: int, *, default: int) -> Any:
    """A number of two bytes."""
    return _field(Place(byte, 0, 16), default)


def u24(byte: int, *, default: int) -> Any:
    """A number of three bytes; the byte after it has to be reserved."""
    return _field(Place(byte, 0, 24), default)


def u32(byte: int, *, default: int) -> Any:
    """A number of four bytes."""
    return _field(Place(byte, 0, 32), default)


def u64(byte: int, *, default: int) -> Any:
    """A number of eight bytes."""
    return _field(Place(byte, 0, 64), default)


def octets(byte: int, length: int, *, default: bytes) -> Any:
    """A string of ``length`` bytes; on the wire a shorter one is padded, a longer one cut."""
    return _field(Place(byte, 0, length * 8, octets=True), default)


def in_ahs(*, default: Any) -> Any:
    """A value that an additional header segment carries."""
    return attrs.field(default=default)


def segment(content: str, *, default: Buffer) -> Any:
    """The data segment, and what it carries."""
    return attrs.field(
        default=default, metadata={CONTENT: content}, repr=lambda data: f"<{len(data)} bytes>"
    )


def ones(byte: int, bit: int, width: int = 1) -> Place:
    """Bits that the RFC prints as 1: sent so, and not looked at when received."""
    return Place(byte, bit, width, ones=True)


def _field(place: Place, default: Any) -> Any:
    return attrs.field(default=default, metadata={PLACE: place})
