"""A PDU that was seen: kept for a while, told when somebody asks."""

from __future__ import annotations

from collections import OrderedDict

import attrs

from trioscsi.pdu import NO_TASK, LoginRequest, LoginResponse, Pdu, TextRequest, TextResponse
from trioscsi.teaching.explanation import contents
from trioscsi.teaching.fields import explain, title_of
from trioscsi.teaching.live.message import Message
from trioscsi.teaching.splitting import Cut
from trioscsi.teaching.summary import in_a_line

MOST_KEPT = 4 * 2**20
"""Bytes of PDUs that can still be explained."""

_TEXTS = (LoginRequest, LoginResponse, TextRequest, TextResponse)
_KEPT_TEXT, _KEPT_DATA = 8192, 512
"""Bytes of the data segment of one PDU that are kept."""
_SHOWN_DATA = 64
"""Bytes of data in a message."""
_OVERHEAD = 1024
"""What one takes in memory besides its bytes, or more."""


@attrs.define(eq=False)
class Seen:
    """One PDU; ``number`` counts those of its connection that were looked at, from 1."""

    connection: int
    number: int
    at: float
    from_initiator: bool
    pdu: Pdu | None
    cut: Cut
    type: str = attrs.field(default="pdu", init=False)
    _message: Message | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        most = _KEPT_TEXT if isinstance(self.pdu, _TEXTS) else _KEPT_DATA
        if len(self.cut.data) > most:
            self.cut = attrs.evolve(self.cut, data=self.cut.data[:most])

    @property
    def name(self) -> str:
        """What it is called; empty if it is no PDU."""
        return "" if self.pdu is None else type(self.pdu).__name__

    @property
    def size(self) -> int:
        """About what it takes in memory."""
        return _OVERHEAD + len(self.cut.header) + 2 * len(self.cut.data)

    def message(self) -> Message:
        """It in one line, and the bytes of it."""
        if self._message is None:
            pdu, cut = self.pdu, self.cut
            title = "no PDU" if pdu is None else title_of(type(pdu))
            itt = getattr(pdu, "itt", NO_TASK)
            self._message = {
                "type": "pdu",
                "at": self.at,
                "connection": self.connection,
                "number": self.number,
                "sender": "initiator" if self.from_initiator else "target",
                "name": self.name,
                "title": title,
                "section": "11.2.1.2" if pdu is None else pdu.section,
                "summary": title if pdu is None else in_a_line(title, pdu, cut),
                "itt": None if itt == NO_TASK else f"0x{itt:08x}",
                "wrong": list(cut.wrong),
                "header": cut.header.hex(),
                "data": cut.data[:_SHOWN_DATA].hex(),
                "data_length": cut.data_length,
            }
        return self._message

    def explained(self) -> Message:
        """All about it: its fields, what is in it, and what is wrong."""
        cut = self.cut
        found = explain(cut.header, cut.data, missing=cut.missing)
        inside = list(contents(found, cut))
        wrong = [*found.wrong, *cut.wrong]
        for content in inside:
            wrong += content.wrong
        return {
            "type": "explained",
            "connection": self.connection,
            "number": self.number,
            "name": found.name,
            "title": found.title,
            "section": found.section,
            "fields": [
                {
                    "name": part.name,
                    "title": part.title,
                    "byte": part.place.byte,
                    "bit": part.place.bit,
                    "width": part.place.width,
                    "value": part.value,
                    "meaning": part.meaning,
                    "section": part.section,
                }
                for part in found.parts
            ],
            "contents": [
                {"title": content.title, "rows": [list(row) for row in content.rows]}
                for content in inside
            ],
            "wrong": wrong,
        }


class Shelf:
    """The last PDUs that were seen, so many bytes of them."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._seen: OrderedDict[tuple[int, int], Seen] = OrderedDict()
        self._size = 0

    def put(self, seen: Seen) -> None:
        """Keep one more; the oldest give way."""
        self._seen[seen.connection, seen.number] = seen
        self._size += seen.size
        while self._size > self._most:
            self._size -= self._seen.popitem(last=False)[1].size

    def find(self, connection: int, number: int) -> Seen | None:
        """One PDU, if it is still here."""
        return self._seen.get((connection, number))
