"""What a connection has still to send, and the one call that sends it."""

from __future__ import annotations

import socket
from typing import TypeAlias

from trioscsi.protocol import TargetConnection
from trioscsi.server.tracing import Tap

Buffers: TypeAlias = list[bytes | bytearray | memoryview]

_IOV_MAX = 1000
"""Buffers in one sendmsg; Linux takes 1024."""


class Backlog:
    """Bytes that the peers of all connections of a server have still to read, and their bound."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0

    @property
    def full(self) -> bool:
        """Whether those who have much to read may not ask for more."""
        return self.size > self.limit


class Outbox:
    """The output of a connection on its way into a socket."""

    def __init__(
        self,
        sock: socket.socket,
        connection: TargetConnection,
        backlog: Backlog,
        tap: Tap | None = None,
    ) -> None:
        self._socket = sock
        self._tap = tap
        self._connection = connection
        self._backlog = backlog
        self._in_backlog = 0
        """What of the backlog is ours."""
        self.stuck = False
        """Whether the socket was full: what is left waits until it is writable."""
        self._unsent: Buffers = []
        self._unsent_size = 0

    @property
    def size(self) -> int:
        """Bytes that the peer has still to read, as far as they have not left this process."""
        return self._unsent_size + self._connection.output_size

    @property
    def overfull(self) -> bool:
        """Whether the peer leaves so much unread that it is to be heard no more for now."""
        most = self._connection.limits.output
        return self.stuck and (self.size > most or self._backlog.full)

    def has_room(self, size: int, coming: int) -> bool:
        """Whether so many bytes may join those that the peer has to read, and that are coming.

        One answer always may, however large it is.
        """
        before = self.size + coming
        if not before:
            return True
        return not self._backlog.full and before + size <= self._connection.limits.output

    def send(self) -> None:
        """Send as much as the socket takes, all buffers with one call.

        Raises OSError if the connection is broken.
        """
        output = self._connection.take_output()
        self._unsent += output
        self._unsent_size += sum(map(len, output))
        self.stuck = False
        while self._unsent:
            try:
                sent = self._socket.sendmsg(self._unsent[:_IOV_MAX])
            except BlockingIOError:
                self.stuck = True
                break
            if self._tap is not None:
                self._tap.sent(self._unsent, sent)
            self._unsent_size -= sent
            self._unsent = without(self._unsent, sent) if self._unsent_size else []
        if self._unsent or self._in_backlog:
            self._count()

    def hold(self) -> None:
        """Put what there is to send behind what waits for the socket.

        So each buffer is looked at once, however many of them a peer leaves unread.
        """
        output = self._connection.take_output()
        self._unsent += output
        self._unsent_size += sum(map(len, output))
        self._count()

    def _count(self) -> None:
        """Note in the backlog what is left."""
        size = self.size
        if size != self._in_backlog:
            self._backlog.size += size - self._in_backlog
            self._in_backlog = size

    def clear(self) -> None:
        """Nobody will read it any more."""
        self._unsent, self._unsent_size, self.stuck = [], 0, False
        self._connection.take_output()
        self._count()


def without(buffers: Buffers, sent: int) -> Buffers:
    """What is left of ``buffers`` after the first ``sent`` bytes."""
    for place, buffer in enumerate(buffers):
        if sent < len(buffer):
            return [memoryview(buffer)[sent:], *buffers[place + 1 :]]
        sent -= len(buffer)
    return []
