"""Big-endian records of bit fields: CDBs, mode pages, VPD pages and parameter data alike.

T10 draws each of them as a table of bytes by bits, bit 7 at the left. A field is named by the byte
and the bit that its most significant bit has in that table, and by its width in bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class Field:
    """Where one field lies: the place of its most significant bit, and its width in bits."""

    byte: int
    bit: int
    width: int


def bits(byte: int, first: int, last: int | None = None) -> Field:
    """The bits ``first`` (the higher) to ``last`` of one byte; one bit without ``last``."""
    return Field(byte, first, 1 if last is None else first - last + 1)


def span(first: int, last: int | None = None) -> Field:
    """All of the bytes ``first`` to ``last``; one byte without ``last``."""
    return Field(first, 7, 8 if last is None else (last - first + 1) * 8)


@attrs.frozen
class Layout:
    """A record of ``length`` bytes and the fields in it; all other bits are reserved."""

    length: int
    fields: Mapping[str, Field]
    _places: Mapping[str, tuple[int, int]] = attrs.field(init=False, repr=False)
    _known: int = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        places = {name: self._place(field) for name, field in self.fields.items()}
        object.__setattr__(self, "_places", places)
        object.__setattr__(self, "_known", self.mask(*self.fields))

    def _place(self, field: Field) -> tuple[int, int]:
        """How far a field is shifted in the record read as one number, and its unshifted mask."""
        shift = (self.length - field.byte - 1) * 8 + field.bit - field.width + 1
        return shift, (1 << field.width) - 1

    def mask(self, *names: str) -> int:
        """The bits of the fields ``names``, in the record read as one number."""
        places = (self._places[name] for name in names)
        return sum(mask << shift for shift, mask in places)

    def stray(self, record: bytes | bytearray | memoryview) -> tuple[int, int] | None:
        """Byte and bit of the first bit that is set and belongs to no field, if there is one."""
        bad = int.from_bytes(record[: self.length], "big") & ~self._known
        if not bad:
            return None
        position = self.length * 8 - bad.bit_length()
        return position // 8, 7 - position % 8

    def decode(self, record: bytes | bytearray | memoryview) -> dict[str, int]:
        """The value of each field; bytes beyond the layout's length are ignored."""
        number = int.from_bytes(record[: self.length], "big")
        return {name: number >> shift & mask for name, (shift, mask) in self._places.items()}

    def encode(self, **values: int) -> bytes:
        """The record with these values, and zero in all other fields."""
        number = 0
        for name, value in values.items():
            shift, mask = self._places[name]
            assert 0 <= value <= mask, f"{name} has no room for {value:#x}"
            number |= value << shift
        return number.to_bytes(self.length, "big")


def layout(length: int, **fields: Field) -> Layout:
    """A record of ``length`` bytes with the fields named by the keywords."""
    return Layout(length, fields)
