"""The way from a connection of an initiator to its socket and back."""

from __future__ import annotations

from collections.abc import Callable

import trio

from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.session import InitiatorSession

_PDUS = 32
_BYTES = 262_144


class Carrier:
    """Carries bytes both ways, until the connection is closed.

    ``stir`` is called when something may have happened to the session.
    """

    def __init__(
        self,
        connection: InitiatorConnection,
        stream: trio.SocketStream,
        stir: Callable[[InitiatorSession], None],
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._tell = stir
        self._output = trio.Event()
        connection.wake = self._wake

    async def run(self) -> None:
        """Tell the connection that its transport is there, and carry."""
        connection = self._connection
        connection.connected(trio.current_time())
        self._stir()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send, nursery.cancel_scope)
                await self._receive()
                nursery.cancel_scope.cancel()
        finally:
            connection.lost("the session was given up", trio.current_time())
            self._stir()
            await trio.aclose_forcefully(self._stream)

    def _stir(self) -> None:
        self._tell(self._connection.session)

    def _wake(self) -> None:
        self._output.set()

    async def _receive(self) -> None:
        connection = self._connection
        while not connection.closed:
            try:
                data = await self._stream.receive_some(_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            now = trio.current_time()
            if not data:
                connection.lost("the target has closed the connection", now)
            else:
                connection.receive(data)
                while connection.pump(now, _PDUS):
                    pass
            self._stir()

    async def _send(self, all_: trio.CancelScope) -> None:
        connection = self._connection
        while True:
            output = connection.take_output()
            if output:
                try:
                    await self._stream.send_all(b"".join(output))
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    connection.lost("the transport broke", trio.current_time())
                    self._stir()
            elif connection.closed:
                all_.cancel()
                return
            else:
                self._output = trio.Event()
                await self._output.wait()
