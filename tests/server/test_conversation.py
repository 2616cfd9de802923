from __future__ import annotations

import logging
import socket
import tracemalloc
from random import Random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.server.conftest import Build
from tests.server.disks import Counting, Hanging, Held, Independent
from tests.server.peer import (
    BLOCK,
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
from trioscsi.backends.base import Buffer, Then
from trioscsi.errors import BackendError
from trioscsi.pdu import (
    BHS_LENGTH,
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
    TaskManagementResponse,
    TaskResult,
    encode,
)
from trioscsi.server.lender import Lender
from trioscsi.server.outbox import Outbox


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trioscsi")


# Commands that wait.


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


async def test_a_command_that_waits_blocks_neither_others_nor_a_ping(
    build: Build, autojump_clock: MockClock
) -> None:
    peer = await build(Slow(MemoryDisk("1MiB"), read_ms=5000), MemoryDisk("1MiB")).log_in()
    slow, fast = (peer.command(read10(0, 1), reads=BLOCK, unit=unit) for unit in (0, 1))
    await peer.send(slow, fast, ping())
    begin = trio.current_time()
    assert isinstance(await peer.receive(), NopIn)
    assert (await peer.receive()).itt == fast.itt
    assert trio.current_time() == begin
    assert (await peer.answer(slow)).status == 0
    assert trio.current_time() == pytest.approx(begin + 5)


async def test_commands_wait_at_the_same_time(build: Build, autojump_clock: MockClock) -> None:
    peer = await build(Slow(MemoryDisk("1MiB"), read_ms=1000)).log_in()
    begin = trio.current_time()
    commands = [peer.command(read10(lba, 1), reads=BLOCK) for lba in range(20)]
    await peer.send(*commands)
    for command in commands:
        pdu = await peer.receive()
        assert pdu.itt in {command.itt for command in commands}
    assert trio.current_time() == pytest.approx(begin + 1)


async def test_answers_of_commands_that_end_together_are_sent_together(
    build: Build, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = await build(Slow(MemoryDisk("1MiB"), read_ms=1000)).log_in()
    commands = [peer.command(read10(lba, 1), reads=BLOCK) for lba in range(20)]
    sizes, send = [], Outbox.send

    def note_and_send(outbox: Outbox) -> None:
        sizes.append(outbox.size)
        send(outbox)

    monkeypatch.setattr(Outbox, "send", note_and_send)
    await peer.send(*commands)
    for _ in commands:
        await peer.receive()
    assert [size for size in sizes if size] == [20 * (BHS_LENGTH + BLOCK)]


async def test_storage_that_goes_on_by_itself_needs_no_task_for_a_command(build: Build) -> None:
    disk = Independent()
    peer = await build(disk).log_in()
    write = peer.command(write10(0, 2), b"w" * 2 * BLOCK)
    await peer.send(write, ping())
    assert isinstance(await peer.receive(), NopIn)
    assert len(disk.under_way) == 1
    disk.end_all()
    assert (await peer.answer(write)).status == 0
    reads = [peer.command(read10(lba, 1), reads=BLOCK) for lba in range(3)]
    await peer.send(*reads)
    await wait_all_tasks_blocked()
    disk.end_all()
    answers = [(await peer.answer(read)).data for read in reads]
    assert answers == [b"w" * BLOCK, b"w" * BLOCK, bytes(BLOCK)]


async def test_what_fails_that_goes_on_by_itself_fails_its_command(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Independent()
    peer = await build(disk).log_in()
    commands = [peer.command(read10(0, 1), reads=BLOCK), peer.command(write10(0, 1), bytes(BLOCK))]
    await peer.send(*commands)
    await wait_all_tasks_blocked()
    disk.fault = BackendError("a head has crashed")
    disk.end_all()
    sense = [(await peer.answer(command)).sense_code for command in commands]
    assert sense == [(3, 0x1100), (3, 0x0C00)]  # UNRECOVERED READ ERROR, WRITE ERROR
    assert caplog.text.count("storage failed: a head has crashed") == 2


async def test_what_goes_on_by_itself_has_to_be_read_whole(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    class Short(Independent):
        def begin_read(self, lba: int, blocks: int, then: Then) -> Buffer | None:
            buffer = super().begin_read(lba, blocks, then)
            return None if buffer is None else buffer[:-1]

    disk = Short()
    peer = await build(disk).log_in()
    read = peer.command(read10(0, 1), reads=BLOCK)
    await peer.send(read)
    await wait_all_tasks_blocked()
    disk.end_all()
    assert (await peer.answer(read)).status == 2
    assert "Short.begin_read returned 511 bytes instead of 512" in caplog.text


async def test_an_abortion_waits_for_what_goes_on_by_itself(
    build: Build, autojump_clock: MockClock
) -> None:
    disk = Independent()
    house = build(disk)
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    write = peer.command(write10(8, 1), b"l" * BLOCK)
    await peer.send(write)
    await wait_all_tasks_blocked()
    (end,) = disk.under_way
    begin = trio.current_time()
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, write), ping())
    assert isinstance(await peer.receive(), NopIn)
    # What it still does to its blocks is done before anything that comes later.
    newer = other.command(write10(8, 1), b"n" * BLOCK)
    await other.send(newer)
    await wait_all_tasks_blocked()
    assert disk.under_way == [end]
    end()
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert trio.current_time() == begin
    assert not list(house.target.node.dying)
    assert (await other.answer(newer)).status == 0
    assert disk._window(8 * BLOCK, 9 * BLOCK) == b"n" * BLOCK


async def test_what_goes_on_by_itself_outlives_its_conversation(build: Build) -> None:
    disk = Independent()
    house = build(disk)
    peer = await house.log_in()
    await peer.send(*(peer.command(read10(lba, 1), reads=BLOCK) for lba in range(3)))
    await wait_all_tasks_blocked()
    peer.close()
    await wait_all_tasks_blocked()
    assert house.target.performer.executors == {}
    assert len(list(house.target.node.dying)) == 3
    disk.end_all()
    assert not list(house.target.node.dying)
    assert house.reactor.elsewhere == 0


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


# Task management.


async def test_abort_task_is_answered_when_the_disk_has_let_go(build: Build) -> None:
    disk = Held()
    peer = await build(disk).log_in()
    write = peer.command(write10(0, 1), bytes(BLOCK))
    await peer.send(write)
    await disk.entered.wait()
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, write), ping())
    assert isinstance(await peer.receive(), NopIn)
    assert not disk.left.is_set()
    disk.open.set()
    response = await peer.receive()
    assert disk.left.is_set()
    assert isinstance(response, TaskManagementResponse)
    assert response.response == TaskResult.COMPLETE
    assert (await peer.do(TEST_UNIT_READY)).status == 0  # and no answer to the write before it


