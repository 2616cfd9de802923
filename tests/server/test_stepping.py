from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.server.peer import NAME, TEST_UNIT_READY, Peer, is_unharmed, ping
from trioscsi import Limits, MemoryDisk, Target
from trioscsi.machines import Transition
from trioscsi.pdu import Framer, NopIn, ScsiResponse, encode
from trioscsi.server.listener import Address
from trioscsi.server.stepping import Gate, Turnstile
from trioscsi.server.tracing import Buffer


@attrs.define
class Porter:
    """A gate and its one turnstile: it counts PDUs, and lets one pass for each ``press``."""

    framer: Framer = attrs.field(factory=lambda: Framer(1 << 24))
    held: deque[str] = attrs.field(factory=deque)
    shown: list[str] = attrs.field(factory=list)
    pressed: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(0))
    free: bool = False
    closed: bool = False

    def connect(self, peer: Address, own: Address, portal: Address) -> Porter:
        return self

    def received(self, *buffers: Buffer) -> None:
        self.framer.receive(b"".join(map(bytes, buffers)))
        while (pdu := self.framer.next_pdu()) is not None:
            self.held.append(type(pdu).__name__)

    def holds(self) -> bool:
        if self.free:
            self.held.clear()
        return bool(self.held)

    async def wait(self) -> None:
        self.shown.append(self.held.popleft())
        await self.pressed.acquire()

    def sent(self, buffers: Sequence[Buffer], count: int) -> None: ...
    def moved(self, transition: Transition) -> None: ...
    def note(self, text: str) -> None: ...
    def settle(self) -> None: ...
    def ended(self, *, broken: bool = False) -> None: ...

    def close(self) -> None:
        self.closed = True


@attrs.define
class Classroom:
    porter: Porter
    target: Target
    address: Address
    nursery: trio.Nursery
    sockets: list[trio.socket.SocketType] = attrs.field(factory=list)

    async def connect(self) -> Peer:
        sock = trio.socket.socket()
        await sock.connect(self.address)
        self.sockets.append(sock)
        return Peer(sock, patience=1e6)


