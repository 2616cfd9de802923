"""How a server lets go of initiators, and of storage that does not let go."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.server.disks import Hanging
from tests.server.peer import (
    BLOCK,
    NAME,
    OTHER_ISID,
    TEST_UNIT_READY,
    Peer,
    is_unharmed,
    write10,
)
from trioscsi import MemoryDisk, Server, Target, UsageError, in_thread
from trioscsi.pdu import AsyncEvent, AsyncMessage
from trioscsi.protocol import Session


@pytest.fixture
def patient_clock() -> MockClock:
    """Jumps like trio's, but only after the kernel has had the time to hand bytes over."""
    return MockClock(autojump_threshold=0.05)


@attrs.define
class World:
    """A server of one target, and when it has ended."""

    target: Target
    server: Server = attrs.field(init=False)
    address: Any = None
    ended: trio.Event = attrs.field(factory=trio.Event)
    peers: list[Peer] = attrs.field(factory=list)

    async def serve(self, task_status: Any) -> None:
        self.server = Server([self.target], ["127.0.0.1:0"])
        await self.server.serve(task_status)
        self.ended.set()

    async def log_in(self, isid: bytes = b"\x80test\0", **keys: str) -> Peer:
        sock = trio.socket.socket()
        await sock.connect(self.address)
        peer = Peer(sock, patience=1e6)
        self.peers.append(peer)
        assert await peer.log_in(isid=isid, **keys) == 0
        await peer.do(TEST_UNIT_READY)
        return peer

    @property
    def sessions(self) -> list[Session]:
        return list(self.target.sessions)


@pytest.fixture
async def worlds(nursery: trio.Nursery) -> AsyncIterator[Any]:
    """Makes a server of a target of one disk."""
    made: list[World] = []

    async def make(disk: Any) -> World:
        world = World(Target(NAME, disk))
        made.append(world)
        (world.address,) = await nursery.start(world.serve)
        return world

    yield make
    for world in made:
        for peer in world.peers:
            peer.close()


async def event_of(peer: Peer) -> AsyncEvent:
    message = await peer.receive()
    assert isinstance(message, AsyncMessage), message
    return AsyncEvent(message.async_event)


# Draining.


