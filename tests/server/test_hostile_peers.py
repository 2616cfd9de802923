"""Peers that do what they should not: each costs little, is told so, and harms nobody else."""

from __future__ import annotations

import logging
import socket
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.requirements import requirement
from tests.server.conftest import Build
from tests.server.disks import Counting
from tests.server.peer import (
    BLOCK,
    INITIATOR,
    NAME,
    OTHER_ISID,
    SYNCHRONIZE_CACHE,
    TEST_UNIT_READY,
    Peer,
    is_unharmed,
    ping,
    read10,
    write10,
)
from trioscsi import Limits, MemoryDisk, Slow
from trioscsi.backends import BlockDevice
from trioscsi.pdu import (
    NO_TASK,
    DataOut,
    LoginRequest,
    LoginResponse,
    NopIn,
    NopOut,
    Pdu,
    Reject,
    RejectReason,
    ScsiCommand,
    SnackRequest,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
)

_ENDS_SESSIONS = (TaskFunction.TARGET_COLD_RESET, TaskFunction.I_T_NEXUS_RESET)


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trioscsi")


# Peers that do not read.


async def test_the_disk_is_not_read_for_a_peer_that_does_not_read(
    build: Build, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Counting()
    limits = Limits(output=1 << 20)
    house = build(disk, limits=limits)
    peer = await house.log_in()
    await peer.send(*(peer.command(read10(0, 1024), reads=1 << 19) for _ in range(100)))
    await wait_all_tasks_blocked()
    assert disk.read_bytes <= limits.output + socket_buffer(peer) + (1 << 19)
    begin = trio.current_time()
    await trio.sleep(limits.send_time + 1)
    assert house.conversations[0].connection.closed
    assert trio.current_time() <= begin + limits.send_time + 1
    assert "the peer read nothing for 60 seconds" in caplog.messages[-1]


async def test_nothing_is_read_from_a_peer_that_does_not_read(
    build: Build, autojump_clock: MockClock
) -> None:
    limits = Limits(output=1 << 17, send_time=1e6)
    peer = await build(limits=limits).log_in()
    echo, sent = ping(data=bytes(4096)), 0
    with trio.move_on_after(100):
        while True:
            await peer.send(echo)
            sent += 4096
    assert sent < 2 * socket_buffer(peer) + limits.output + 8 * limits.turn_bytes
    # It starts to read, and is heard again.
    for _ in range(10):
        assert isinstance(await peer.receive(), NopIn)


def socket_buffer(peer: Peer) -> int:
    return peer.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


# What peers do wrong: each is one line in the log, and nobody else's trouble.


async def test_random_bytes_end_the_connection(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    for seed in range(50):
        caplog.clear()
        peer = house.connect()
        await peer.send_bytes(Random(seed).randbytes(4096))
        try:
            while await peer.receive() is not None:
                pass
        except trio.BrokenResourceError:
            pass
        assert len(caplog.messages) == 1, caplog.messages
    assert await is_unharmed(await house.log_in())


@requirement("7143-4.2.4-6")
async def test_a_first_pdu_that_is_no_login_ends_the_connection(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    peer = house.connect()
    await peer.send(ping())
    assert await peer.receive() is None
    (line,) = caplog.messages
    assert line == (
        "127.0.0.1:50000: the first PDU is a NopOut (RFC 7143 section 4.2.4);"
        " there was no answer, the connection was closed"
    )
    assert await is_unharmed(await house.log_in())


async def test_a_data_segment_larger_than_declared_is_rejected_and_ends_the_connection(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    peer = await house.log_in()
    caplog.clear()
    await peer.send(DataOut(itt=5, data=bytes(Limits().segment + 4)))
    reject = await peer.receive()
    assert isinstance(reject, Reject)
    assert reject.reason == RejectReason.PROTOCOL_ERROR
    assert await peer.receive() is None
    assert "a data segment of 262148 bytes, 262144 were allowed" in caplog.messages[0]
    assert await is_unharmed(await house.log_in(OTHER_ISID))


async def test_a_text_that_does_not_end_is_rejected(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    peer = await house.log_in()
    caplog.clear()
    request = TextRequest(
        immediate=True, final=False, continue_=True, itt=0x77, cmd_sn=peer.cmd_sn, data=b"X" * 8000
    )
    for _ in range(3):
        await peer.send(request)
        answer = await peer.receive()
        if isinstance(answer, Reject):
            break
        request.ttt = answer.ttt
    assert isinstance(answer, Reject)
    assert len(caplog.messages) == 1
    assert await is_unharmed(peer)


async def test_a_login_of_too_much_text_is_refused(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    peer = build().connect()
    part = LoginRequest(continue_=True, csg=1, data=b"X-key=" + b"y" * 8000)
    await peer.send(part, part, part)
    statuses = [(await peer.receive()).status_class for _ in range(3)]
    assert statuses == [0, 0, 2]
    assert await peer.receive() is None
    assert len(caplog.messages) == 1


async def test_commands_that_come_with_the_login_harm_no_other_session(build: Build) -> None:
    house = build(Slow(MemoryDisk("1MiB")))
    other, peer = await house.log_in(OTHER_ISID), house.connect()
    await wait_all_tasks_blocked()
    keys = f"InitiatorName={INITIATOR}\0TargetName={NAME}\0".encode()
    login = LoginRequest(transit=True, csg=1, nsg=3, isid=b"\x80test\0", cmd_sn=1, data=keys)
    attention = peer.command(TEST_UNIT_READY)
    early = peer.command(read10(12, 1), reads=BLOCK)
    # Both at once, and the other one acts first.
    innocent = other.command(read10(13, 1), reads=BLOCK)
    other.send_now(innocent)
    peer.send_now(login, attention, early)
    assert (await other.answer(innocent)).status == 0
    assert isinstance(await peer.receive(), LoginResponse)
    assert (await peer.answer(attention)).status != 0
    assert (await peer.answer(early)).status == 0
    assert await is_unharmed(other)


async def test_task_management_that_comes_with_the_login_is_answered(build: Build) -> None:
    peer = build().connect()
    keys = f"InitiatorName={INITIATOR}\0TargetName={NAME}\0iSCSIProtocolLevel=2\0".encode()
    login = LoginRequest(transit=True, csg=1, nsg=3, isid=b"\x80test\0", cmd_sn=1, data=keys)
    functions = [function for function in TaskFunction if function not in _ENDS_SESSIONS]
    await peer.send(login, *map(peer.task_management, functions))
    assert isinstance(await peer.receive(), LoginResponse)
    for _ in functions:
        assert isinstance(await peer.receive(), TaskManagementResponse)
    await peer.do(TEST_UNIT_READY)
    assert await is_unharmed(peer)


@pytest.mark.parametrize("disk", [MemoryDisk("1MiB"), Slow(MemoryDisk("1MiB"))])
async def test_an_initiator_that_vanishes_in_the_middle_of_a_write_changes_nothing_else(
    build: Build, caplog: pytest.LogCaptureFixture, disk: BlockDevice
) -> None:
    house = build(disk)
    other = await house.log_in(OTHER_ISID)
    peer = await house.log_in()
    caplog.clear()
    await peer.send(peer.command(write10(0, 512), writes=1 << 18))
    r2t = await peer.receive()
    await peer.send(
        DataOut(final=False, itt=r2t.itt, ttt=r2t.ttt, data=b"x" * 65_536),
    )
    peer.close()
    await wait_all_tasks_blocked()
    assert caplog.messages == [
        f"{INITIATOR} at 127.0.0.1:50001: the initiator closed the connection"
    ]
    begun = 65_536 if hasattr(disk, "window") else 0
    assert await other.read(0, 1024) == b"x" * begun + bytes((1 << 19) - begun)
    assert await is_unharmed(other)


# Whatever an initiator sends.


def anything(random: Random, peer: Peer) -> Pdu:
    """A PDU that could be meant well, or not quite."""
    itt, lun = random.randrange(1, 9), random.choice([0, 1, 2]) << 48
    blocks = random.choice([0, 1, 2, 64])
    immediate = random.random() < 0.2
    numbers: dict[str, Any] = {"immediate": immediate, "itt": itt, "cmd_sn": peer.cmd_sn}
    pdu: Pdu
    match random.randrange(12):
        case 0:
            pdu = NopOut(**numbers, data=bytes(blocks))
        case 1:
            functions = set(range(13)) - {TaskFunction.TARGET_COLD_RESET}  # that one closes all
            pdu = TaskManagementRequest(
                **numbers,
                function=random.choice(sorted(functions)),
                lun=lun,
                referenced_task_tag=itt - 1,
            )
        case 2:
            text = random.choice([b"SendTargets=\0", b"X-a=1\0", b"MaxBurstLength=512\0", b"\xff"])
            pdu = TextRequest(**numbers, final=random.random() < 0.5, data=text)
        case 3 | 4:
            return DataOut(
                final=random.random() < 0.7,
                itt=itt,
                ttt=random.choice([NO_TASK, 1, 2, 3]),
                lun=lun,
                data_sn=random.randrange(2),
                data=bytes(blocks * BLOCK),
            )
        case 5:
            return SnackRequest(itt=itt)
        case _:
            cdb = random.choice([read10(0, blocks), write10(0, blocks), SYNCHRONIZE_CACHE])
            pdu = ScsiCommand(
                **numbers,
                read=random.random() < 0.6,
                write=random.random() < 0.6,
                lun=lun,
                expected_data_transfer_length=random.choice([0, 1, 64]) * BLOCK,
                cdb=cdb,
                data=bytes(random.choice([0, blocks]) * BLOCK),
            )
    peer.cmd_sn += not immediate
    return pdu


async def test_whatever_an_initiator_sends_others_go_on_working(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(MemoryDisk("1MiB"), Slow(MemoryDisk("1MiB"), read_ms=10, write_ms=10))
    other = await house.log_in(OTHER_ISID)
    for seed in range(100):
        random = Random(seed)
        peer = await house.log_in()
        for _ in range(random.randrange(1, 4)):
            await peer.send(*(anything(random, peer) for _ in range(random.randrange(1, 20))))
            await trio.sleep(random.choice([0, 0.005, 1]))
        peer.close()
        while (await other.do(TEST_UNIT_READY)).sense:
            pass  # resets are reported
        assert await is_unharmed(other)
    await trio.sleep(1)
    assert not list(house.target.node.dying)
    assert len(house.target.performer.executors) == 1
