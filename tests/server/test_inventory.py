from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.scsi.copy.world import blocks, lid1, name, out
from tests.server.conftest import Build, House
from tests.server.disks import Hanging
from tests.server.peer import (
    BLOCK,
    OTHER_ISID,
    TEST_UNIT_READY,
    Answer,
    Peer,
    data_out,
    is_unharmed,
    read10,
    write10,
)
from trioscsi import FileDisk, Limits, MemoryDisk, ReadOnly, Slow, UsageError
from trioscsi.errors import BackendError
from trioscsi.pdu import AsyncEvent, AsyncMessage, TaskAttribute, TaskFunction, TaskResult
from trioscsi.protocol import View
from trioscsi.scsi import Status

ILLEGAL_REQUEST, UNIT_ATTENTION = 5, 6
OUT_OF_RANGE, NO_UNIT = 0x2100, 0x2500
CAPACITY_CHANGED, LUNS_CHANGED = 0x2A09, 0x3F0E
READ_CAPACITY = b"\x25" + bytes(9)
REPORT_LUNS = bytes.fromhex("a0 00 00 000000 00000100 00 00")
MIB = 2**20 // BLOCK


async def hears(peer: Peer, code: int, *, unit: int = 0) -> None:
    """The peer is told of an event, now and by a unit attention."""
    message = await peer.receive()
    assert isinstance(message, AsyncMessage)
    assert message.async_event == AsyncEvent.SCSI_EVENT
    assert message.lun == unit << 48
    assert Answer(2, b"", bytes(message.sense)).sense_code == (UNIT_ATTENTION, code)
    answer = await peer.do(TEST_UNIT_READY, unit=unit)
    assert answer.sense_code == (UNIT_ATTENTION, code)


async def capacity(peer: Peer) -> int:
    return int.from_bytes((await peer.do(READ_CAPACITY, reads=8)).data[:4]) + 1


async def luns(peer: Peer) -> list[int]:
    data = (await peer.do(REPORT_LUNS, reads=256)).data
    return [data[place + 1] for place in range(8, len(data), 8)]


# Size.


async def test_a_disk_grows_while_it_is_used(build: Build) -> None:
    house = build(MemoryDisk("1MiB"), state=None)
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    answer = await peer.do(read10(MIB, 1), reads=BLOCK)
    assert answer.sense_code == (ILLEGAL_REQUEST, OUT_OF_RANGE)
    await house.target.resize(0, "2MiB")
    for initiator in (peer, other):
        await hears(initiator, CAPACITY_CHANGED)
        assert await capacity(initiator) == 2 * MIB
    await peer.write(2 * MIB - 1, b"e" * BLOCK)
    assert await other.read(2 * MIB - 1, 1) == b"e" * BLOCK


async def test_a_disk_shrinks_while_it_is_used(build: Build) -> None:
    house = build(MemoryDisk("2MiB"))
    peer = await house.log_in()
    await peer.write(MIB, b"l" * BLOCK)
    await house.target.resize(0, 2**20)
    await hears(peer, CAPACITY_CHANGED)
    assert await capacity(peer) == MIB
    answer = await peer.do(read10(MIB, 1), reads=BLOCK)
    assert answer.sense_code == (ILLEGAL_REQUEST, OUT_OF_RANGE)
    await house.target.resize(0, "2MiB")
    await hears(peer, CAPACITY_CHANGED)
    assert await peer.read(MIB, 1) == bytes(BLOCK)


async def test_the_same_size_is_no_news(build: Build) -> None:
    house = build(MemoryDisk("1MiB"))
    peer = await house.log_in()
    await house.target.resize(0, "1MiB")
    await house.target.rescan()
    assert await is_unharmed(peer)


async def test_writes_whose_data_is_on_its_way_are_refused_beyond_the_new_end(
    build: Build,
) -> None:
    house = build(MemoryDisk("2MiB"))
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    beyond = peer.command(write10(MIB, 4), writes=4 * BLOCK)
    within = other.command(write10(4, 1), writes=BLOCK)
    await peer.send(beyond)
    await other.send(within)
    r2t, other_r2t = await peer.receive(), await other.receive()
    await house.target.resize(0, "1MiB")
    assert isinstance(await peer.receive(), AsyncMessage)
    assert isinstance(await other.receive(), AsyncMessage)
    await peer.send(data_out(r2t, b"b" * 4 * BLOCK))
    await other.send(data_out(other_r2t, b"w" * BLOCK))
    assert (await peer.answer(beyond)).sense_code == (ILLEGAL_REQUEST, OUT_OF_RANGE)
    assert (await other.answer(within)).status == Status.GOOD
    await house.target.resize(0, "2MiB")
    assert isinstance(await peer.receive(), AsyncMessage)
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, CAPACITY_CHANGED)
    assert await peer.read(MIB, 4) == bytes(4 * BLOCK)
    assert await peer.read(4, 1) == b"w" * BLOCK


