"""A server with one initiator that has logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
import pytest
import trio
from starlette.types import ASGIApp

from tests.server.peer import NAME, Peer
from trioscsi import LivePage, MemoryDisk, Server, Target
from trioscsi.server.listener import Address
from trioscsi.server.web.app import make_app


@attrs.frozen
class Watched:
    """The server, its page without a socket, and the initiator."""

    server: Server
    address: Address
    app: ASGIApp
    peer: Peer

    async def connect(self) -> Peer:
        """One more initiator, not logged in."""
        sock = trio.socket.socket()
        await sock.connect(self.address)
        return Peer(sock)


@pytest.fixture
async def watched(nursery: trio.Nursery) -> AsyncIterator[Watched]:
    target = Target(NAME, MemoryDisk("1MiB"), alias="shown", allow=["*"])
    server = Server([target], ["127.0.0.1:0"])
    app = make_app(server, LivePage("127.0.0.1:8080"))
    (address,) = await nursery.start(server.serve)
    sock = trio.socket.socket()
    await sock.connect(address)
    peer = Peer(sock)
    await peer.log_in()
    await peer.do(bytes(6))
    yield Watched(server, address, app, peer)
    peer.close()
