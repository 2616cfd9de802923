"""PDU classes are written as the RFC draws them; here the drawings become fast code.

A field says where it lives as section 11 of RFC 7143 does: byte 0 is the first of the header, and
bit 0 is the *most* significant of its byte::

    @pdu(Opcode.TEXT_REQUEST, section="11.10")
    class TextRequest(Pdu):
        immediate: bool = bit(0, 1, default=False)
        final: bool = bit(1, 0, default=True)
        continue_: bool = bit(1, 1, default=False)
        ...
        data: Buffer = segment("Text")

``pdu`` makes an attrs class of it and writes the two functions that a codec needs, with the
offsets worked out beforehand: one ``struct`` call, then one line a field. Bits that no field
claims are reserved: zero when sent, ignored when received (section 11).
"""

from __future__ import annotations

import linecache
import struct
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self, TypeAlias, TypeVar, cast, dataclass_transform

import attrs

from trioscsi.errors import PeerError, UsageError
from trioscsi.pdu.codes import Opcode, RejectReason

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes that can be sliced and sent without a copy; memoryviews must be of single bytes."""

BHS_LENGTH = 48
"""The basic header segment, in bytes (RFC 7143 section 11.2.1)."""

_LENGTHS = 4
"""Where TotalAHSLength and DataSegmentLength are, in every PDU."""

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_PLACE = "place"
_DATA = "data segment"


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
    data_segment: ClassVar[str] = ""
    """What the data segment carries, or nothing if this PDU cannot have one."""

    @property
    def data(self) -> Buffer:
        """The data segment without its padding."""
        return b""

    def pack(self, ahs_length: int, data_length: int) -> bytes:
        """The basic header segment; both lengths are in bytes.

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


def segment(content: str, *, default: Buffer = b"") -> Any:
    """The data segment, and what it carries."""
    return attrs.field(
        default=default, metadata={_DATA: content}, repr=lambda data: f"<{len(data)} bytes>"
    )


def ones(byte: int, bit: int, width: int = 1) -> Place:
    """Bits that the RFC prints as 1: sent so, and not looked at when received."""
    return Place(byte, bit, width, ones=True)


def _field(place: Place, default: Any) -> Any:
    return attrs.field(default=default, metadata={_PLACE: place})


_T = TypeVar("_T", bound=Pdu)


@dataclass_transform(
    kw_only_default=True,
    field_specifiers=(bit, bits, u8, u16, u24, u32, u64, octets, in_ahs, segment),
)
def pdu(opcode: Opcode, *, section: str) -> Callable[[type[_T]], type[_T]]:
    """Make a PDU class of the declarations in a class body (keyword arguments only)."""

    def compile_class(declared: type[_T]) -> type[_T]:
        cls: Any = attrs.define(kw_only=True, weakref_slot=False)(declared)
        attributes = attrs.fields(cls)
        fields = [Field(a.name, a.metadata[_PLACE]) for a in attributes if _PLACE in a.metadata]
        fields += [Field(name, at) for name, at in vars(declared).items() if isinstance(at, Place)]
        cls.opcode = opcode
        cls.section = section
        cls.fields = tuple(sorted(fields, key=lambda field: field.place.first))
        cls.data_segment = "".join(a.metadata.get(_DATA, "") for a in attributes)
        _compile(cls, elsewhere=[a for a in attributes if _PLACE not in a.metadata])
        return cast("type[_T]", cls)

    return compile_class


def layout(cls: type[Pdu]) -> tuple[Field, ...]:
    """The fields of the basic header segment in the order in which the RFC draws them.

    The opcode and the two lengths are not listed: every PDU has them in the same places.
    """
    return cls.fields


@attrs.frozen
class _Word:
    """What ``struct`` sees: one number or byte string, shared by the fields inside it."""

    byte: int
    size: int
    fields: tuple[Field, ...]

    @property
    def code(self) -> str:
        octets = any(field.place.octets for field in self.fields)
        return f"{self.size}s" if octets else _CODES[self.size]

    @property
    def variable(self) -> str:
        return f"at_{self.byte}"

    def shift(self, field: Field) -> int:
        """How many bits of this word come after those of the field."""
        return (self.byte + self.size) * 8 - field.place.first - field.place.width


