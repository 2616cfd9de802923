from __future__ import annotations

import os

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.server.conftest import Build
from tests.server.disks import Counting, Hanging, Held, Independent
from tests.server.peer import (
    BLOCK,
    OTHER_ISID,
    TEST_UNIT_READY,
    is_unharmed,
    ping,
    read10,
    write10,
)
from trioscsi import Limits, MemoryDisk, Slow
from trioscsi.backends.lookout import lookout
from trioscsi.pdu import (
    BHS_LENGTH,
    NopIn,
    TaskFunction,
    TaskManagementResponse,
    TaskResult,
)
from trioscsi.server.outbox import Outbox


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


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What has been sent at once."""
    sizes, send = [], Outbox.send

    def note_and_send(outbox: Outbox) -> None:
        if outbox.size:
            sizes.append(outbox.size)
        send(outbox)

    monkeypatch.setattr(Outbox, "send", note_and_send)
    return sizes


async def test_answers_of_commands_that_end_together_are_sent_together(
    build: Build, autojump_clock: MockClock, sizes: list[int]
) -> None:
    peer = await build(Slow(MemoryDisk("1MiB"), read_ms=1000)).log_in()
    commands = [peer.command(read10(lba, 1), reads=BLOCK) for lba in range(20)]
    sizes.clear()
    await peer.send(*commands)
    for _ in commands:
        await peer.receive()
    assert sizes == [20 * (BHS_LENGTH + BLOCK)]


async def test_answers_of_what_a_descriptor_tells_of_are_sent_together(
    build: Build, sizes: list[int]
) -> None:
    disk, (storage, device) = Independent(), os.pipe()
    house = build(disk)
    peers = [await house.log_in(), await house.log_in(OTHER_ISID)]

    def end() -> None:
        os.read(storage, 1)
        disk.end_all()

    lookout().watch(storage, end)
    for peer in peers:
        await peer.send(*(peer.command(read10(lba, 1), reads=BLOCK) for lba in range(20)))
    await wait_all_tasks_blocked()
    sizes.clear()
    os.write(device, b"!")
    for peer in peers:
        for _ in range(20):
            await peer.receive()
    assert sizes == 2 * [20 * (BHS_LENGTH + BLOCK)]
    lookout().unwatch(storage)
    os.close(storage)
    os.close(device)


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
