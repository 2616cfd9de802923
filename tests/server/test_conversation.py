from __future__ import annotations

import logging
import socket
import tracemalloc
from random import Random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.server.conftest import Build
from tests.server.peer import (
    OTHER_ISID,
    TEST_UNIT_READY,
    data_out,
    is_unharmed,
    ping,
    read10,
    write10,
)
from trioscsi import Limits, MemoryDisk, Slow
from trioscsi.backends import BlockDevice
from trioscsi.pdu import (
    NO_TASK,
    AsyncEvent,
    AsyncMessage,
    DataOut,
    LoginStatus,
    NopIn,
    NopOut,
    Reject,
    ScsiResponse,
    TaskFunction,
    TaskResult,
    encode,
)
from trioscsi.server.lender import Lender


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trioscsi")


# A turn.


async def test_what_was_written_is_read(build: Build) -> None:
    peer = await build().log_in()
    await peer.write(3, b"a" * 1024)
    assert await peer.read(2, 3) == bytes(512) + b"a" * 1024
    await peer.log_out()


async def test_a_large_write_is_asked_for_with_r2ts(build: Build) -> None:
    peer = await build().log_in()
    data = Random(1).randbytes(1 << 20)
    command = peer.command(write10(0, 2048), writes=len(data))
    await peer.send(command)
    assert (await peer.answer(command, data=data)).status == 0
    assert await peer.read(0, 2048) == data


async def test_more_pdus_than_a_turn_takes_are_all_answered(build: Build) -> None:
    peer = await build(limits=Limits(turn_pdus=4)).log_in()
    await peer.send(*(ping(itt) for itt in range(1000, 1050)))
    assert [(await peer.receive()).itt for _ in range(50)] == list(range(1000, 1050))


async def test_pdus_are_left_for_later_while_the_peer_has_much_to_read(build: Build) -> None:
    peer = await build(limits=Limits(output=65_536, turn_pdus=4)).log_in()
    commands = [peer.command(read10(0, 128), reads=65_536) for _ in range(20)]
    await peer.send(*commands)
    for command in commands:
        assert len((await peer.answer(command)).data) == 65_536


async def test_those_who_leave_much_unread_wait_and_others_do_not(build: Build) -> None:
    house = build(limits=Limits(total_output=65_536, turn_pdus=4))
    greedy, modest = await house.log_in(), await house.log_in(OTHER_ISID)
    small = [greedy.command(read10(0, 128), reads=65_536) for _ in range(20)]
    large = [greedy.command(read10(0, 512), reads=1 << 18) for _ in range(4)]
    await greedy.send(*small, *large)
    await wait_all_tasks_blocked()
    assert 65_536 < house.backlog.size <= 5 * 65_536
    assert len(await modest.read(0, 8192)) == 4 << 20
    for command in (*small, *large):
        assert (await greedy.answer(command)).status == 0
    assert house.backlog.size == 0


async def test_what_a_peer_that_vanishes_has_not_read_is_forgotten(build: Build) -> None:
    house = build()
    peer = await house.log_in()
    await peer.send(peer.command(read10(0, 8192), reads=4 << 20))
    await wait_all_tasks_blocked()
    assert house.backlog.size > 0
    peer.close()
    await wait_all_tasks_blocked()
    assert house.backlog.size == 0


async def test_an_answer_larger_than_the_socket_takes_arrives_whole(build: Build) -> None:
    peer = await build().log_in()
    command = peer.command(write10(0, 8192), writes=4 << 20)
    await peer.send(command)
    data = Random(2).randbytes(4 << 20)
    assert (await peer.answer(command, data=data)).status == 0
    assert await peer.read(0, 8192) == data


@pytest.mark.parametrize("disk", [MemoryDisk("4MiB"), Slow(MemoryDisk("4MiB"))])
@pytest.mark.parametrize("piece", [1 << 12, 100_001, 1 << 20])
async def test_a_large_write_arrives_whole_whatever_it_is_cut_into(
    build: Build, piece: int, disk: BlockDevice
) -> None:
    peer = await build(disk).log_in(MaxBurstLength="1048576", FirstBurstLength="262144")
    data = Random(3).randbytes(1 << 20)
    asked = peer.command(write10(512, 1536), writes=3 << 18)
    immediate = peer.command(write10(0, 512), data[: 1 << 18])
    await peer.send(asked)
    r2t = await peer.receive()
    sequence = [
        DataOut(
            final=offset == 2 << 18,
            lun=r2t.lun,
            itt=r2t.itt,
            ttt=r2t.ttt,
            data_sn=offset >> 18,
            buffer_offset=offset,
            data=data[offset + (1 << 18) :][: 1 << 18],
        )
        for offset in range(0, 3 << 18, 1 << 18)
    ]
    stream = b"".join(b"".join(encode(pdu)) for pdu in (immediate, *sequence, ping()))
    for start in range(0, len(stream), piece):
        await peer.send_bytes(stream[start : start + piece])
        await wait_all_tasks_blocked()
    answers = {pdu.itt: pdu for pdu in [await peer.receive() for _ in range(3)]}
    assert answers[asked.itt].status == answers[immediate.itt].status == 0
    assert await peer.read(0, 2048) == data


