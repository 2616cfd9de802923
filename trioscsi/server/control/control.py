"""All who ask at the control socket."""

from __future__ import annotations

import logging
import socket

import trio

from trioscsi.server.control.caller import Caller
from trioscsi.teaching.live import Feed

log = logging.getLogger("trioscsi")

MOST_CALLERS = 32
"""Those who are answered at the same time; each is a program on this machine."""


class Control:
    """Answers at a socket that listens, out of a feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._callers = 0

    async def serve(self, listener: socket.socket) -> None:
        """Answer until cancelled."""
        door = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
        async with trio.open_nursery() as callers:
            await trio.serve_listeners(self._answer, [door], handler_nursery=callers)

    async def _answer(self, stream: trio.SocketStream) -> None:
        if self._callers >= MOST_CALLERS:
            log.warning("more than %d programs ask at the control socket", MOST_CALLERS)
            await trio.aclose_forcefully(stream)
            return
        self._callers += 1
        try:
            await Caller(stream, self._feed).run()
        except* Exception:
            # A fault in one conversation ends that conversation, never the server.
            log.exception("the control socket: a fault of ours")
        finally:
            self._callers -= 1