def _words(fields: Iterable[Field]) -> list[_Word]:
    """The words of a header, reserved ones left out."""
    inside: dict[int, list[Field]] = {0: [], _LENGTHS: []}
    for field in fields:
        inside.setdefault(field.place.byte, []).append(field)
    words = []
    for byte, members in sorted(inside.items()):
        width = max((field.place.bit + field.place.width for field in members), default=8)
        size = 4 if byte == _LENGTHS or width == 24 else (width + 7) // 8
        words.append(_Word(byte, size, tuple(members)))
    return words


def _format(words: Iterable[_Word]) -> str:
    parts, position = [">"], 0
    for word in words:
        parts.append("x" * (word.byte - position) + word.code)
        position = word.byte + word.size
    return "".join(parts) + "x" * (BHS_LENGTH - position)


def _compile(cls: type[Pdu], *, elsewhere: Iterable[attrs.Attribute[Any]]) -> None:
    words = _words(cls.fields)
    header = struct.Struct(_format(words))
    source = _pack_source(cls, words) + _unpack_source(words, elsewhere)
    names: dict[str, Any] = {
        "PACK": header.pack,
        "UNPACK": header.unpack_from,
        "NEW": object.__new__,
        "STRUCT_ERROR": struct.error,
        "UsageError": UsageError,
    }
    filename = f"<codec of {cls.__name__}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), names)
    cls.pack = names["pack"]  # type: ignore[method-assign]
    cls.unpack = classmethod(names["unpack"])  # type: ignore[method-assign, assignment]


def _pack_source(cls: type[Pdu], words: Iterable[_Word]) -> str:
    lines = ["def pack(self, ahs_length, data_length):"]
    lines += [line for word in words for field in word.fields for line in _guard(cls, field)]
    values = ", ".join(_packed(cls, word) for word in words)
    lines += [
        "    try:",
        f"        return PACK({values})",
        "    except STRUCT_ERROR as error:",
        f"        raise UsageError(f'{cls.__name__} does not fit its header: {{error}}') from None",
    ]
    return "\n".join(lines) + "\n\n\n"


def _guard(cls: type[Pdu], field: Field) -> list[str]:
    """The check that a value fits, where ``struct`` would not notice."""
    place = field.place
    if place.ones or place.octets or place.width in (1, 8, 16, 32, 64):
        return []
    return [
        f"    if not 0 <= self.{field.name} < {1 << place.width}:",
        f"        raise UsageError('{cls.__name__}.{field.name} does not fit its field')",
    ]


def _packed(cls: type[Pdu], word: _Word) -> str:
    """The expression for the value of one word."""
    if word.byte == _LENGTHS:
        return "ahs_length << 22 | data_length"
    terms = [f"{cls.opcode.value:#x}"] if word.byte == 0 else []
    for field in word.fields:
        shift = word.shift(field)
        value = hex((1 << field.place.width) - 1) if field.place.ones else f"self.{field.name}"
        terms.append(f"{value} << {shift}" if shift else value)
    return " | ".join(terms)


def _unpack_source(words: Iterable[_Word], elsewhere: Iterable[attrs.Attribute[Any]]) -> str:
    variables = ", ".join(word.variable for word in words)
    lines = [
        "def unpack(cls, header, start=0, data=b''):",
        f"    {variables} = UNPACK(header, start)",
        "    self = NEW(cls)",
    ]
    lines += [
        f"    self.{field.name} = {_unpacked(word, field)}"
        for word in words
        for field in word.fields
        if not field.place.ones
    ]
    for attribute in elsewhere:
        value = "data" if _DATA in attribute.metadata else repr(attribute.default)
        lines.append(f"    self.{attribute.name} = {value}")
    return "\n".join([*lines, "    return self"]) + "\n"


def _unpacked(word: _Word, field: Field) -> str:
    """The expression for the value of one field."""
    shift, width = word.shift(field), field.place.width
    if width == 1:
        return f"{word.variable} & {1 << shift:#x} != 0"
    value = f"{word.variable} >> {shift}" if shift else word.variable
    alone = len(word.fields) == 1 and shift + width == word.size * 8
    return value if alone else f"{value} & {(1 << width) - 1:#x}"