async def test_a_write_that_waits_for_buffers_is_refused_without_any(build: Build) -> None:
    house = build(MemoryDisk("2MiB"), limits=Limits(write_buffers=65_536, transfer=65_536))
    peer = await house.log_in()
    size = 128 * BLOCK
    first = peer.command(write10(0, 128), writes=size)
    second = peer.command(write10(MIB, 128), writes=size)
    third = peer.command(write10(128, 128), writes=size)
    await peer.send(first, second, third)
    r2t = await peer.receive()
    assert r2t.itt == first.itt
    await house.target.resize(0, "1MiB")
    answers = [await peer.receive(), await peer.receive()]
    assert {type(pdu).__name__ for pdu in answers} == {"AsyncMessage", "ScsiResponse"}
    await peer.send(data_out(r2t, b"1" * size))
    answers = [await peer.receive(), await peer.receive()]
    (asked,) = [pdu for pdu in answers if pdu.itt == third.itt]
    await peer.send(data_out(asked, b"3" * size))
    assert (await peer.answer(third)).status == Status.GOOD


async def test_what_storage_has_in_hand_is_waited_for(
    build: Build, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    disk = Slow(MemoryDisk("2MiB"), write_ms=1000, read_ms=1000)
    house = build(disk)
    peer = await house.log_in()
    write = peer.command(write10(MIB, 1), b"w" * BLOCK)
    await peer.send(write)
    await wait_all_tasks_blocked()
    begin = trio.current_time()
    nursery.start_soon(house.target.resize, 0, "1MiB")
    assert (await peer.answer(write)).status == Status.GOOD
    await hears(peer, CAPACITY_CHANGED)
    assert trio.current_time() == begin + 1
    assert disk.blocks == MIB


async def test_what_waits_for_storage_is_refused_beyond_the_new_end(
    build: Build, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    disk = Hanging(lba=8)
    house = build(disk)
    peer = await house.log_in()
    hanging = peer.command(write10(8, 1), bytes(BLOCK))
    await peer.send(hanging)
    await disk.entered.wait()
    (unit,) = house.target.performer.units
    async with unit.ranges.hold(MIB // 2, MIB // 2, exclusive=True):
        read = peer.command(read10(MIB - 1, 1), reads=BLOCK)
        await peer.send(read)
        await wait_all_tasks_blocked()
        nursery.start_soon(house.target.resize, 0, "512KiB")
        await wait_all_tasks_blocked()
    answers = [await peer.receive(), await peer.receive()]
    codes = {Answer(2, b"", bytes(pdu.sense)).sense_code for pdu in answers}
    assert codes == {(ILLEGAL_REQUEST, OUT_OF_RANGE), (UNIT_ATTENTION, CAPACITY_CHANGED)}
    disk.open.set()
    assert (await peer.answer(hanging)).status == Status.GOOD


async def test_a_disk_that_cannot_shrink_stays_as_it_was(build: Build) -> None:
    class Stubborn(MemoryDisk):
        async def resize(self, blocks: int) -> None:
            raise BackendError("not today")

    house = build(Stubborn("2MiB"))
    peer = await house.log_in()
    for size in ("1MiB", "4MiB"):
        with pytest.raises(BackendError, match="not today"):
            await house.target.resize(0, size)
    assert await capacity(peer) == 2 * MIB


@pytest.mark.parametrize(("lun", "size"), [(1, "1MiB"), (0, 0), (0, 700), (0, "much")])
async def test_not_every_size_can_be(build: Build, lun: int, size: Any) -> None:
    house = build(MemoryDisk("1MiB"))
    with pytest.raises(UsageError):
        await house.target.resize(lun, size)


async def test_a_disk_that_cannot_be_resized_says_so(build: Build) -> None:
    house = build(ReadOnly(MemoryDisk("1MiB")))
    with pytest.raises(UsageError, match="LUN 0 cannot be resized"):
        await house.target.resize(0, "2MiB")


async def test_a_file_that_has_grown_or_shrunk_is_noticed(build: Build, tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    house = build(FileDisk(path, size="1MiB"))
    peer = await house.log_in()
    for size in (2 * MIB, MIB // 2):
        os.truncate(path, size * BLOCK)
        await house.target.rescan()
        await hears(peer, CAPACITY_CHANGED)
        assert await capacity(peer) == size
    os.truncate(path, 0)
    with pytest.raises(UsageError):
        await house.target.rescan()


async def test_initiators_that_cannot_bear_it_get_no_message(build: Build) -> None:
    house = build(MemoryDisk("1MiB"), unit_events=False)
    peer = await house.log_in()
    await house.target.resize(0, "2MiB")
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, CAPACITY_CHANGED)


async def test_who_does_not_see_a_unit_hears_nothing_of_it(build: Build) -> None:
    house: House = build(MemoryDisk("1MiB"), MemoryDisk("1MiB"), views={"*": View({0: 1})})
    peer = house.connect()
    assert await peer.log_in() == 0
    await peer.do(TEST_UNIT_READY)
    await house.target.resize(0, "2MiB")
    await house.target.resize(1, "3MiB")
    await hears(peer, CAPACITY_CHANGED)
    assert await capacity(peer) == 3 * MIB


# Units.


async def test_a_unit_is_added_and_every_initiator_hears_of_it_once(build: Build) -> None:
    house = build(MemoryDisk("1MiB"), MemoryDisk("1MiB"))
    peer = await house.log_in()
    house.target.add_lun(7, MemoryDisk("1MiB"))
    assert isinstance(await peer.receive(), AsyncMessage)
    assert (await peer.do(TEST_UNIT_READY, unit=1)).sense_code == (UNIT_ATTENTION, LUNS_CHANGED)
    assert (await peer.do(TEST_UNIT_READY, unit=0)).status == Status.GOOD
    assert await luns(peer) == [0, 1, 7]
    assert (await peer.do(TEST_UNIT_READY, unit=7)).sense_code == (UNIT_ATTENTION, 0x2900)
    await peer.write(3, b"7" * BLOCK, unit=7)
    assert await peer.read(3, 1, unit=7) == b"7" * BLOCK


async def test_a_unit_that_is_added_can_be_read_only(build: Build) -> None:
    house = build(MemoryDisk("1MiB"))
    house.target.add_lun(1, MemoryDisk("1MiB"), read_only=True)
    peer = await house.log_in()
    assert (await peer.do(write10(0, 1), bytes(BLOCK), unit=1)).sense_code == (7, 0x2700)


async def test_a_lun_is_given_once(build: Build) -> None:
    house = build(MemoryDisk("1MiB"))
    with pytest.raises(UsageError, match="LUN 0"):
        house.target.add_lun(0, MemoryDisk("1MiB"))
    with pytest.raises(UsageError, match="no LUN 1"):
        await house.target.remove_lun(1)


async def test_a_unit_is_removed_and_its_disk_comes_back(build: Build) -> None:
    disk = MemoryDisk("1MiB")
    house = build(disk, MemoryDisk("1MiB"))
    peer = await house.log_in()
    assert await house.target.remove_lun(0) is disk
    assert isinstance(await peer.receive(), AsyncMessage)
    answer = await peer.do(TEST_UNIT_READY)
    assert answer.sense_code == (ILLEGAL_REQUEST, NO_UNIT)
    assert await luns(peer) == [1]
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK_SET))
    assert (await peer.receive()).response == TaskResult.NO_LUN
    house.target.add_lun(0, disk)
    assert isinstance(await peer.receive(), AsyncMessage)
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, 0x2900)


async def test_commands_may_end_before_their_unit_goes(
    build: Build, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), read_ms=1000))
    peer = await house.log_in()
    read = peer.command(read10(0, 1), reads=BLOCK)
    ordered = peer.command(TEST_UNIT_READY, attributes=TaskAttribute.ORDERED)
    await peer.send(read, ordered)
    await wait_all_tasks_blocked()
    nursery.start_soon(house.target.remove_lun, 0)
    assert isinstance(await peer.receive(), AsyncMessage)
    await wait_all_tasks_blocked()
    late = peer.command(read10(0, 1), reads=BLOCK, immediate=True)
    await peer.send(late)
    assert (await peer.answer(read)).status == Status.GOOD
    for command in (ordered, late):
        assert (await peer.answer(command)).sense_code == (ILLEGAL_REQUEST, NO_UNIT)
    await wait_all_tasks_blocked()
    house.target.performer.units.check_free(0)
    assert not house.target.performer.task_sets.watched


