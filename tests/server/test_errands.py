from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.server.conftest import Build, House, Planned, Step
from tests.server.disks import Cached, Independent
from tests.server.peer import (
    BLOCK,
    OTHER_ISID,
    SYNCHRONIZE_CACHE,
    TEST_UNIT_READY,
    ping,
    read10,
    verify10,
    write10,
)
from tests.server.tokens import token_of, use
from trioscsi import Failing, MemoryDisk, Slow
from trioscsi.backends.base import Buffer, Then
from trioscsi.errors import BackendError
from trioscsi.pdu import NopIn
from trioscsi.scsi import Failed, Plan, Refusal, SenseKey, Status
from trioscsi.scsi.complaints import WRITE_PROTECTED

IMMEDIATELY = b"\x35\x02" + bytes(8)


async def only_after_the_flush(disk: Cached, house: House, cdb: bytes, data: bytes = b"") -> None:
    peer = await house.log_in()
    command = peer.command(cdb, data)
    await peer.send(command)
    await disk.flushing.wait()
    with trio.move_on_after(20) as waiting:
        await peer.answer(command)
    assert waiting.cancelled_caught
    disk.open.set()
    assert (await peer.answer(command)).status == Status.GOOD


async def test_synchronize_cache_is_answered_after_the_flush(
    build: Build, autojump_clock: MockClock
) -> None:
    disk = Cached()
    await only_after_the_flush(disk, build(disk), SYNCHRONIZE_CACHE)


async def test_synchronize_cache_that_need_not_wait_is_answered_before_the_flush(
    build: Build, nursery: trio.Nursery
) -> None:
    disk = Cached()
    house = build(disk)
    nursery.start_soon(house.target.jobs.run)
    peer = await house.log_in()
    assert (await peer.do(IMMEDIATELY)).status == Status.GOOD
    await disk.flushing.wait()


async def test_a_flush_that_fails_after_its_answer_is_a_deferred_error_of_who_asked(
    build: Build, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    house = build(Failing(Cached(), flush=True))
    nursery.start_soon(house.target.jobs.run)
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    assert (await peer.do(IMMEDIATELY)).status == Status.GOOD
    await wait_all_tasks_blocked()
    assert "storage failed" in caplog.messages[0]
    assert (await other.do(TEST_UNIT_READY)).status == Status.GOOD
    answer = await peer.do(TEST_UNIT_READY)
    assert answer.sense[0] == 0x71
    assert answer.sense_code == (SenseKey.MEDIUM_ERROR, 0x0C00)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD


async def test_a_write_with_fua_is_answered_after_the_flush(
    build: Build, autojump_clock: MockClock
) -> None:
    disk = Cached()
    await only_after_the_flush(disk, build(disk), write10(0, 1, fua=True), bytes(BLOCK))


async def test_a_disk_without_a_cache_has_nothing_to_flush(build: Build) -> None:
    peer = await build().log_in()
    assert (await peer.do(SYNCHRONIZE_CACHE)).status == Status.GOOD
    assert (await peer.do(write10(0, 1, fua=True), bytes(BLOCK))).status == Status.GOOD


async def test_a_write_with_fua_waits_where_a_disk_is_slow(
    build: Build, autojump_clock: MockClock
) -> None:
    peer = await build(Slow(MemoryDisk("1MiB"), write_ms=100)).log_in()
    assert (await peer.do(write10(0, 1, fua=True), b"f" * BLOCK)).status == Status.GOOD
    assert await peer.read(0, 1) == b"f" * BLOCK


# Storage that goes on by itself.


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


# Procedures.


async def test_a_procedure_gets_its_data(planned: Planned) -> None:
    step = Step(data_out=4)
    peer = await planned(step)
    answer = await peer.do(TEST_UNIT_READY, b"data")
    assert answer.status == Status.GOOD
    assert step.data == b"data"


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Failed(WRITE_PROTECTED), (7, 0x2700)),
        (Refusal(WRITE_PROTECTED), (7, 0x2700)),
        (BackendError("broken"), (SenseKey.MEDIUM_ERROR, 0x0C00)),
    ],
)
async def test_a_procedure_may_fail_in_its_steps(
    planned: Planned, outcome: Plan | Exception, code: tuple[int, int]
) -> None:
    peer = await planned(Step(outcome))
    assert (await peer.do(TEST_UNIT_READY)).sense_code == code


async def test_the_log_says_which_storage_failed_in_a_copy(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await build(Failing(MemoryDisk("1MiB"), read=[range(8, 9)])).log_in()
    token = await token_of(peer, 8, 8)
    answer = await use(peer, token, 100, 8)
    assert answer.sense_code == (SenseKey.MEDIUM_ERROR, 0x1100)
    assert "storage failed: extents fails, as it was told to" in caplog.text


@pytest.mark.parametrize(
    ("bytchk", "data"),
    [(0, b""), (1, b"v" * 4 * BLOCK), (3, b"v" * BLOCK), (1, b"v" * 700), (3, b"v" * 100)],
)
async def test_verify_of_what_is_there_succeeds(build: Build, bytchk: int, data: bytes) -> None:
    peer = await build().log_in()
    await peer.write(8, b"v" * 4 * BLOCK)
    answer = await peer.do(verify10(8, 4, bytchk=bytchk), data)
    assert answer.status == Status.GOOD


@pytest.mark.parametrize(("bytchk", "blocks"), [(1, 4), (3, 1)])
async def test_verify_says_where_the_data_differ(build: Build, bytchk: int, blocks: int) -> None:
    peer = await build().log_in()
    await peer.write(8, b"v" * 1000 + b"w" + b"v" * 1047)
    answer = await peer.do(verify10(8, 4, bytchk=bytchk), b"v" * blocks * BLOCK)
    assert answer.status == Status.CHECK_CONDITION
    assert answer.sense_code == (SenseKey.MISCOMPARE, 0x1D00)
    assert int.from_bytes(answer.sense[3:7]) == 1000
