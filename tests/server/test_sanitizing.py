"""Sanitizing and formatting, from the initiators' side of the wire."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.server.conftest import Build
from tests.server.disks import Hanging
from tests.server.peer import BLOCK, BLOCK_ERASE, OTHER_ISID, TEST_UNIT_READY, read10, write10
from trioscsi import Limits, MemoryDisk, Slow
from trioscsi.pdu import TaskFunction, TaskResult
from trioscsi.scsi import SenseKey, Status

IMMED = 0x80
FORMAT = b"\x04\x10" + bytes(4), bytes.fromhex("00 88 0000 00 01 0001 66")
OVERWRITE = bytes.fromhex("48 01 0000000000 0005 00"), bytes.fromhex("01 00 0001 6f")


async def test_sanitizing_goes_on_when_its_command_is_aborted(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    disk = MemoryDisk("1MiB")
    house = build(Slow(disk, write_ms=5000))
    nursery.start_soon(house.target.jobs.run)
    peer = await house.log_in()
    await disk.write(0, b"s" * BLOCK)
    command = peer.command(BLOCK_ERASE)
    await peer.send(command)
    await wait_all_tasks_blocked()
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (SenseKey.NOT_READY, 0x041B)
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, command))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (SenseKey.NOT_READY, 0x041B)
    await trio.sleep(6)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD
    assert await peer.read(0, 1) == bytes(BLOCK)


async def test_a_command_of_many_steps_does_not_go_on_after_sanitizing(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    disk = MemoryDisk("8MiB")
    house = build(Slow(disk, write_ms=5000))
    nursery.start_soon(house.target.jobs.run)
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    fill = peer.command(bytes.fromhex("41 00 00000000 00 4000 00"), b"s" * BLOCK)
    await peer.send(fill)
    await trio.sleep(7)
    assert (await other.do(BLOCK_ERASE)).status == Status.GOOD
    assert (await peer.answer(fill)).sense_code == (SenseKey.NOT_READY, 0x041B)
    assert not any(await disk.read(0, disk.blocks))


async def test_a_write_that_waits_behind_reads_does_not_go_on_after_formatting(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    house = build(Hanging(lba=-1), limits=Limits(output=65_536, send_time=1e6))
    nursery.start_soon(house.target.jobs.run)
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    reads = [peer.command(read10(0, 1024), reads=1 << 19) for _ in range(2)]
    write = peer.command(write10(8, 1), b"s" * BLOCK)
    await peer.send(*reads, write)
    await wait_all_tasks_blocked()
    for _ in range(2):
        assert (await other.do(*FORMAT)).status == Status.GOOD
    for read in reads:
        assert (await peer.answer(read)).status == Status.GOOD
    assert (await peer.answer(write)).sense_code == (SenseKey.NOT_READY, 0x0404)
    assert await peer.read(8, 1) == b"f" * BLOCK


async def test_sanitizing_that_is_cut_off_by_a_restart_has_failed(
    build: Build, tmp_path: Path, autojump_clock: MockClock
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), write_ms=5000), state=tmp_path)
    async with trio.open_nursery() as serving:
        serving.start_soon(house.target.jobs.run)
        peer = await house.log_in()
        assert (await peer.do(bytes((0x48, 0x02 | IMMED)) + bytes(8))).status == Status.GOOD
        await trio.sleep(1)
        serving.cancel_scope.cancel()
    await house.target.close()
    again = await build(MemoryDisk("1MiB"), state=tmp_path).log_in()
    assert (await again.do(read10(0, 1))).sense_code == (SenseKey.MEDIUM_ERROR, 0x3103)


# At a rate.


async def test_sanitizing_and_formatting_share_the_rate_that_they_are_given(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    disks = [MemoryDisk("1MiB"), MemoryDisk("1MiB")]
    house = build(*disks, overhaul_rate="128KiB")
    nursery.start_soon(house.target.jobs.run)
    peer = await house.log_in()
    sanitize = peer.command(*OVERWRITE)
    format_unit = peer.command(*FORMAT, unit=1)
    await peer.send(sanitize, format_unit)
    # A quarter is done in four seconds, and both have begun as many pieces by then.
    for time, progress in ((3.9, 16_384), (7.9, 32_768), (11.9, 49_152)):
        await trio.sleep(time - trio.current_time())
        sense = (await peer.do(b"\x03\0\0\0\x12\0", reads=18)).data
        assert (sense[12:14], sense[15]) == (b"\x04\x1b", 0x80)
        assert int.from_bytes(sense[16:18]) == progress
    answers = [await peer.receive(), await peer.receive()]
    assert [answer.status for answer in answers] == [Status.GOOD] * 2
    assert trio.current_time() == pytest.approx(15.75)  # when the last of 64 pieces begins
    for disk, filled in zip(disks, (b"o", b"f"), strict=True):
        assert await disk.read(0, 2048) == filled * 2048 * BLOCK


@pytest.mark.parametrize(("rate", "seconds"), [(None, 0), ("128KiB", 16)])
async def test_initiators_are_told_how_long_formatting_may_take_at_that_rate(
    build: Build, rate: str | None, seconds: int
) -> None:
    house = build(MemoryDisk("1MiB"), MemoryDisk("1MiB"), overhaul_rate=rate)
    peer = await house.log_in()
    report = (await peer.do(bytes.fromhex("a30c8104 0000 00000100 0000"), reads=256)).data
    assert int.from_bytes(report[-4:]) == 86_400 + seconds


async def test_no_slow_sanitizing_keeps_a_target_from_stopping(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(MemoryDisk("1MiB"), overhaul_rate=1)
    async with trio.open_nursery() as serving:
        serving.start_soon(house.target.jobs.run)
        peer = await house.log_in()
        sanitize = peer.command(*OVERWRITE)
        await peer.send(sanitize)
        await trio.sleep(5)
        serving.cancel_scope.cancel()
    assert trio.current_time() == 5
    assert (await peer.answer(sanitize)).sense_code == (SenseKey.MEDIUM_ERROR, 0x3103)