async def test_a_write_that_is_aborted_from_elsewhere_changes_nothing_afterwards(
    build: Build,
) -> None:
    house = build()
    peer = await house.log_in()
    other = await house.log_in(OTHER_ISID, FirstBurstLength="262144")
    command = peer.command(write10(0, 512), writes=1 << 18)
    await peer.send(command)
    stream = b"".join(encode(data_out(await peer.receive(), b"x" * (1 << 18))))
    await peer.send_bytes(stream[:100_000])
    await wait_all_tasks_blocked()
    await other.send(other.task_management(TaskFunction.LOGICAL_UNIT_RESET))
    assert (await other.receive()).response == TaskResult.COMPLETE
    await other.do(TEST_UNIT_READY)
    await other.write(0, b"o" * (1 << 18))
    await peer.send_bytes(stream[100_000:])
    await peer.send(ping())
    while not isinstance(await peer.receive(), NopIn):
        pass
    assert await other.read(0, 512) == b"o" * (1 << 18)


# The end of a conversation.


async def test_an_initiator_is_asked_to_log_out(build: Build) -> None:
    house = build()
    peer = await house.log_in()
    house.conversations[0].ask_for_logout()
    message = await peer.receive()
    assert isinstance(message, AsyncMessage)
    assert message.async_event == AsyncEvent.LOGOUT_REQUEST
    await peer.log_out()


async def test_an_initiator_that_does_not_log_out_is_dropped(
    build: Build, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    peer = await house.log_in()
    begin = trio.current_time()
    house.conversations[0].ask_for_logout()
    assert isinstance(await peer.receive(), AsyncMessage)
    assert (await peer.receive()).async_event == AsyncEvent.CONNECTION_DROP
    assert await peer.receive() is None
    assert trio.current_time() == pytest.approx(begin + Limits().logout_time)
    assert "no logout came" in caplog.messages[-1]


async def test_a_peer_that_says_nothing_is_dropped_when_its_time_is_up(
    build: Build, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    peer = build().connect()
    assert await peer.receive() is None
    assert trio.current_time() == pytest.approx(15)
    assert caplog.messages == ["127.0.0.1:50000: no login within 15 seconds"]


async def test_a_new_login_of_the_same_port_takes_the_place_of_the_old_one(build: Build) -> None:
    house = build()
    old = await house.log_in()
    new = await house.log_in()
    assert await old.receive() is None
    assert await is_unharmed(new)


async def test_a_connection_that_breaks_while_reading_is_one_line_in_the_log(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    peer = await house.log_in()
    caplog.clear()
    await peer.send(ping())
    await wait_all_tasks_blocked()
    peer.close()  # the answer was not read: the kernel resets the connection
    await wait_all_tasks_blocked()
    assert len(caplog.messages) == 1
    assert "the connection broke" in caplog.messages[0]


async def test_a_connection_that_breaks_while_sending_is_one_line_in_the_log(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await build().log_in()
    caplog.clear()
    peer.socket.shutdown(socket.SHUT_RD)
    await peer.send(ping())
    await wait_all_tasks_blocked()
    assert len(caplog.messages) == 1
    assert "the connection broke" in caplog.messages[0]


# What idle connections cost.


async def test_a_peer_that_errs_without_end_does_not_fill_the_log(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await build().log_in()
    caplog.clear()
    for _ in range(5):
        await peer.send(*(ScsiResponse() for _ in range(30)))
        for _ in range(30):
            assert isinstance(await peer.receive(), Reject)
    assert len(caplog.messages) == 101
    assert "no more is logged" in caplog.messages[-1]


async def test_idle_sessions_hold_no_buffers(build: Build) -> None:
    house = build()
    house.lender = lender = Lender(1 << 18, 1 << 25)
    for n in range(100):
        await house.log_in(n.to_bytes(6))
    assert len(lender._free) == 1


async def test_an_idle_session_takes_little_memory(build: Build) -> None:
    house = build()
    await house.log_in()
    tracemalloc.start()
    for n in range(50):
        await house.log_in(n.to_bytes(6))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / 50 < 64 * 1024  # with its initiator, which is in this process too


async def test_an_idle_peer_is_pinged_and_may_stay(build: Build, autojump_clock: MockClock) -> None:
    house = build(limits=Limits(ping_interval=30))
    peer = await house.log_in()
    for _ in range(3):
        request = await peer.receive()
        assert isinstance(request, NopIn)
        await peer.send(NopOut(immediate=True, itt=NO_TASK, ttt=request.ttt, cmd_sn=peer.cmd_sn))
    assert trio.current_time() >= 90
    assert await is_unharmed(peer)


async def test_responses_to_a_login_stop_with_the_refusal(build: Build) -> None:
    peer = build().connect()
    assert await peer.log_in(target="iqn.2025-12.test:none") == LoginStatus.NOT_FOUND
    assert await peer.receive() is None
