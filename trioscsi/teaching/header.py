"""The header of a PDU as the RFC draws it: four bytes a line, each field in its box."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from xml.sax.saxutils import escape

import attrs

from trioscsi.pdu import BHS_LENGTH, CLASSES, Pdu, Place
from trioscsi.teaching.fields import places, title, title_of
from trioscsi.teaching.meanings import FIELDS
from trioscsi.teaching.picture import STYLE

NAMES: Mapping[str, type[Pdu]] = {
    cls.opcode.name.lower().replace("_", "-"): cls for cls in CLASSES.values()
}
"""All PDUs, as they are asked for: ``login-request``."""

_CELL = 2
"""Characters of a bit, the line on its right included."""
_WORD = 32
_BIT, _HEIGHT, _MARGIN, _TOP = 26, 30, 44, 84
"""Pixels of a bit, of a line, of the margins, and above the first line."""

_PAGE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" role="img" aria-label="The header of a {name}">
<title>{name}</title>
<style>
{style}
</style>
<rect class="page" width="{width}" height="{height}"/>
<text class="title" x="{left}" y="32">{name}</text>
<text class="soft" x="{left}" y="50">RFC 7143 section {section}</text>
<g transform="translate({left} {top})">
{body}
</g>
</svg>
"""
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


def text(cls: type[Pdu]) -> str:
    """The basic header segment of a PDU, in characters."""
    ruler = "".join(f"{bit % 8:>{_CELL}}" for bit in range(_WORD))
    numbers = "".join(f"{byte:^{_CELL * 8}}" for byte in range(4))
    edge = "+" + ("-" * (_CELL * 8 - 1) + "+") * 4
    lines = [f"Byte/{numbers}".rstrip(), f"    {ruler}", f"   {edge}"]
    for start in range(0, BHS_LENGTH, 4):
        boxes = (f"{box.label:^{box.width * _CELL - 1}}|" for box in _boxes(cls, start))
        lines.append(f"{start:>3}|{''.join(boxes)}")
        lines.append(f"   {edge}")
    return "\n".join([*lines, ""])


def marked(cls: type[Pdu], names: Collection[str]) -> Iterator[str]:
    """Those lines of the header that hold some fields, with marks below these."""
    for start in range(0, BHS_LENGTH, 4):
        boxes = list(_boxes(cls, start))
        if any(box.name in names for box in boxes):
            cells = (f"{box.label:^{box.width * _CELL - 1}}|" for box in boxes)
            yield f"{start:>3}|{''.join(cells)}"
            marks = (("^" if box.name in names else " ") * (box.width * _CELL - 1) for box in boxes)
            yield f"    {' '.join(marks)}".rstrip()


def mermaid(cls: type[Pdu]) -> str:
    """The same as a Mermaid packet diagram."""
    lines = [f"%% {title_of(cls)} (RFC 7143 section {cls.section})", "packet-beta"]
    at = 0
    for name, place in places(cls):
        if place.first > at:
            lines.append(f'{_bits(at, place.first - at)}: "Reserved"')
        lines.append(f'{_bits(place.first, place.width)}: "{title(name)}"')
        at = place.first + place.width
    if at < BHS_LENGTH * 8:
        lines.append(f'{_bits(at, BHS_LENGTH * 8 - at)}: "Reserved"')
    return "\n".join([*lines, ""])


def dot(cls: type[Pdu]) -> str:
    """The same in the language of Graphviz: a table, a column for each bit."""
    lines = [
        f'digraph "{title_of(cls)}" {{',
        f'    label="{title_of(cls)} (RFC 7143 section {cls.section})"',
        '    node [shape=plain, fontname="monospace", fontsize=10]',
        '    pdu [label=<<table border="0" cellborder="1" cellspacing="0" cellpadding="4">',
    ]
    numbers = "".join(f"<td>{bit % 8}</td>" for bit in range(_WORD))
    lines.append(f'        <tr><td border="0"></td>{numbers}</tr>')
    for start in range(0, BHS_LENGTH, 4):
        cells = "".join(_dot_cell(box) for box in _boxes(cls, start))
        lines.append(f"        <tr><td>{start}</td>{cells}</tr>")
    return "\n".join([*lines, "    </table>>]", "}", ""])


def _dot_cell(box: _Box) -> str:
    colour = "" if box.tip else ' bgcolor="gray92"'
    return f'<td colspan="{box.width}"{colour}>{escape(box.label)}</td>'


def _bits(first: int, width: int) -> str:
    return f"{first}-{first + width - 1}" if width > 1 else str(first)


def svg(cls: type[Pdu]) -> str:
    """The same as an SVG: what a field means is told wherever the pointer rests."""
    body = [_svg_text("symbol", (bit + 0.5) * _BIT, -8, str(bit % 8)) for bit in range(_WORD)]
    for line, start in enumerate(range(0, BHS_LENGTH, 4)):
        top = line * _HEIGHT
        body.append(_svg_text("symbol", -20, top + _HEIGHT / 2 + 4, str(start)))
        for box in _boxes(cls, start):
            left, width = box.first % _WORD * _BIT, box.width * _BIT
            kind = "box" if box.tip else "end"
            body.append(f"<g><title>{escape(box.tip or 'Reserved')}</title>")
            body.append(
                f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{_HEIGHT}"/>'
            )
            if box.tip:
                body.append(_svg_text("symbol", left + width / 2, top + _HEIGHT / 2 + 4, box.label))
            body.append("</g>")
    width, height = _WORD * _BIT + 2 * _MARGIN, BHS_LENGTH // 4 * _HEIGHT + _TOP + _MARGIN
    return _PAGE.format(
        name=title_of(cls),
        section=cls.section,
        width=width,
        height=height,
        style=STYLE,
        left=_MARGIN,
        top=_TOP,
        body="\n".join(body),
    )


def _svg_text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(words)}</text>'


FORMATS: Mapping[str, Callable[[type[Pdu]], str]] = {
    "text": text,
    "svg": svg,
    "dot": dot,
    "mermaid": mermaid,
}
"""How each format is drawn."""


@attrs.frozen
class _Box:
    """A field, or a part of it, or reserved bits, within four bytes; these have no ``tip``."""

    label: str
    first: int
    width: int
    tip: str = ""
    name: str = ""


def _boxes(cls: type[Pdu], start: int) -> Iterator[_Box]:
    """What four bytes are made of; what lies between fields is reserved."""
    at = start * 8
    end = at + _WORD
    for name, place in _within(places(cls), at, end):
        first, last = max(place.first, at), min(place.first + place.width, end)
        if first > at:
            yield _reserved(at, first - at)
        tip = f"{title(name)}: {FIELDS[cls.__name__].get(name, '')}".rstrip(": ")
        yield _Box(_label(name, place, last - first, first), first, last - first, tip, name)
        at = last
    if at < end:
        yield _reserved(at, end - at)


def _within(
    fields: Iterable[tuple[str, Place]], start: int, end: int
) -> Iterator[tuple[str, Place]]:
    for name, place in fields:
        if place.first < end and place.first + place.width > start:
            yield name, place


def _label(name: str, place: Place, width: int, first: int) -> str:
    if place.first < first:
        return "" if width < 8 else f"({title(name)})"
    if place.ones and place.width <= 2:
        return "1" * place.width
    room = width * _CELL - 1
    for candidate in (title(name), _SHORT.get(name, ""), title(name).split()[0]):
        if candidate and len(candidate) <= room:
            return candidate
    return title(name)[:room]


def _reserved(first: int, width: int) -> _Box:
    return _Box("Reserved" if width * _CELL > 8 else "." * min(width, 3), first, width)
