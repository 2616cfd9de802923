"""The header of a PDU as the RFC draws it: four bytes a line, each field in its box."""

from __future__ import annotations

from collections.abc import Iterable

from trioscsi.pdu import BHS_LENGTH, Pdu, Place
from trioscsi.teaching.fields import places, title

_CELL = 2
"""Characters of a bit, the line on its right included."""
_WORD = 32
_SHORT = {
    "attributes": "ATTR",
    "priority": "PRIO",
    "immediate": "I",
    "final": "F",
    "transit": "T",
    "continue_": "C",
    "read": "R",
    "write": "W",
    "acknowledge": "A",
    "overflow": "O",
    "underflow": "U",
    "bidirectional_overflow": "o",
    "bidirectional_underflow": "u",
    "has_status": "S",
}
"""What has little room."""


def draw(cls: type[Pdu]) -> str:
    """The basic header segment of a PDU."""
    ruler = "".join(f"{bit % 8:>{_CELL}}" for bit in range(_WORD))
    numbers = "".join(f"{byte:^{_CELL * 8}}" for byte in range(4))
    edge = "+" + ("-" * (_CELL * 8 - 1) + "+") * 4
    lines = [f"Byte/{numbers}".rstrip(), f"    {ruler}", f"   {edge}"]
    for start in range(0, BHS_LENGTH, 4):
        lines.append(f"{start:>3}{_line(cls, start)}")
        lines.append(f"   {edge}")
    return "\n".join([*lines, ""])


def _line(cls: type[Pdu], start: int) -> str:
    """The fields within four bytes; what lies between them is reserved."""
    text, at = "|", start * 8
    end = at + _WORD
    for name, place in _within(places(cls), at, end):
        first, last = max(place.first, at), min(place.first + place.width, end)
        text += _reserved(first - at) + _box(_label(name, place, last - first, at), last - first)
        at = last
    return text + _reserved(end - at)


def _within(
    fields: Iterable[tuple[str, Place]], start: int, end: int
) -> Iterable[tuple[str, Place]]:
    for name, place in fields:
        if place.first < end and place.first + place.width > start:
            yield name, place


def _label(name: str, place: Place, width: int, at: int) -> str:
    if place.first < at:
        return "" if width < 8 else f"({title(name)})"
    if place.ones and place.width <= 2:
        return "1" * place.width
    room = width * _CELL - 1
    for candidate in (title(name), _SHORT.get(name, ""), title(name).split()[0]):
        if candidate and len(candidate) <= room:
            return candidate
    return title(name)[:room]


def _reserved(width: int) -> str:
    if not width:
        return ""
    return _box("Reserved" if width * _CELL > 8 else "." * min(width, 3), width)


def _box(label: str, width: int) -> str:
    return f"{label:^{width * _CELL - 1}}|"
