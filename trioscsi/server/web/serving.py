"""HTTP around an application: hypercorn's protocol, and streams that nobody can hold up."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp

from trioscsi.server.web.app import drawn, make_app
from trioscsi.server.web.page import LivePage

if TYPE_CHECKING:
    from trioscsi.server.server import Server

log = logging.getLogger("trioscsi")

MOST_CONNECTIONS = 64
"""Browsers open six at most."""
PATIENCE = 15.0
"""Seconds that a browser may leave what it was sent unread."""
_IDLE = 15.0
"""Seconds that a connection may live without a request."""


class Patient(trio.abc.HalfCloseableStream):
    """A connection that is given up if its other side reads nothing.

    hypercorn shields what it sends from being cancelled: without this, a browser that has stopped
    reading would keep the whole server from ending.
    """

    def __init__(self, stream: trio.SocketStream, patience: float) -> None:
        self.socket = stream.socket
        self._stream, self._patience = stream, patience

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, but do not wait for ever; raises BrokenResourceError if the peer does not read."""
        with trio.move_on_after(self._patience) as scope:
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            self.cut()
            raise trio.BrokenResourceError(f"nothing was read for {self._patience:g} seconds")

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """See `trio.abc.ReceiveStream`."""
        return await self._stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        """See `trio.abc.HalfCloseableStream`."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """See `trio.abc.AsyncResource`."""
        await self._stream.aclose()

    def cut(self) -> None:
        """Close it at once; whoever sends or receives is told."""
        self.socket.close()


class Serving:
    """Serves an application on sockets that listen already, until it is cancelled."""

    def __init__(self, app: ASGIApp, *, patience: float = PATIENCE) -> None:
        config = Config()
        config.include_server_header = False
        config.keep_alive_timeout = _IDLE
        config.errorlog = log
        self._handle = partial(
            TCPServer,
            wrap_app(cast("ASGIFramework", app), config.wsgi_max_body_size, "asgi"),
            config,
            WorkerContext(None),
            ConnectionState({}),
        )
        self._patience = patience
        self._streams: set[Patient] = set()

    async def serve(self, listeners: list[trio.SocketListener]) -> None:
        """Serve; when it is cancelled, whoever is connected is cut off."""
        async with trio.open_nursery() as nursery:
            try:
                await trio.serve_listeners(self._attend, listeners, handler_nursery=nursery)
            finally:
                for stream in tuple(self._streams):
                    stream.cut()

    async def _attend(self, stream: trio.SocketStream) -> None:
        if len(self._streams) >= MOST_CONNECTIONS:
            await trio.aclose_forcefully(stream)
            return
        patient = Patient(stream, self._patience)
        self._streams.add(patient)
        try:
            await self._handle(cast("Any", patient))
        except* Exception:
            # A fault of ours while somebody watches must not harm who is served.
            log.exception("the page failed")
        finally:
            self._streams.discard(patient)
            patient.cut()


async def serve_page(
    server: Server,
    page: LivePage,
    doors: Iterable[socket.socket],
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the page of a server at sockets that listen already, until it is cancelled."""
    await drawn()  # while nobody waits for it
    serving = Serving(make_app(server, page))
    task_status.started()
    await serving.serve(
        [trio.SocketListener(trio.socket.from_stdlib_socket(door)) for door in doors]
    )
