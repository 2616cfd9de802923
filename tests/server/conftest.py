"""Targets without doors: a conversation is held over a pair of sockets.

The two ends of a pair are in one process and the kernel hands bytes over at once, so a test may
ask for ``autojump_clock``: it never jumps while something is on its way.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import attrs
import pytest
import trio

from tests.conformance.witness import Witness
from tests.server.peer import NAME, TEST_UNIT_READY, Peer
from trioscsi import Limits, MemoryDisk, Target
from trioscsi.protocol import Node
from trioscsi.scsi import Done, LogicalUnit, Outcome, Plan, Procedure, Storage
from trioscsi.server.access import Door
from trioscsi.server.conversation import Conversation
from trioscsi.server.lender import Lender
from trioscsi.server.listener import Address
from trioscsi.server.outbox import Backlog
from trioscsi.server.reactor import Reactor
from trioscsi.server.refusals import Refusals
from trioscsi.server.server import keep_time
from trioscsi.text import Offer

Build: TypeAlias = Callable[..., "House"]
Planned: TypeAlias = Callable[[Plan], Awaitable[Peer]]


@attrs.define
class House:
    """A target, and conversations with it."""

    nursery: trio.Nursery
    target: Target
    patience: float
    lender: Lender = attrs.field(factory=lambda: Lender(1 << 18, 1 << 25))
    reactor: Reactor = attrs.field(factory=Reactor)
    refusals: Refusals = attrs.field(factory=lambda: Refusals(8))
    backlog: Backlog = attrs.field(
        default=attrs.Factory(lambda house: Backlog(house.target.limits.total_output), True)
    )
    conversations: list[Conversation] = attrs.field(factory=list)
    peers: list[Peer] = attrs.field(factory=list)
    witness: Witness = attrs.field(factory=Witness)

    def connect(self, address: Address | None = None) -> Peer:
        """A peer (from this address) whose conversation with the target has begun."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        limits, node = self.target.limits, self.target.node
        door = Door(
            {node.name: self.target.guarded},
            Node("", Offer()),
            address or ("127.0.0.1", 50_000 + len(self.conversations)),
            [(("127.0.0.1", 3260), 1)],
        )
        conversation = Conversation(
            ours,
            door.peer,
            door,
            limits,
            self.lender,
            self.reactor,
            self.backlog,
            lambda _: self.target.performer,
            self.refusals,
        )
        if not self.conversations:
            self.nursery.start_soon(self.reactor.run)
            self.nursery.start_soon(keep_time, node, self.target.performer)
        self.conversations.append(conversation)
        self.nursery.start_soon(conversation.run)
        socket_of_peer = trio.socket.from_stdlib_socket(theirs)
        peer = Peer(socket_of_peer, patience=self.patience, witness=self.witness)
        self.peers.append(peer)
        return peer

    async def log_in(self, isid: bytes = b"\x80test\0", **keys: str) -> Peer:
        """A peer that is logged in and has taken the first unit attention."""
        peer = self.connect()
        assert await peer.log_in(isid=isid, **keys) == 0
        for unit in self.target.performer.target.units:
            await peer.do(TEST_UNIT_READY, unit=unit)
        return peer


@attrs.define
class Step(Procedure):
    """Ends as the test says, having noted the data that came."""

    exact = True
    outcome: Plan | Exception = attrs.field(factory=Done)
    data: bytes = b""

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        self.data = bytes(data)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome  # type: ignore[return-value]


@pytest.fixture
async def build(nursery: trio.Nursery, request: pytest.FixtureRequest) -> AsyncIterator[Build]:
    """Builds a target of these disks and settings; by default of one memory disk."""
    houses: list[House] = []
    patience = 1e6 if "autojump_clock" in request.fixturenames else 10

    def build(*disks: Any, limits: Limits | None = None, **settings: Any) -> House:
        target = Target(NAME, *(disks or [MemoryDisk("64MiB")]), limits=limits, **settings)
        houses.append(House(nursery, target, patience))
        return houses[-1]

    yield build
    for house in houses:
        for peer in house.peers:
            peer.close()


@pytest.fixture
def planned(build: Build, monkeypatch: pytest.MonkeyPatch) -> Callable[[Plan], Awaitable[Peer]]:
    """A peer whose commands are all performed by this plan."""

    async def planned(plan: Plan) -> Peer:
        house = build()
        peer = await house.log_in()
        monkeypatch.setattr(LogicalUnit, "execute", lambda *_: plan)
        return peer

    return planned
