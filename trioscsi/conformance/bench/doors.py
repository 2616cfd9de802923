"""The doors of the stage, and who is on the way through them."""

from __future__ import annotations

import select
from collections.abc import Awaitable, Callable

import attrs
import trio


@attrs.define
class _Door(trio.abc.Listener[trio.SocketStream]):
    """One port, at which ``entering`` have been let in and are not on the stage yet."""

    listener: trio.SocketListener
    entering: int = 0

    async def accept(self) -> trio.SocketStream:
        stream = await self.listener.accept()
        self.entering += 1
        return stream

    async def aclose(self) -> None:
        await self.listener.aclose()

    @property
    def is_clear(self) -> bool:
        """Whether nobody has connected who is not on the stage."""
        poll = select.poll()
        poll.register(self.listener.socket.fileno(), select.POLLIN)
        return not self.entering and not poll.poll(0)


class Doors:
    """Opened in a nursery.

    ``come`` takes who connects, and calls what it is given as soon as that one is on the stage.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        come: Callable[[trio.SocketStream, Callable[[], None]], Awaitable[None]],
    ) -> None:
        self._nursery, self._come = nursery, come
        self._doors: list[_Door] = []

    async def open(self, address: str, port: int) -> int:
        """Open one more door, and give its port; raises OSError if that is taken."""
        (listener,) = await trio.open_tcp_listeners(port, host=address)
        door = _Door(listener)
        self._doors.append(door)

        async def enter(stream: trio.SocketStream) -> None:
            def entered() -> None:
                door.entering -= 1

            await self._come(stream, entered)

        self._nursery.start_soon(trio.serve_listeners, enter, [door])
        number: int = listener.socket.getsockname()[1]
        return number

    async def are_clear(self) -> None:
        """Wait until all who have connected so far are on the stage."""
        while not all(door.is_clear for door in self._doors):
            await trio.lowlevel.checkpoint()