@pytest.mark.parametrize("function", [TaskFunction.ABORT_TASK, TaskFunction.LOGICAL_UNIT_RESET])
async def test_a_disk_that_hangs_delays_an_answer_for_a_moment_and_its_late_write_harms_nothing(
    build: Build, autojump_clock: MockClock, function: TaskFunction
) -> None:
    disk = Hanging(lba=8)
    house = build(disk)
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    late = peer.command(write10(8, 2), b"l" * 2 * BLOCK)
    await peer.send(late)
    await disk.entered.wait()
    begin = trio.current_time()
    await peer.send(peer.task_management(function, late))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert trio.current_time() == pytest.approx(begin + Limits().abort_time)
    await peer.do(TEST_UNIT_READY)
    assert await is_unharmed(peer)  # the session goes on with other blocks
    if function is TaskFunction.LOGICAL_UNIT_RESET:
        await other.do(TEST_UNIT_READY)
    newer = other.command(write10(9, 1), b"n" * BLOCK)
    await other.send(newer)
    with trio.move_on_after(20) as waiting:
        await other.receive()
    assert waiting.cancelled_caught
    disk.open.set()
    assert (await other.answer(newer)).status == 0
    assert disk.left.is_set()
    assert await peer.read(8, 2) == b"l" * BLOCK + b"n" * BLOCK
    assert not list(house.target.node.dying)


async def test_abort_task_calls_off_what_can_be_called_off(
    build: Build, autojump_clock: MockClock
) -> None:
    peer = await build(Slow(MemoryDisk("1MiB"), read_ms=3_600_000)).log_in()
    read = peer.command(read10(0, 1), reads=BLOCK)
    await peer.send(read, ping())
    assert isinstance(await peer.receive(), NopIn)
    begin = trio.current_time()
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, read))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert trio.current_time() == begin


async def test_a_command_and_its_abortion_may_come_together(build: Build) -> None:
    disk = Counting()
    peer = await build(disk).log_in()
    read = peer.command(read10(0, 1), reads=BLOCK)
    await peer.send(read, peer.task_management(TaskFunction.ABORT_TASK, read))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert disk.read_bytes == 0


async def test_abort_task_set_ends_all_commands_of_the_session_alone(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), read_ms=5000))
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    await peer.send(*(peer.command(read10(lba, 1), reads=BLOCK) for lba in range(8)))
    untouched = other.command(read10(0, 1), reads=BLOCK)
    await other.send(untouched)
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK_SET))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert (await other.answer(untouched)).status == 0
    assert (await peer.do(TEST_UNIT_READY)).status == 0


async def test_a_unit_reset_ends_all_commands_and_other_sessions_hear_of_it(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), read_ms=5000))
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    await other.send(other.command(read10(0, 1), reads=BLOCK), ping())
    assert isinstance(await other.receive(), NopIn)
    await peer.send(peer.task_management(TaskFunction.LOGICAL_UNIT_RESET))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    answer = await other.do(TEST_UNIT_READY)
    assert answer.sense_code == (6, 0x2903)  # BUS DEVICE RESET FUNCTION OCCURRED


async def test_a_command_that_waits_for_room_can_be_aborted(
    build: Build, autojump_clock: MockClock
) -> None:
    disk = Counting()
    limits = Limits(output=65_536, send_time=1e6)
    peer = await build(disk, limits=limits).log_in()
    reads = [peer.command(read10(0, 2048), reads=1 << 20) for _ in range(3)]
    await peer.send(*reads)
    await wait_all_tasks_blocked()
    assert disk.read_bytes == 1 << 20
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, reads[2]))
    assert len((await peer.answer(reads[0])).data) == 1 << 20
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert len((await peer.answer(reads[1])).data) == 1 << 20


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


async def test_commands_end_when_their_initiator_vanishes(build: Build) -> None:
    disk = Held()
    house = build(disk)
    peer = await house.log_in()
    await peer.send(peer.command(write10(0, 1), bytes(BLOCK)))
    await disk.entered.wait()
    peer.close()
    disk.open.set()
    await disk.left.wait()
    await wait_all_tasks_blocked()
    assert house.target.performer.executors == {}
    assert not list(house.target.node.dying)


async def test_commands_end_when_the_conversation_is_cancelled(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), read_ms=5000))
    async with trio.open_nursery() as nursery:
        house.nursery = nursery
        peer = await house.log_in()
        await peer.send(peer.command(read10(0, 1), reads=BLOCK), ping())
        assert isinstance(await peer.receive(), NopIn)
        nursery.cancel_scope.cancel()
    assert await peer.receive() is None
    assert not list(house.target.node.dying)


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
    house.lender = lender = Lender(1 << 18)
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