async def test_a_drained_session_is_asked_to_log_out_and_no_other(
    worlds: Any, nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    world = await worlds(MemoryDisk("1MiB"))
    peer, other = await world.log_in(), await world.log_in(OTHER_ISID)
    session, stays = world.sessions
    drained = trio.Event()

    async def drain() -> None:
        await world.server.drain(session)
        drained.set()

    nursery.start_soon(drain)
    assert await event_of(peer) == AsyncEvent.LOGOUT_REQUEST
    assert not drained.is_set()
    await peer.log_out()
    await drained.wait()
    assert trio.current_time() == 0
    assert world.sessions == [stays]
    assert await is_unharmed(other)


async def test_who_does_not_log_out_in_time_is_told_and_dropped(
    worlds: Any, patient_clock: MockClock
) -> None:
    world = await worlds(MemoryDisk("1MiB"))
    peer = await world.log_in()
    await world.server.drain(*world.sessions, grace=3)
    assert trio.current_time() == pytest.approx(3)
    assert await event_of(peer) == AsyncEvent.LOGOUT_REQUEST
    assert await event_of(peer) == AsyncEvent.SESSION_DROP
    assert await peer.receive() is None
    assert world.sessions == []


async def test_who_was_drained_may_log_in_again(worlds: Any, patient_clock: MockClock) -> None:
    world = await worlds(MemoryDisk("1MiB"))
    await world.log_in()
    await world.server.drain(*world.sessions, grace=0)
    assert await is_unharmed(await world.log_in())


async def test_a_session_whose_connection_is_lost_already_is_ended(
    worlds: Any, patient_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = await worlds(MemoryDisk("1MiB"))
    peer = await world.log_in(DefaultTime2Retain="3600")
    peer.close()
    with trio.move_on_after(1):
        await trio.sleep_forever()
    (session,) = world.sessions
    assert session.state == "FAILED"
    with caplog.at_level(logging.INFO, "trioscsi"):
        await world.server.drain(session)
        await wait_all_tasks_blocked()
    assert world.sessions == []
    assert "is over: its connection is lost" in caplog.text
    assert trio.current_time() == pytest.approx(1)


async def test_a_target_that_is_removed_has_no_sessions_any_more(
    worlds: Any, patient_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = await worlds(MemoryDisk("1MiB"))
    lost, goes = await world.log_in(DefaultTime2Retain="3600"), await world.log_in(OTHER_ISID)
    lost.close()
    with trio.move_on_after(1):
        await trio.sleep_forever()
    assert await is_unharmed(goes)
    assert len(world.sessions) == 2
    with caplog.at_level(logging.INFO, "trioscsi"):
        assert await world.server.remove(NAME, grace=0) is world.target
    assert world.sessions == []
    assert caplog.text.count("is over: its connection is lost") == 2


async def test_a_target_is_removed_once(worlds: Any, patient_clock: MockClock) -> None:
    world = await worlds(MemoryDisk("1MiB"))
    peer = await world.log_in()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.server.remove, NAME)
        await wait_all_tasks_blocked()
        with pytest.raises(UsageError, match="there is no target"):
            await world.server.remove(NAME)
        peer.close()


async def test_a_target_that_serves_by_itself_is_drained_as_a_whole(
    nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    target = Target(NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0")
    (address,) = await nursery.start(target.serve)
    world = World(target, address)
    peers = [await world.log_in(isid) for isid in (OTHER_ISID, b"\x80test\0")]
    nursery.start_soon(target.drain)
    for peer in peers:
        assert await event_of(peer) == AsyncEvent.LOGOUT_REQUEST
        await peer.log_out()
        peer.close()
    assert world.sessions == []


async def test_to_drain_a_target_that_does_not_serve_is_no_error() -> None:
    await Target(NAME, MemoryDisk("1MiB")).drain()


# Storage that hangs.


async def test_a_connection_is_closed_although_storage_keeps_its_command(
    worlds: Any, patient_clock: MockClock
) -> None:
    disk = Hanging(lba=8)
    world = await worlds(disk)
    peer = await world.log_in()
    await peer.send(peer.command(write10(8, 1), b"l" * BLOCK))
    await disk.entered.wait()
    await world.server.drain(*world.sessions, grace=0)
    assert await event_of(peer) == AsyncEvent.LOGOUT_REQUEST
    assert await event_of(peer) == AsyncEvent.SESSION_DROP
    assert await peer.receive() is None
    assert world.server.conversations == ()
    again = await world.log_in()
    assert await is_unharmed(again)
    (unit,) = world.target.performer.units
    assert len(unit.waiting) == 1  # it counts as long as it is there
    write = again.command(write10(8, 1), b"n" * BLOCK)
    await again.send(write)
    with trio.move_on_after(20) as waiting:
        await again.receive()
    assert waiting.cancelled_caught
    disk.open.set()
    assert (await again.answer(write)).status == 0
    assert await again.read(8, 1) == b"n" * BLOCK
    assert not unit.waiting
    assert not list(world.target.node.dying)


class Stuck:
    """A disk that never answers, in threads."""

    block_size, blocks = 512, 2048

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()

    def read(self, lba: int, blocks: int) -> bytes:
        return bytes(blocks * self.block_size)

    def write(self, lba: int, data: object) -> None:
        self.entered.set()
        self.go_on.wait(60)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    disk = Stuck()
    yield disk
    disk.go_on.set()


async def test_a_server_stops_in_time_although_storage_hangs(
    worlds: Any, stuck: Stuck, caplog: pytest.LogCaptureFixture
) -> None:
    world = await worlds(in_thread(stuck))
    peer = await world.log_in()
    await peer.send(peer.command(write10(8, 1), b"l" * BLOCK))
    assert await trio.to_thread.run_sync(stuck.entered.wait, 10)
    begin = trio.current_time()
    await world.server.stop(grace=0.1)
    await world.ended.wait()
    assert trio.current_time() - begin < 10  # and not the minute that storage would take
    assert "storage hangs, and is given up" in caplog.messages
    await world.target.close()


def test_ctrl_c_ends_a_server_as_it_ends_any_program() -> None:
    class Interrupting:
        def started(self, value: object) -> None:
            signal.raise_signal(signal.SIGINT)

    target = Target(NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0")
    with pytest.raises(KeyboardInterrupt):
        trio.run(target.serve, Interrupting())
