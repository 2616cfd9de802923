"""The data of one large PDU, gathered apart from its header (RFC 7143 section 11.2.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs

from trioscsi.pdu.layout import Pdu

Lend: TypeAlias = Callable[[int], memoryview]
"""Gives a buffer of so many bytes, writable, of any content."""

Destination: TypeAlias = Callable[[Pdu, int], memoryview | None]
"""Where the data segment of this PDU (still without data, of so many bytes) is to be stored.

None if that is nowhere in particular, or not any longer.
"""

Taker: TypeAlias = Callable[[memoryview], None]
"""Takes the data of a PDU that was heard before they came."""


@attrs.define
class Gathering:
    """Data go where they belong as they come, as long as somebody knows where that is.

    If nobody knows any more, what has come goes on in a buffer: data are never put where they do
    not belong, and nothing waits for them in vain.
    """

    owner: Pdu
    """The PDU, still without its data."""
    header: bytes
    """All of it that comes before the data."""
    length: int
    """Bytes of data."""
    destination_for: Destination | None
    lend: Lend
    taker: Taker | None = None
    """Who takes the data if the PDU was heard already."""
    come: int = 0
    """Bytes that are here."""
    _data: memoryview | None = None
    """Where they are, once the first of them are moved there."""
    _in_place: bool = False
    """Whether that is where they belong."""

    def room(self) -> memoryview:
        """Where the next bytes are to be put; then they are to be counted in ``come``."""
        return self.place()[self.come :]

    def take(self, received: memoryview) -> int:
        """Move the first of these bytes to their place; how many they are."""
        count = min(self.length - self.come, len(received))
        if count:
            self.place()[self.come : self.come + count] = received[:count]
            self.come += count
        return count

    def place(self) -> memoryview:
        """Where all of the data are gathered: where they belong, as long as they do."""
        data = self._data
        if data is None or self._in_place:
            place = None
            if self.destination_for is not None:
                place = self.destination_for(self.owner, self.length)
            if data is None or place is None:
                self._in_place = place is not None
                gathered = self.lend(self.length) if place is None else place
                if data is not None:
                    gathered[: self.come] = data[: self.come]
                self._data = data = gathered
        return data

    @property
    def whole(self) -> memoryview | None:
        """The data, once all of them are here."""
        return self._data if self.come == self.length else None
