"""What there is to say of a PDU and of a capture, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from trioscsi.capture import Packet
from trioscsi.errors import PeerError
from trioscsi.pdu import (
    BHS_LENGTH,
    CLASSES,
    AhsType,
    AsyncMessage,
    LoginRequest,
    Pdu,
    Reject,
    ScsiCommand,
    ScsiResponse,
    TextRequest,
)
from trioscsi.pdu.sense import split as split_sense
from trioscsi.teaching import commands, header
from trioscsi.teaching.fields import Explained, Part, explain, title
from trioscsi.teaching.meanings import FIELDS
from trioscsi.teaching.negotiated import alone, pairs_in
from trioscsi.teaching.onlooker import Connection
from trioscsi.teaching.splitting import Cut
from trioscsi.teaching.story import TEXTS, Began, Commented, Event, Happened, Settled, Spoke, Story
from trioscsi.text import Side

_SEGMENT_HEADER = 3
_SEGMENTS: Mapping[int, tuple[str, str]] = {
    AhsType.EXTENDED_CDB: ("cdb", "11.2.2.3"),
    AhsType.BIDIRECTIONAL_READ_LENGTH: ("bidirectional_read_length", "11.2.2.4"),
}
_SHOWN_DATA = 64
"""Bytes of data that are shown."""


def printable(line: str) -> str:
    """A line that a terminal can be shown, whatever a peer has put into it."""
    return line if line.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in line)


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    """Rows in columns; the first one is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield indent + "  ".join(cells).rstrip()
        if not number:
            yield indent + "  ".join("-" * width for width in widths)


def explain_cut(cut: Cut) -> Iterator[str]:
    """All about one PDU: its drawing, its fields, what is in it and what is wrong."""
    explained = explain(cut.header, cut.data, missing=cut.missing)
    yield f"{explained.title} (RFC 7143 section {explained.section})"
    yield ""
    cls = CLASSES.get(cut.header[0] & 0x3F) if cut.header else None
    if cls is not None:
        yield from header.text(cls).splitlines()
        yield ""
    head = ("byte.bit", "field", "value", "meaning", "section")
    yield from table([head, *(_row(part) for part in explained.parts)])
    for content in contents(explained, cut):
        yield from _shown(content)
    for wrong in (*explained.wrong, *cut.wrong):
        yield f"wrong: {wrong}"


def _row(part: Part) -> tuple[str, ...]:
    place = f"{part.place.byte}.{part.place.bit}"
    return place, part.title, part.value, part.meaning, part.section


@attrs.frozen
class Content:
    """Something inside a PDU: a title and a table, the first row of which is its head."""

    title: str
    rows: tuple[tuple[str, ...], ...] = ()
    wrong: tuple[str, ...] = ()


def _shown(content: Content) -> Iterator[str]:
    if content.title:
        yield f"\n{content.title}"
    if content.rows:
        yield from table(content.rows)
    for wrong in content.wrong:
        yield f"wrong: {wrong}"


def contents(explained: Explained, cut: Cut) -> Iterator[Content]:
    """What is inside a PDU: text, a CDB, sense data, a rejected header, or just bytes."""
    pdu = explained.pdu
    if len(cut.header) > BHS_LENGTH:
        yield _segments(explained, cut.header)
    if isinstance(pdu, ScsiCommand):
        yield _cdb(pdu.cdb)
    if isinstance(pdu, ScsiResponse | AsyncMessage):
        yield from _sense(cut.data)
    elif isinstance(pdu, Reject) and cut.data:
        inner = explain(cut.data)
        yield Content(
            f"The rejected header: {inner.title} (RFC 7143 section {inner.section})",
            (("field", "value"), *((part.title, part.value) for part in inner.parts)),
        )
    elif isinstance(pdu, TEXTS):
        yield from _text(pdu, cut.data)
    elif cut.data:
        yield Content(f"Data of {cut.data_length} bytes: {_hex(cut.data)}")


