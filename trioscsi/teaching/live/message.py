"""Messages of a feed, and which of them somebody wants (specs/feed.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias

import attrs

Message: TypeAlias = dict[str, Any]
"""Names and plain values, as JSON has them; ``type`` says what it is."""

TYPES = frozenset(
    {
        "hello",
        "connection",
        "session",
        "transition",
        "pdu",
        "keys",
        "task",
        "rates",
        "note",
        "closed",
        "dropped",
    }
)

DETAIL = frozenset({"pdu", "task", "rates"})
"""What is left out first when somebody does not keep up."""

ALWAYS = frozenset({"hello", "dropped"})
"""What no filter takes away: without them nobody knows what is missing."""


class News(Protocol):
    """Something that will be a message if anybody takes it."""

    @property
    def type(self) -> str:
        """The type that the message will have."""

    @property
    def connection(self) -> int | None:
        """The number of the connection that it is about; None if it is about several."""

    @property
    def name(self) -> str:
        """Of a PDU, what it is called."""

    def message(self) -> Message:
        """The message; made once, however many want it."""


@attrs.frozen
class Told:
    """A message that is there already."""

    _message: Message

    @property
    def type(self) -> str:
        """See `News`."""
        return str(self._message["type"])

    @property
    def connection(self) -> int | None:
        """See `News`."""
        number = self._message.get("connection")
        return number if isinstance(number, int) else None

    @property
    def name(self) -> str:
        """See `News`."""
        return ""

    def message(self) -> Message:
        """See `News`."""
        return self._message


def _set(words: Iterable[Any] | None) -> frozenset[Any] | None:
    return None if words is None else frozenset(words)


@attrs.frozen(kw_only=True)
class Filter:
    """What somebody wants to hear of; None leaves that open.

    ``types`` are of messages, ``connections`` numbers, and ``pdus`` names such as ``LoginRequest``.
    """

    types: frozenset[str] | None = attrs.field(default=None, converter=_set)
    connections: frozenset[int] | None = attrs.field(default=None, converter=_set)
    pdus: frozenset[str] | None = attrs.field(default=None, converter=_set)

    def admits(self, news: News) -> bool:
        """Whether somebody wants this."""
        kind = news.type
        if kind in ALWAYS:
            return True
        if self.types is not None and kind not in self.types:
            return False
        about = news.connection
        if self.connections is not None and about is not None and about not in self.connections:
            return False
        return self.pdus is None or kind != "pdu" or news.name in self.pdus