async def test_commands_that_do_not_end_get_a_status_and_the_disk_is_waited_for(
    build: Build, autojump_clock: MockClock
) -> None:
    disk = Hanging(lba=8)
    house = build(disk)
    peer = await house.log_in()
    write = peer.command(write10(8, 1), bytes(BLOCK))
    await peer.send(write)
    await disk.entered.wait()
    begin, back = trio.current_time(), []

    async def remove() -> None:
        back.append(await house.target.remove_lun(0, grace=2))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(remove)
        assert isinstance(await peer.receive(), AsyncMessage)
        assert (await peer.answer(write)).status == Status.TASK_ABORTED
        assert trio.current_time() == begin + 2
        await peer.send(peer.task_management(TaskFunction.TARGET_WARM_RESET))
        assert (await peer.receive()).response == TaskResult.COMPLETE
        await wait_all_tasks_blocked()
        assert back == []
        disk.open.set()
    assert back == [disk]


OVERWRITE = bytes.fromhex("48 81 0000000000 0005 00"), bytes.fromhex("01 00 0001 6f")


async def sanitizing(build: Build, nursery: trio.Nursery, disk: MemoryDisk, rate: str) -> House:
    """A disk that is sanitized at this rate, and nobody waits for it."""
    house = build(disk, overhaul_rate=rate)
    nursery.start_soon(house.target.jobs.run)
    peer = await house.log_in()
    assert (await peer.do(*OVERWRITE)).status == Status.GOOD
    return house


