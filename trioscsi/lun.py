"""Logical unit numbers: the 64-bit field of a PDU or a LUN list, and the plain number (SAM-5 4.7).

Numbers below 256 use the peripheral device method and others the flat space method, as Linux and
ESXi expect; on the way in, either method is understood for any number.
"""

from __future__ import annotations

MAXIMUM = 0x3FFF
"""The largest number that a single level can address (flat space addressing)."""

_PERIPHERAL, _FLAT, _EXTENDED = 0b00, 0b01, 0b11
_EXTENDED_FORMS = frozenset({0xC1, 0xD2, 0xE2})
"""Well known units, and extended flat space addresses of three and of five bytes."""


def encode(number: int) -> int:
    """The 64-bit LUN field for a logical unit number from 0 to ``MAXIMUM``."""
    method = _PERIPHERAL if number < 256 else _FLAT
    return (method << 14 | number) << 48


def fields(number: int) -> list[int]:
    """All LUN fields that ``decode`` understands as this number."""
    methods = (_PERIPHERAL, _FLAT) if number < 256 else (_FLAT,)
    return [(method << 14 | number) << 48 for method in methods]


def is_impossible(field: int) -> bool:
    """Whether no target at all can mean a unit by a 64-bit LUN field (SAM-5 section 4.7.7)."""
    first = field >> 56
    return first >> 6 == _EXTENDED and first not in _EXTENDED_FORMS


def decode(field: int) -> int | None:
    """The number in a 64-bit LUN field, or None if it addresses nothing that a target can have.

    None stands for deeper levels, for a bus other than 0 and for the methods that we never hand
    out (logical unit and extended addressing).
    """
    first, deeper = field >> 48, field & (1 << 48) - 1
    method, number = first >> 14, first & 0x3FFF
    if deeper or (method == _PERIPHERAL and number > 255):
        return None
    return number if method in (_PERIPHERAL, _FLAT) else None