@pytest.fixture
async def classroom(nursery: trio.Nursery) -> AsyncIterator[Classroom]:
    porter = Porter()
    limits = Limits(login_time=15, ping_interval=30, ping_time=30)
    target = Target(NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0", step=porter, limits=limits)
    (address,) = await nursery.start(target.serve)
    room = Classroom(porter, target, address, nursery)
    yield room
    for sock in room.sockets:
        sock.close()


async def settled() -> None:
    """Whatever is on its way between two sockets has arrived."""
    for _ in range(5):
        await wait_all_tasks_blocked(0.005)


def test_a_porter_is_a_gate() -> None:
    gate: Gate = Porter()
    turnstile: Turnstile = Porter()
    assert not turnstile.holds()
    assert gate is not turnstile


async def test_a_pdu_is_not_answered_before_it_may_pass(classroom: Classroom) -> None:
    porter, peer = classroom.porter, await classroom.connect()
    answers: list[int] = []

    async def log_in() -> None:
        answers.append(await peer.log_in())

    classroom.nursery.start_soon(log_in)
    await settled()
    assert (porter.shown, answers) == (["LoginRequest"], [])
    porter.pressed.release()
    await settled()
    assert answers == [0]


async def test_pdus_that_came_together_pass_one_after_the_other(classroom: Classroom) -> None:
    porter, peer = classroom.porter, await classroom.connect()
    porter.pressed.release()
    await peer.log_in()
    await peer.send(ping(1), ping(2), peer.command(TEST_UNIT_READY), ping(3))
    for shown, kind in enumerate((NopIn, NopIn, ScsiResponse, NopIn), start=2):
        await settled()
        assert len(porter.shown) == shown
        porter.pressed.release()
        assert isinstance(await peer.receive(), kind)
    assert porter.shown == ["LoginRequest", "NopOut", "NopOut", "ScsiCommand", "NopOut"]


async def test_a_pdu_in_pieces_waits_when_it_is_whole(classroom: Classroom) -> None:
    porter, peer = classroom.porter, await classroom.connect()
    porter.pressed.release()
    await peer.log_in()
    data = bytes(300_000)  # its rest goes straight into the memory of the PDU
    command = peer.command(b"\x2a" + bytes(6) + (586).to_bytes(2) + b"\0", data[: 586 * 512])
    command.data = command.data[:200_000]
    await peer.send(command)
    await settled()
    assert porter.shown == ["LoginRequest", "ScsiCommand"]
    porter.pressed.release()
    await settled()


async def test_a_large_write_is_not_begun_before_it_may_pass(classroom: Classroom) -> None:
    porter, peer = classroom.porter, await classroom.connect()
    porter.pressed.release()
    await peer.log_in(FirstBurstLength="262144", ImmediateData="Yes")
    blocks = 400
    data = b"x" * blocks * 512
    write = peer.command(b"\x2a" + bytes(6) + blocks.to_bytes(2) + b"\0", data)
    write.data = data
    stream = b"".join(encode(write))
    (session,) = classroom.target.sessions
    await peer.send_bytes(stream[:100_000])
    await settled()
    assert len(session.tasks) == 0
    await peer.send_bytes(stream[100_000:])
    await settled()
    assert porter.shown == ["LoginRequest", "ScsiCommand"]
    assert len(session.tasks) == 0
    porter.pressed.release()
    answer = await peer.receive()
    assert (answer.itt, answer.status) == (write.itt, 2)  # the disk was powered on
    porter.pressed.release()
    await peer.send(attrs.evolve(write, itt=77, cmd_sn=write.cmd_sn + 1))
    assert (await peer.receive()).status == 0


async def test_nothing_waits_any_more_once_all_may_pass(classroom: Classroom) -> None:
    porter, peer = classroom.porter, await classroom.connect()
    porter.free = True
    assert await peer.log_in() == 0
    await peer.do(TEST_UNIT_READY)
    assert await is_unharmed(peer)
    await peer.log_out()
    assert porter.shown == []


async def test_what_is_no_pdu_ends_the_connection_as_ever(classroom: Classroom) -> None:
    peer = await classroom.connect()
    classroom.porter.pressed.release()
    await peer.send_bytes(b"\x03" + b"\xff" * 100)
    assert await peer.receive() is None
    await settled()
    assert classroom.porter.closed


async def test_the_timers_of_a_connection_stand_still_while_a_pdu_waits(
    classroom: Classroom, mock_clock: MockClock
) -> None:
    porter, peer = classroom.porter, await classroom.connect()
    classroom.nursery.start_soon(peer.log_in)
    await settled()
    mock_clock.jump(1000)  # a login may take 15 seconds
    await settled()
    assert not porter.closed
    porter.pressed.release()
    await settled()
    assert peer.tsih
    # Now the time runs: silence of 30 seconds, and then of 30 more, is too much.
    mock_clock.jump(31)
    await settled()
    assert isinstance(await peer.receive(), NopIn)


async def test_a_login_that_does_not_go_on_still_times_out(
    classroom: Classroom, mock_clock: MockClock
) -> None:
    peer = await classroom.connect()
    await settled()
    mock_clock.jump(16)
    assert await peer.receive() is None
    await settled()
    assert classroom.porter.closed


async def test_a_peer_that_leaves_while_its_pdu_waits_is_missed_afterwards(
    classroom: Classroom,
) -> None:
    porter, peer = classroom.porter, await classroom.connect()
    porter.pressed.release()
    await peer.log_in()
    await peer.send(ping(1))
    peer.close()
    await settled()
    assert not porter.closed
    porter.pressed.release()
    await settled()
    assert porter.closed


async def test_a_server_stops_while_a_pdu_waits(classroom: Classroom) -> None:
    peer = await classroom.connect()
    classroom.porter.pressed.release()
    await peer.log_in()
    await peer.send(ping(1))
    await settled()
    with trio.fail_after(5):
        await classroom.target.stop(grace=0.05)
    await settled()
    assert classroom.porter.closed


async def test_answers_carry_what_was_asked(classroom: Classroom) -> None:
    peer = await classroom.connect()
    for _ in range(2):
        classroom.porter.pressed.release()
    await peer.log_in()
    await peer.send(ping(9, b"well?"))
    answer = await peer.receive()
    assert (answer.itt, bytes(answer.data)) == (9, b"well?")
