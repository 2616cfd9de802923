"""What there is to say of a PDU and of a capture, as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from weakref import WeakKeyDictionary

import attrs

from trioscsi.capture import Packet, dissect
from trioscsi.errors import PeerError
from trioscsi.pdu import (
    CLASSES,
    AsyncMessage,
    DataIn,
    LoginRequest,
    LoginResponse,
    LoginStatus,
    Pdu,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    TextRequest,
    TextResponse,
)
from trioscsi.pdu.sense import split as split_sense
from trioscsi.scsi import Status
from trioscsi.teaching import commands, header
from trioscsi.teaching.fields import Explained, Part, explain
from trioscsi.teaching.negotiated import Table
from trioscsi.teaching.onlooker import Connection, Heard, Onlooker, Remark, Said
from trioscsi.teaching.splitting import Cut
from trioscsi.text import Pair, Side, decode
from trioscsi.text.key import Kind
from trioscsi.text.keys import KEYS

_SHOWN_DATA = 64
"""Bytes of data that are shown."""
_TEXTS = (LoginRequest, LoginResponse, TextRequest, TextResponse)
_NUMBERS = {
    "cmd_sn": "CmdSN",
    "exp_stat_sn": "ExpStatSN",
    "stat_sn": "StatSN",
    "exp_cmd_sn": "ExpCmdSN",
    "max_cmd_sn": "MaxCmdSN",
    "data_sn": "DataSN",
    "r2t_sn": "R2TSN",
}
_MOST_TEXT = 65_536


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
    elif isinstance(pdu, _TEXTS):
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
    pairs, wrong = _pairs(data)
    for name, value in pairs:
        heard.hear(side, name, value)
    if heard.rows:
        yield "\nText"
        yield from table(heard.rows)
    if wrong:
        yield f"wrong: {wrong}"


def _pairs(data: bytes) -> tuple[list[Pair], str]:
    """The keys of a text as far as they can be read, and what is wrong with it."""
    try:
        return decode(data), ""
    except PeerError as error:
        pairs = []
        for item in data.split(b"\0"):
            name, equals, value = item.decode(errors="replace").partition("=")
            if equals:
                pairs.append((name, value))
        return pairs, f"{error.reason} (RFC 7143 section {error.section})"


def _hex(data: bytes) -> str:
    more = " ..." if len(data) > _SHOWN_DATA else ""
    return data[:_SHOWN_DATA].hex(" ") + more


# A whole capture.


@attrs.define
class _Talk:
    """What has been understood of one connection so far."""

    table: Table = attrs.field(factory=Table)
    text: dict[bool, bytearray] = attrs.field(
        factory=lambda: {True: bytearray(), False: bytearray()}
    )
    first: int | None = None


class Ladder:
    """A capture as a ladder: a line a PDU, to the right from initiators, to the left from targets.

    ``fields``: each PDU is explained in full as well.  ``only``: the number of one connection.
    """

    def __init__(self, *, fields: bool = False, only: int | None = None) -> None:
        self._fields, self._only = fields, only
        self._onlooker = Onlooker()
        self._talks: WeakKeyDictionary[Connection, _Talk] = WeakKeyDictionary()
        self._last: int | None = None
        self.packets = 0
        self.others = 0
        """Packets that have no TCP in them."""
        self.connections = 0

    def hear(self, packet: Packet) -> Iterator[str]:
        """One packet of the capture."""
        self.packets += 1
        segment = dissect(packet.link_type, packet.data)
        if segment is None:
            self.others += 1
            return
        connection = None
        for connection, heard in self._onlooker.hear(packet.time, segment):
            yield from self._lines(connection, heard)
        if connection is not None and self._wanted(connection):
            for comment in packet.comments:
                yield f"{'':>12}      * {comment}"

    def finish(self) -> Iterator[str]:
        """The capture has ended: what is left of it."""
        for connection, heard in self._onlooker.finish():
            yield from self._lines(connection, heard)

    def _wanted(self, connection: Connection) -> bool:
        return self._only is None or connection.number == self._only

    def _lines(self, connection: Connection, heard: Heard | None) -> Iterator[str]:
        number = connection.number
        self.connections = max(self.connections, number)
        talk = self._talks.setdefault(connection, _Talk())
        lines = list(self._spoken(connection, heard, talk))
        if not self._wanted(connection):
            return
        if heard is None or self._last != number:
            yield ""
            ends = f"{_address(connection.initiator)} --> {_address(connection.target)}"
            yield f"connection {number}: {ends}" + ("" if heard is None else ", again")
            self._last = number
        yield from lines

    def _spoken(self, connection: Connection, heard: Heard | None, talk: _Talk) -> Iterator[str]:
        if heard is None:
            return
        if talk.first is None:
            talk.first = heard.time
        when = f"{(heard.time - talk.first) / 1e9:12.6f}"
        if isinstance(heard, Remark):
            yield f"{when}  {_arrow(heard.from_initiator)}  ({heard.text})"
            return
        explained = explain(heard.cut.header, heard.cut.data, missing=heard.cut.missing)
        yield f"{when}  {_arrow(heard.from_initiator)}  {summary(explained, heard.cut)}"
        for wrong in (*explained.wrong, *heard.cut.wrong):
            yield f"{'':>12}      wrong: {wrong}"
        if self._fields:
            yield from (f"      {line}" if line else "" for line in explain_cut(heard.cut))
        yield from self._negotiation(connection, heard, explained.pdu, talk)

    def _negotiation(
        self, connection: Connection, said: Said, pdu: Pdu | None, talk: _Talk
    ) -> Iterator[str]:
        """Keep the keys of a login; when it is over, what was negotiated."""
        if not isinstance(pdu, _TEXTS):
            return
        text = talk.text[said.from_initiator]
        text += said.cut.data[: _MOST_TEXT - len(text)]
        if pdu.continue_:
            return
        pairs, _ = _pairs(bytes(text))
        text.clear()
        side = Side.INITIATOR if said.from_initiator else Side.TARGET
        for name, value in pairs:
            talk.table.hear(side, name, value)
        ends = isinstance(pdu, LoginResponse) and (
            bool(pdu.status_class) or (pdu.transit and pdu.nsg == 3)
        )
        if ends:
            _learn(connection, talk.table)
        over = ends or (isinstance(pdu, TextResponse) and pdu.final)
        if over and talk.table.rows:
            yield ""
            yield from table(talk.table.rows, indent=" " * 18)
            yield ""
            talk.table = Table()


def _learn(connection: Connection, heard: Table) -> None:
    """The digests of a connection, from what its login has settled."""
    settled = {line.name: line.result for line in heard.lines if _is_list(line.name)}
    connection.digests.header = settled.get("HeaderDigest") == "CRC32C"
    connection.digests.data = settled.get("DataDigest") == "CRC32C"


def _is_list(name: str) -> bool:
    return name in KEYS and KEYS[name].kind is Kind.LIST


def summary(explained: Explained, cut: Cut) -> str:
    """A PDU in one line: its name, what matters most in it, and its numbers."""
    pdu = explained.pdu
    if pdu is None:
        return explained.title
    said = [explained.title, *_matters(pdu, cut)]
    if "itt" in _values(explained):
        said.append(f"ITT {_values(explained)['itt']}")
    for name, shown in _NUMBERS.items():
        value = getattr(pdu, name, None)
        if value is not None:
            said.append(f"{shown} {value}")
    if cut.data_length:
        said.append(f"{cut.data_length} bytes")
    return ", ".join(said)


def _values(explained: Explained) -> Mapping[str, str]:
    return {part.name: part.value for part in explained.parts}


def _matters(pdu: Pdu, cut: Cut) -> Iterable[str]:
    if isinstance(pdu, LoginRequest):
        step = f" to {pdu.nsg}" if pdu.transit else ""
        yield f"stage {pdu.csg}{step}"
    elif isinstance(pdu, LoginResponse):
        status = pdu.status_class << 8 | pdu.status_detail
        known = status in set(LoginStatus)
        yield LoginStatus(status).name if known else f"status 0x{status:04x}"
    elif isinstance(pdu, ScsiCommand):
        command = commands.command_of(pdu.cdb)
        yield command.name if command is not None else f"CDB {pdu.cdb[0]:02X}h"
    elif isinstance(pdu, ScsiResponse) or (isinstance(pdu, DataIn) and pdu.has_status):
        known = pdu.status in set(Status)
        yield Status(pdu.status).name if known else f"status 0x{pdu.status:02x}"
        if isinstance(pdu, ScsiResponse) and len(cut.data) > 2:
            sense = dict(commands.explain_sense(cut.data[2:]))
            yield " ".join(
                sense[name] for name in ("sense key", "additional sense code") if name in sense
            )
    elif isinstance(pdu, Reject):
        known = pdu.reason in set(RejectReason)
        yield RejectReason(pdu.reason).name if known else f"reason 0x{pdu.reason:02x}"


def _arrow(from_initiator: bool) -> str:
    return "-->" if from_initiator else "<--"


def _address(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