async def test_work_that_nobody_waits_for_is_cut_off_when_its_unit_goes(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    disk = MemoryDisk("1MiB")
    house = await sanitizing(build, nursery, disk, "4KiB")
    await trio.sleep(1.6)
    assert await house.target.remove_lun(0, grace=2) is disk
    assert trio.current_time() == 3.6
    written = bytes(await disk.read(0, disk.blocks))
    assert written.count(b"o") == 15 * 1024
    await trio.sleep(10)
    assert await disk.read(0, disk.blocks) == written


async def test_work_that_somebody_waits_for_is_cut_off_too(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    disk = MemoryDisk("1MiB")
    house = build(disk, overhaul_rate="4KiB")
    nursery.start_soon(house.target.jobs.run)
    peer = await house.log_in()
    cdb, data = OVERWRITE
    sanitize = peer.command(bytes((cdb[0], 0x01)) + cdb[2:], data)
    await peer.send(sanitize)
    await trio.sleep(1)
    assert await house.target.remove_lun(0, grace=2) is disk
    assert trio.current_time() == 3
    assert isinstance(await peer.receive(), AsyncMessage)
    assert (await peer.answer(sanitize)).status == Status.TASK_ABORTED
    written = bytes(await disk.read(0, disk.blocks))
    await trio.sleep(10)
    assert await disk.read(0, disk.blocks) == written


async def test_work_may_end_before_its_unit_goes(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    disk = MemoryDisk("1MiB")
    house = await sanitizing(build, nursery, disk, "1MiB")
    await house.target.remove_lun(0, grace=2)
    assert trio.current_time() == 0.75
    assert await disk.read(0, disk.blocks) == b"o" * (1 << 20)


async def test_a_copy_from_another_unit_fails_when_a_unit_goes(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    gone, other = Slow(MemoryDisk("16MiB"), write_ms=1000), MemoryDisk("16MiB")
    await other.write(0, b"c" * (16 << 20))
    house = build(gone, other)
    nursery.start_soon(house.target.jobs.run)
    peer = await house.log_in()
    units = house.target.performer.target.units
    data = lid1(name(units[1]) + name(units[0]), blocks(16 * MIB))
    copy = peer.command(out(0, len(data)), data, unit=1)
    await peer.send(copy)
    await trio.sleep(1.5)
    await house.target.remove_lun(0, grace=0)
    assert trio.current_time() == 2
    written = bytes(await gone.disk.read(0, gone.blocks))
    assert isinstance(await peer.receive(), AsyncMessage)
    assert (await peer.answer(copy)).status == Status.CHECK_CONDITION
    assert bytes(await gone.disk.read(0, gone.blocks)) == written
    assert 0 < written.count(b"c") < 16 << 20


@pytest.mark.parametrize("size", ["512KiB", "2MiB"])
async def test_a_disk_may_change_its_size_while_it_is_sanitized(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock, size: str
) -> None:
    disk = MemoryDisk("1MiB")
    house = await sanitizing(build, nursery, disk, "128KiB")
    (peer,) = house.peers
    await trio.sleep(2.1)
    await house.target.resize(0, size)
    await trio.sleep(10)
    await hears(peer, CAPACITY_CHANGED)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD
    before = min(disk.blocks, 2048)
    assert await disk.read(0, before) == b"o" * before * BLOCK
    if before < disk.blocks:
        assert not any(await disk.read(before, disk.blocks - before))
