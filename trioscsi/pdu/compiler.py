"""From the drawing of a PDU to fast code.

For each class, ``pdu`` writes the source of the two functions that a codec needs, with all offsets
worked out beforehand: one call of ``struct``, then one line a field, or a byte of flags. This
costs half a microsecond a PDU, where a loop over the fields would take several.
"""

from __future__ import annotations

import linecache
import struct
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast, dataclass_transform

import attrs

from trioscsi.errors import UsageError
from trioscsi.pdu.codes import Opcode
from trioscsi.pdu.layout import (
    BHS_LENGTH,
    CONTENT,
    PLACE,
    Field,
    Pdu,
    Place,
    bit,
    bits,
    in_ahs,
    octets,
    segment,
    u8,
    u16,
    u24,
    u32,
    u64,
)

_LENGTHS = 4
"""Where TotalAHSLength and DataSegmentLength are, in every PDU."""

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}

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
        fields = [Field(a.name, a.metadata[PLACE]) for a in attributes if PLACE in a.metadata]
        fields += [Field(name, at) for name, at in vars(declared).items() if isinstance(at, Place)]
        cls.opcode = opcode
        cls.section = section
        cls.fields = tuple(sorted(fields, key=lambda field: field.place.first))
        cls.data_segment = "".join(a.metadata.get(CONTENT, "") for a in attributes)
        _compile(cls, elsewhere=[a for a in attributes if PLACE not in a.metadata])
        return cast("type[_T]", cls)

    return compile_class


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

    @property
    def is_field(self) -> bool:
        """Whether it is one field and nothing else, so that it needs no taking apart."""
        return len(self.fields) == 1 and self.fields[0].place.width == self.size * 8

    @property
    def told(self) -> list[Field]:
        """The fields that tell something; what is always one does not."""
        return [field for field in self.fields if not field.place.ones]

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
    # Whoever has found where a PDU ends, and whose it is, knows its lengths and its opcode.
    inside = [word for word in words if word.byte != _LENGTHS and word.told]
    source = _pack_source(cls, words) + _unpack_source(inside, elsewhere)
    names: dict[str, Any] = {
        "PACK": struct.Struct(_format(words)).pack,
        "UNPACK": struct.Struct(_format(inside)).unpack_from,
        "NEW": object.__new__,
        "CLASS": cls,
        "STRUCT_ERROR": struct.error,
        "UsageError": UsageError,
    }
    filename = f"<codec of {cls.__name__}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), names)
    cls.pack = names["pack"]  # type: ignore[method-assign]
    # Not a class method: to bind one costs as much as some fields do.
    cls.unpack = staticmethod(names["unpack"])  # type: ignore[method-assign]


def _pack_source(cls: type[Pdu], words: Iterable[_Word]) -> str:
    ahs = cls.pack_ahs is not Pdu.pack_ahs
    lines = ["def pack(self, data_length):"]
    lines += ["    ahs = self.pack_ahs()"] if ahs else []
    lines += [line for word in words for field in word.fields for line in _guard(cls, field)]
    values = ", ".join(_packed(cls, word) for word in words)
    lines += [
        "    try:",
        f"        return PACK({values})" + (" + ahs" if ahs else ""),
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
        ahs = cls.pack_ahs is not Pdu.pack_ahs
        return "len(ahs) << 22 | data_length" if ahs else "data_length"
    terms = [f"{cls.opcode.value:#x}"] if word.byte == 0 else []
    for field in word.fields:
        shift = word.shift(field)
        if field.place.ones:
            terms.append(hex((1 << field.place.width) - 1 << shift))
        elif field.place.width == 1:
            terms.append(f"({1 << shift:#x} if self.{field.name} else 0)")
        else:
            terms.append(f"self.{field.name} << {shift}" if shift else f"self.{field.name}")
    return " | ".join(terms)


def _unpack_source(words: Iterable[_Word], elsewhere: Iterable[attrs.Attribute[Any]]) -> str:
    targets = ", ".join(
        f"self.{word.fields[0].name}" if word.is_field else word.variable for word in words
    )
    tables: list[str] = []
    lines = [
        "def unpack(header, start=0, data=b''):",
        "    self = NEW(CLASS)",
        f"    {targets} = UNPACK(header, start)",
    ]
    for word in words:
        if word.is_field:
            continue
        names = ", ".join(f"self.{field.name}" for field in word.told)
        values = ", ".join(_unpacked(word, field) for field in word.told)
        if word.size == 1 and len(word.told) > 1:
            # To look all of them up at once takes less time than to work each of them out.
            tables.append(f"BYTE_{word.byte} = [({values}) for {word.variable} in range(256)]")
            values = f"BYTE_{word.byte}[{word.variable}]"
        lines.append(f"    {names} = {values}")
    for attribute in elsewhere:
        value = "data" if CONTENT in attribute.metadata else repr(attribute.default)
        lines.append(f"    self.{attribute.name} = {value}")
    lines.append("    return self")
    return "".join(f"{line}\n" for line in ([*tables, "", "", *lines] if tables else lines))


def _unpacked(word: _Word, field: Field) -> str:
    """The expression for the value of one field that shares its word with others."""
    shift, width = word.shift(field), field.place.width
    if width == 1:
        return f"{word.variable} & {1 << shift:#x} != 0"
    value = f"{word.variable} >> {shift}" if shift else word.variable
    first = shift + width == word.size * 8
    return value if first else f"{value} & {(1 << width) - 1:#x}"
