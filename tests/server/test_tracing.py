from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.server.peer import INITIATOR, NAME, Peer, is_unharmed, ping
from trioscsi import Limits, MemoryDisk, Server, Target
from trioscsi.capture import dissect, read_capture
from trioscsi.capture.packets import FIN, RST
from trioscsi.errors import CaptureError
from trioscsi.machines import Transition
from trioscsi.pdu import encode
from trioscsi.server.listener import Address
from trioscsi.server.tracing import Buffer, Traced, opened

HERE = "127.0.0.1:0"
Event = tuple[str, object]


@attrs.define
class Told:
    """A trace that keeps all it is told of its connections, which are one after the other."""

    events: list[Event] = attrs.field(factory=list)
    portal: Address | None = None

    def connect(self, peer: Address, own: Address, portal: Address) -> Told:
        self.portal = portal
        self.events.append(("connect", peer[0]))
        return self

    def received(self, *buffers: Buffer) -> None:
        self.events.append(("received", b"".join(buffers)))

    def sent(self, buffers: Sequence[Buffer], count: int) -> None:
        self.events.append(("sent", b"".join(buffers)[:count]))

    def moved(self, transition: Transition) -> None:
        self.events.append(("moved", f"{transition.machine} {transition.label}"))

    def note(self, text: str) -> None:
        self.events.append(("note", text))

    def settle(self) -> None:
        self.events.append(("settle", None))

    def ended(self, *, broken: bool = False) -> None:
        self.events.append(("ended", broken))

    def close(self) -> None:
        self.events.append(("close", None))

    def of(self, kind: str) -> list[object]:
        return [value for name, value in self.events if name == kind]


