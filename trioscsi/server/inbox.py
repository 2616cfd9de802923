"""What comes out of a connection's socket, and the buffer that it is heard from."""

from __future__ import annotations

import socket

from trioscsi.protocol import TargetConnection
from trioscsi.server.lender import Lender
from trioscsi.server.tracing import Tap

_LARGE = 131_072
"""Bytes still to come of one PDU from which on it pays to let only headers through the buffer.

A large PDU seldom comes alone: if nothing but its header is received with the end of the one
before, all of its data find their place.
"""

_MUCH = 65_536
"""Bytes received at once that are not left lying until other connections were heard."""


class Inbox:
    """The input of a connection on its way out of a socket."""

    def __init__(
        self,
        sock: socket.socket,
        connection: TargetConnection,
        lender: Lender,
        tap: Tap | None = None,
    ) -> None:
        self._socket = sock
        self._connection = connection
        self._lender = lender
        self._tap = tap
        self._buffer: memoryview | None = None
        """Borrowed until what is in it was heard and done."""
        self._room = lender.size
        """How much of it may be filled at once."""
        self.much = False
        """Whether that much came last that it should be acted on while it is in the cache."""

    def fill(self) -> None:
        """Hand the connection what has come, unless it was not done yet with what came before.

        Raises BlockingIOError if nothing has come, EOFError if nothing will come any more, and
        another OSError if the connection is broken.
        """
        if self._buffer is not None:
            return
        buffer, come = self._lender.borrow(), None
        try:
            come = self._receive_into(buffer)
        finally:
            if come is None:
                self._lender.give_back(buffer)
        if come is None:
            if self._tap is not None:
                self._tap.ended()
            raise EOFError
        self._buffer, self.much = buffer, len(come) >= _MUCH
        self._connection.receive(come)

    def done(self) -> None:
        """What has come was heard and done: nothing of it is needed any more."""
        if self._buffer is not None:
            self._lender.give_back(self._buffer)
            self._buffer = None

    def _receive_into(self, buffer: memoryview) -> memoryview | None:
        """What came into the buffer, after what came straight into a PDU; None: there is no more.

        Raises OSError if the connection is broken, or nothing has come.
        """
        framer = self._connection.framer
        rest = framer.get_buffer()
        if rest is None:
            received = self._socket.recv_into(buffer, self._room)
            self._room = len(buffer)
            if self._tap is not None and received:
                self._tap.received(buffer[:received])
            return buffer[:received] if received else None
        if len(rest) >= _LARGE:
            self._room = framer.header_length
        rest = rest[: self._connection.limits.turn_bytes]
        room = max(min(self._room, len(buffer) - len(rest)), framer.header_length)
        received = self._socket.recvmsg_into([rest, buffer[:room]])[0]
        direct = min(received, len(rest))
        if self._tap is not None and received:
            self._tap.received(rest[:direct], buffer[: received - direct])
        framer.filled(direct)
        return buffer[: received - direct] if received else None
