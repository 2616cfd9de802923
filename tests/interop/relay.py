"""A wire that remembers what went over it, to compare with what others say of it."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import attrs


@attrs.define
class Carried:
    """One connection: our address towards the server, and the bytes of both directions."""

    address: tuple[str, int]
    sent: bytearray = attrs.field(factory=bytearray)
    received: bytearray = attrs.field(factory=bytearray)


class Relay:
    """Listens at ``portal`` and passes connections on to a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.carried: list[Carried] = []
        self.portal = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # To close a socket does not wake who waits for it.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            for sock in client, server:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            carried = Carried(server.getsockname())
            self.carried.append(carried)
            self._threads.append(threading.Thread(target=self._carry, args=(client, server)))
            self._threads[-1].start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        carried = next(each for each in self.carried if each.address == server.getsockname())
        back = threading.Thread(target=_pass_on, args=(server, client, carried.received))
        back.start()
        _pass_on(client, server, carried.sent)
        back.join()
        client.close()
        server.close()


def _pass_on(source: socket.socket, destination: socket.socket, kept: bytearray) -> None:
    try:
        while data := source.recv(1 << 18):
            kept += data
            destination.sendall(data)
        destination.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side has broken it off, as the other will notice