def _segments(explained: Explained, data: bytes) -> Content:
    """Additional header segments, each with its length and type in front, padded to words."""
    rows = [("byte", "field", "value", "meaning", "section")]
    at = BHS_LENGTH
    while at + _SEGMENT_HEADER <= len(data):
        length, kind = int.from_bytes(data[at : at + 2]), data[at + 2] & 0x3F
        body = data[at + _SEGMENT_HEADER : at + _SEGMENT_HEADER + length]
        name, section = _SEGMENTS.get(kind, ("", "11.2.2.1"))
        meaning = FIELDS.get(explained.name, {}).get(f"{name}_ahs", "Reserved.")
        value = _hex(body[1:])  # a reserved byte comes first
        if name == "bidirectional_read_length":
            value = str(int.from_bytes(body[1:5]))
        rows.append((str(at), title(name) or f"AHS type {kind}", value, meaning, section))
        at += _SEGMENT_HEADER + length + (-(_SEGMENT_HEADER + length) & 3)
    return Content("Additional header segments", tuple(rows))


def _cdb(cdb: bytes) -> Content:
    found = commands.explain_cdb(cdb)
    rows = (("field", "value"), *found.fields) if found.fields else ()
    return Content(f"CDB: {found.name}", rows, found.wrong)


def _sense(data: bytes) -> Iterator[Content]:
    try:
        sense, rest = split_sense(data)
    except PeerError as error:
        yield Content("", wrong=(f"{error.reason} (RFC 7143 section {error.section})",))
        sense, rest = data[2:], b""
    if sense:
        rows = (("field", "value"), *commands.explain_sense(bytes(sense)))
        yield Content(f"Sense data of {len(sense)} bytes", rows)
    if rest:
        yield Content(f"More data: {_hex(bytes(rest))}")


def _text(pdu: Pdu, data: bytes) -> Iterator[Content]:
    side = Side.INITIATOR if isinstance(pdu, LoginRequest | TextRequest) else Side.TARGET
    pairs, broken = pairs_in(data)
    rows, wrong = alone(side, pairs)
    if broken:
        wrong.append(broken)
    if rows or wrong:
        yield Content("Text" if rows else "", tuple(rows), tuple(wrong))


def _hex(data: bytes) -> str:
    more = " ..." if len(data) > _SHOWN_DATA else ""
    return data[:_SHOWN_DATA].hex(" ") + more


# A whole capture.


class Ladder:
    """A capture as a ladder: a line a PDU, to the right from initiators, to the left from targets.

    ``fields``: each PDU is explained in full as well.  ``only``: the number of one connection.
    """

    def __init__(self, *, fields: bool = False, only: int | None = None) -> None:
        self._fields, self._only = fields, only
        self.story = Story()
        self._last: int | None = None

    def hear(self, packet: Packet) -> Iterator[str]:
        """One packet of the capture."""
        for event in self.story.hear(packet):
            yield from self._lines(event)

    def finish(self) -> Iterator[str]:
        """The capture has ended: what is left of it."""
        for event in self.story.finish():
            yield from self._lines(event)

    def _lines(self, event: Event) -> Iterator[str]:
        number = event.connection.number
        if self._only is not None and number != self._only:
            return
        if isinstance(event, Began) or self._last != number:
            again = "" if isinstance(event, Began) else ", again"
            yield ""
            yield f"connection {number}: {ends(event.connection)}{again}"
            self._last = number
        match event:
            case Spoke():
                yield from self._spoken(event)
            case Happened(time=time, from_initiator=from_initiator, text=text):
                yield f"{_when(time)}  {_arrow(from_initiator)}  ({text})"
            case Commented(text=text):
                yield f"{'':>12}      * {text}"
            case Settled(rows=rows):
                yield from ("", *table(rows, indent=" " * 18), "")
            case _:
                pass

    def _spoken(self, spoke: Spoke) -> Iterator[str]:
        yield f"{_when(spoke.time)}  {_arrow(spoke.from_initiator)}  {spoke.line}"
        for wrong in spoke.wrong:
            yield f"{'':>12}      wrong: {wrong}"
        if self._fields:
            yield from (f"      {line}" if line else "" for line in explain_cut(spoke.cut))


def _when(time: int) -> str:
    return f"{time / 1e9:12.6f}"


def _arrow(from_initiator: bool) -> str:
    return "-->" if from_initiator else "<--"


def ends(connection: Connection) -> str:
    """Both addresses of a connection, the initiator's first."""
    return f"{address(connection.initiator)} --> {address(connection.target)}"


def address(known: tuple[str, int]) -> str:
    """An address as it is written."""
    host, port = known
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
