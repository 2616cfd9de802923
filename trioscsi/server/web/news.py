"""The feed of a server as server-sent events: what a page listens to."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import trio
from starlette.responses import StreamingResponse
from starlette.types import Send

from trioscsi.server.live import Listener

if TYPE_CHECKING:
    from trioscsi.teaching.live import Feed

MOST_LISTENERS = 16
"""Pages that are told of the same server."""

_BREATH = 15.0
"""Seconds of silence after which a line is sent, so that a browser that is gone is found out."""

_RETRY = "retry: 1000\n\n"
"""Milliseconds after which a browser is to come back when it has lost us."""


class Events(StreamingResponse):
    """A stream of events, whose source is let go of as soon as the browser is gone."""

    media_type = "text/event-stream"

    def __init__(self, source: AsyncGenerator[str]) -> None:
        super().__init__(source)
        self._source = source

    async def stream_response(self, send: Send) -> None:
        """See `StreamingResponse`."""
        async with aclosing(self._source):
            await super().stream_response(send)


class News:
    """Hands the feed of one server to those who listen, as long as there are not too many."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.listeners = 0

    @property
    def full(self) -> bool:
        """Whether nobody else may listen."""
        return self.listeners >= MOST_LISTENERS

    async def stream(self) -> AsyncGenerator[str]:
        """Messages as events, several at once where they come fast.

        They are taken from a queue with an end only when those before them are sent: a browser
        that is slow loses detail, and is told so.
        """
        self.listeners += 1
        try:
            with Listener(self._feed) as listener:
                yield _RETRY
                while True:
                    messages = None
                    with trio.move_on_after(_BREATH):
                        messages = await listener.take()
                    yield f"data: {json.dumps(messages)}\n\n" if messages else ":\n\n"
        finally:
            self.listeners -= 1
