"""What there is to say of a PDU and of a capture, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trioscsi.capture import Packet
from trioscsi.errors import PeerError
from trioscsi.pdu import (
    CLASSES,
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
from trioscsi.teaching.fields import Explained, Part, explain
from trioscsi.teaching.negotiated import Table, pairs_in
from trioscsi.teaching.onlooker import Connection
from trioscsi.teaching.splitting import Cut
from trioscsi.teaching.story import TEXTS, Began, Commented, Event, Happened, Settled, Spoke, Story
from trioscsi.text import Side

_SHOWN_DATA = 64
"""Bytes of data that are shown."""


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
    yield from _contents(explained, cut)
    for wrong in (*explained.wrong, *cut.wrong):
        yield f"wrong: {wrong}"


def _row(part: Part) -> tuple[str, ...]:
    place = f"{part.place.byte}.{part.place.bit}"
    return place, part.title, part.value, part.meaning, part.section


def _contents(explained: Explained, cut: Cut) -> Iterator[str]:
    """What is inside a PDU: text, a CDB, sense data, a rejected header, or just bytes."""
    pdu = explained.pdu
    if isinstance(pdu, ScsiCommand):
        yield from _cdb(pdu.cdb)
    if isinstance(pdu, ScsiResponse | AsyncMessage):
        yield from _sense(cut.data)
    elif isinstance(pdu, Reject) and cut.data:
        inner = explain(cut.data)
        yield f"\nThe rejected header: {inner.title} (RFC 7143 section {inner.section})"
        yield from table([("field", "value"), *((part.title, part.value) for part in inner.parts)])
    elif isinstance(pdu, TEXTS):
        yield from _text(pdu, cut.data)
    elif cut.data:
        yield f"\nData of {cut.data_length} bytes: {_hex(cut.data)}"


def _cdb(cdb: bytes) -> Iterator[str]:
    found = commands.explain_cdb(cdb)
    yield f"\nCDB: {found.name}"
    if found.fields:
        yield from table([("field", "value"), *found.fields])
    for wrong in found.wrong:
        yield f"wrong: {wrong}"


def _sense(data: bytes) -> Iterator[str]:
    try:
        sense, rest = split_sense(data)
    except PeerError as error:
        yield f"wrong: {error.reason} (RFC 7143 section {error.section})"
        sense, rest = data[2:], b""
    if sense:
        yield f"\nSense data of {len(sense)} bytes"
        yield from table([("field", "value"), *commands.explain_sense(bytes(sense))])
    if rest:
        yield f"\nMore data: {_hex(bytes(rest))}"


def _text(pdu: Pdu, data: bytes) -> Iterator[str]:
    heard = Table()
    side = Side.INITIATOR if isinstance(pdu, LoginRequest | TextRequest) else Side.TARGET
    pairs, wrong = pairs_in(data)
    for name, value in pairs:
        heard.hear(side, name, value)
    if heard.rows:
        yield "\nText"
        yield from table(heard.rows)
    if wrong:
        yield f"wrong: {wrong}"


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
