"""The two TCP connections of a link, cut into PDUs: what comes from either side, in its order."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import trio

from trioscsi.conformance.bench.cutter import Cutter, Piece
from trioscsi.pdu import BadDigest, Pdu, from_initiator
from trioscsi.text import Side

_BYTES = 262_144
_AHEAD = 256
"""PDUs of one connection that have come and were not handled yet."""
_RESET = struct.pack("ii", 1, 0)
_PATIENCE = 1.0
"""Seconds that closing may take."""


@attrs.frozen
class Move:
    """Something that has come from a side: a PDU, or the end."""

    sender: Side
    piece: Piece | None

    @property
    def pdu(self) -> Any:
        """The PDU, if it is one that this side may send; its data digest may be wrong."""
        if self.piece is None:
            return None
        thing = self.piece.thing
        if isinstance(thing, BadDigest):
            thing = thing.pdu
        from_here = self.sender is Side.INITIATOR
        if isinstance(thing, Pdu) and from_initiator(thing.opcode) is from_here:
            return thing
        return None


def peer_of(stream: trio.SocketStream) -> tuple[str, int]:
    """Who has connected; whoever has broken the connection off already has no address any more."""
    try:
        host, port = stream.socket.getpeername()[:2]
    except OSError:
        return ("::" if stream.socket.family == socket.AF_INET6 else "0.0.0.0"), 0
    return host, port


class Wire:
    """Reads from both sides all the time, and keeps what has come until it is asked for.

    ``hear`` is told of bytes as they come, before they are cut.
    """

    def __init__(
        self,
        initiator: trio.SocketStream,
        target: trio.SocketStream,
        hear: Callable[[Side, bytes], None],
    ) -> None:
        self._ends = {Side.INITIATOR: initiator, Side.TARGET: target}
        self._hear = hear
        self.cutters = {side: Cutter() for side in Side}
        self.closed: set[Side] = set()
        """Who has closed it; empty while it is open."""
        self._send_moves, self._moves = trio.open_memory_channel[Move](_AHEAD)
        self._patience = trio.CancelScope()

    async def run(self) -> None:
        """Read from both sides until both are closed."""
        try:
            async with trio.open_nursery() as nursery:
                for side in Side:
                    nursery.start_soon(self._read, side)
        finally:
            for stream in self._ends.values():
                stream.socket.close()

    async def _read(self, side: Side) -> None:
        stream, cutter = self._ends[side], self.cutters[side]
        while True:
            try:
                data = await stream.receive_some(_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                break
            self._hear(side, data)
            cutter.receive(data)
            for piece in cutter.pieces():
                await self._send_moves.send(Move(side, piece))
        await self._send_moves.send(Move(side, None))

    async def receive(self, until: float) -> Move | None:
        """What has come next; None at that time, or after `interrupt`.

        It is the only place where a wait may be broken off: a PDU that goes on does so whole.
        """
        with trio.CancelScope(deadline=until) as self._patience:
            return await self._moves.receive()
        return None

    def interrupt(self) -> None:
        """Let `receive` return."""
        self._patience.cancel()

    async def send(self, side: Side, data: bytes) -> None:
        """Send; whoever has closed his end is told of it by his reader."""
        try:
            await self._ends[side].send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.lowlevel.checkpoint()

    async def close(self, side: Side) -> None:
        """A side has closed: close the other one as well."""
        self.closed.add(side)
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _PATIENCE):
            for stream in self._ends.values():
                await stream.aclose()

    async def half_close(self) -> None:
        """Say to the initiator that no more will come."""
        try:
            await self._ends[Side.INITIATOR].send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.lowlevel.checkpoint()

    def break_off(self) -> None:
        """Let the initiator see a RST when the connection is closed."""
        sock = self._ends[Side.INITIATOR].socket
        with suppress(OSError):  # both sides have closed it, and nobody has asked for that yet
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