class Recording(Peer):
    """A peer that keeps the bytes of both directions."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        super().__init__(sock)
        self.sent, self.received = bytearray(), bytearray()

    async def receive(self) -> Any:
        pdu = await super().receive()
        if pdu is not None:
            self.received += b"".join(encode(pdu))
        return pdu

    async def send_bytes(self, data: bytes) -> None:
        self.sent += data
        await super().send_bytes(data)


async def connected(address: Address) -> Peer:
    sock = trio.socket.socket()
    await sock.connect(address)
    return Peer(sock)


async def watched(nursery: trio.Nursery, told: Told) -> Peer:
    """A peer of a target whose connections are told of."""
    target = Target(NAME, MemoryDisk("1MiB"), listen=HERE, trace=told)
    (address,) = await nursery.start(target.serve)
    return await connected(address)


async def until_closed(told: Told) -> None:
    with trio.fail_after(10):
        while ("close", None) not in told.events:
            await trio.testing.wait_all_tasks_blocked(0.001)


async def test_a_trace_is_told_of_a_connection_from_its_first_byte_to_its_end(
    nursery: trio.Nursery,
) -> None:
    told = Told()
    peer = await watched(nursery, told)
    address = peer.socket.getpeername()
    await peer.log_in()
    await peer.log_out()
    peer.close()
    await until_closed(told)
    assert told.portal == address
    assert len(told.of("sent")) == 2
    assert told.of("connect") == ["127.0.0.1"]
    moved = told.of("moved")
    assert [move for move in moved if str(move).startswith("connection")] == [
        f"connection T{number}" for number in (3, 4, 5, 9, 13)
    ]
    assert [move for move in moved if str(move).startswith("session")] == [
        f"session N{number}" for number in (1, 2, 3)
    ]
    # What the first PDU led to is told between it and its answer.
    names = [name for name, _ in told.events]
    first, answer = names.index("received"), names.index("sent")
    assert ("moved", "connection T5") in told.events[first:answer]
    assert told.events[-1] == ("close", None)


async def test_a_refusal_is_told_before_its_answer(nursery: trio.Nursery) -> None:
    told = Told()
    target = Target(NAME, MemoryDisk("1MiB"), listen=HERE, allow=["iqn.a:b"], trace=told)
    (address,) = await nursery.start(target.serve)
    peer = await connected(address)
    assert await peer.log_in() == 0x0202
    peer.close()
    names = [name for name, _ in told.events]
    assert names.index("note") < names.index("sent")
    (note, *_) = told.of("note")
    assert str(note).startswith(f"refused: {INITIATOR} is not among")


async def test_a_lost_connection_is_told(nursery: trio.Nursery) -> None:
    told = Told()
    peer = await watched(nursery, told)
    await peer.log_in()
    peer.close()
    await until_closed(told)
    assert told.of("ended") == [False]
    assert "connection T15" in told.of("moved")


async def test_a_connection_that_was_broken_off_is_told_as_that_alone(
    nursery: trio.Nursery,
) -> None:
    told = Told()
    peer = await watched(nursery, told)
    await peer.log_in()
    await peer.send(ping())
    while len(told.of("sent")) < 2:
        await trio.testing.wait_all_tasks_blocked(0.001)
    peer.close()  # the answer was not read: the kernel resets the connection
    await until_closed(told)
    assert told.of("ended") == [True]


async def test_a_capture_has_the_bytes_of_both_directions(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    path = tmp_path / "trace.pcapng"
    server = Server([Target(NAME, MemoryDisk("4MiB"))], [HERE], trace=path)
    ended = trio.Event()

    async def serve(task_status: trio.TaskStatus[list[Address]]) -> None:
        await server.serve(task_status)
        ended.set()

    (address,) = await nursery.start(serve)
    sock = trio.socket.socket()
    await sock.connect(address)
    peer = Recording(sock)
    own = sock.getsockname()
    await peer.log_in()
    assert (await peer.do(bytes(6))).status == 2
    assert await is_unharmed(peer)
    data = bytes(range(256)) * 8192
    command = peer.command(b"\x2a" + bytes(6) + b"\x10\0\0", writes=len(data))
    await peer.send(command)
    assert (await peer.answer(command, data=data)).status == 0
    assert await peer.read(0, 4096) == data
    await peer.send(ping(data=b"x" * 1001))
    await peer.receive()
    await peer.log_out()
    peer.close()
    await server.stop()
    await ended.wait()
    streams = {own: bytearray(), address: bytearray()}
    flags = 0
    with path.open("rb") as file:
        for packet in read_capture(file):
            segment = dissect(packet.link_type, packet.data)
            assert segment is not None
            assert packet.interface == f"{address[0]}:{address[1]}"
            streams[segment.source] += segment.payload
            flags |= segment.flags
    assert streams == {own: peer.sent, address: peer.received}
    assert flags & FIN
    assert not flags & RST


async def test_nothing_is_harmed_when_the_disk_is_full(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "trioscsi")
    target = Target(NAME, MemoryDisk("1MiB"), listen=HERE, limits=Limits(), trace="/dev/full")
    (address,) = await nursery.start(target.serve)
    peer = await connected(address)
    await peer.log_in()
    await peer.do(bytes(6))
    assert await is_unharmed(peer)
    await peer.log_out()
    peer.close()
    await target.stop()
    (record,) = caplog.records
    assert record.getMessage() == "the trace /dev/full ends here: No space left on device"


async def test_a_trace_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    target = Target(NAME, listen=HERE, trace=tmp_path / "nowhere" / "trace")
    with pytest.raises(CaptureError, match="cannot write"):
        await target.serve()


@pytest.mark.parametrize("nothing", [None, []])
def test_without_a_trace_nothing_is_opened(nothing: list[Traced] | None) -> None:
    with opened(nothing) as trace:
        assert trace is None


def test_several_traces_are_told_of_the_same(tmp_path: Path) -> None:
    first, second, path = Told(), Told(), tmp_path / "trace.pcapng"
    ends = ("192.0.2.1", 5), ("192.0.2.2", 3260), ("192.0.2.2", 3260)
    with opened([first, path, second]) as traces:
        assert traces is not None
        tap = traces.connect(*ends)
        tap.received(b"abc")
        tap.note("so")
        tap.close()
    assert first.events == second.events
    assert [name for name, _ in first.events] == ["connect", "received", "note", "close"]
    assert b"abc" in path.read_bytes()
