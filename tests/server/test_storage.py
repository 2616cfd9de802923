from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.server.disks import Hanging, Independent
from trioscsi import MemoryDisk, ReadOnly, Slow
from trioscsi.backends import Extent, Space
from trioscsi.backends.base import Buffer, Then
from trioscsi.errors import BackendError
from trioscsi.scsi import (
    AdditionalSense,
    Failed,
    LogicalUnit,
    Nexus,
    Refusal,
    Sense,
    SenseKey,
)
from trioscsi.scsi.modes.pages import CACHING
from trioscsi.server.jobs import Jobs
from trioscsi.server.keeper import Keeper
from trioscsi.server.storage import Unit, UnitStorage

NAME = "iqn.2026-11.example:disk"
BLOCK = 512


class Plain:
    """A disk with what every disk has, and nothing else."""

    block_size = BLOCK
    blocks = 4096

    def __init__(self) -> None:
        self.data = bytearray(b"x" * BLOCK * self.blocks)
        self.writes: list[int] = []

    async def read(self, lba: int, blocks: int) -> bytes:
        return bytes(self.data[lba * BLOCK : (lba + blocks) * BLOCK])

    async def write(self, lba: int, data: Any) -> None:
        self.writes.append(len(data))
        self.data[lba * BLOCK : lba * BLOCK + len(data)] = data


Make: TypeAlias = Callable[..., UnitStorage]


class Closed(Independent):
    """Can begin nothing any more."""

    def begin_read(self, lba: int, blocks: int, then: Then) -> Buffer | None:
        raise BackendError("closed")

    def begin_write(self, lba: int, data: Buffer, then: Then) -> bool:
        return False


def unit_of(disk: Any) -> Unit:
    return Unit(LogicalUnit(0, target_name=NAME, blocks=disk.blocks), disk)


async def test_blocks_are_held_for_what_goes_on_by_itself() -> None:
    disk = Independent()
    unit, ended = unit_of(disk), []
    assert unit.begin_read(0, 8, ended.append) is not None
    assert unit.begin_write(4, bytes(8 * BLOCK), ended.append, "owner")
    with trio.move_on_after(0) as waiting:
        async with unit.ranges.hold(11, 1, exclusive=True):
            raise AssertionError("it is being written")
    assert waiting.cancelled_caught
    disk.end_all()
    assert ended == [None, None]
    async with unit.ranges.hold(0, 12, exclusive=True):
        assert unit.begin_read(20, 1, ended.append) is None
        assert not unit.begin_write(20, bytes(BLOCK), ended.append, "owner")
    assert not disk.under_way


async def test_what_cannot_be_begun_holds_nothing() -> None:
    unit = unit_of(Closed())
    assert unit.begin_read(0, 8, print) is None
    assert not unit.begin_write(0, bytes(BLOCK), print, "owner")
    async with unit.ranges.hold(0, 100, exclusive=True):
        pass


async def test_nothing_begins_where_there_are_no_blocks_any_more() -> None:
    disk = Independent()
    unit = unit_of(disk)
    unit.logical.blocks -= 8
    assert unit.begin_read(disk.blocks - 8, 1, print) is None
    assert not unit.begin_write(disk.blocks - 9, bytes(2 * BLOCK), print, "owner")
    assert unit.begin_write(disk.blocks - 10, bytes(2 * BLOCK), print, "owner")


async def test_a_disk_that_does_not_go_on_by_itself_begins_nothing() -> None:
    unit = unit_of(Plain())
    assert unit.begin_read(0, 1, print) is None
    assert not unit.begin_write(0, bytes(BLOCK), print, "owner")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """The storage of the first of these disks."""

    def make(*disks: Any) -> UnitStorage:
        units = [
            Unit(LogicalUnit(number, target_name=NAME, blocks=disk.blocks), disk)
            for number, disk in enumerate(disks)
        ]
        return UnitStorage(
            units[0],
            lambda logical: units[logical.number],
            Jobs(1),
            Keeper(tmp_path, NAME),
            no_tasks,
            lambda *_: None,
        )

    return make


async def no_tasks(unit: Unit, nexuses: Collection[Nexus]) -> None:
    """There are no tasks to abort."""


async def test_blocks_are_those_of_the_disk(make: Make) -> None:
    storage = make(MemoryDisk("1MiB"))
    await storage.write(8, b"w" * 2 * BLOCK)
    await storage.flush()
    assert await storage.read(7, 3) == bytes(BLOCK) + b"w" * 2 * BLOCK
    assert [extent for extent in await storage.extents(0, 2048) if extent.mapped]
    await storage.zero(8, 1)
    await storage.unmap(9, 1)
    assert await storage.read(7, 3) == bytes(3 * BLOCK)


async def test_what_a_disk_cannot_do_is_done_with_what_it_can(make: Make) -> None:
    disk = Plain()
    storage = make(disk)
    await storage.flush()
    await storage.unmap(1, 4094)
    assert disk.writes == [2**20, 4094 * BLOCK - 2**20]
    assert disk.data == b"x" * BLOCK + bytes(4094 * BLOCK) + b"x" * BLOCK
    assert await storage.extents(3, 5) == [Extent(3, 5, mapped=True)]


@pytest.mark.parametrize("disk", [MemoryDisk("1MiB"), Plain()])
async def test_blocks_are_replaced_if_they_are_as_expected(make: Make, disk: Any) -> None:
    storage = make(disk)
    await storage.write(4, b"o" * 2 * BLOCK)
    expected = b"o" * 700 + b"x" + b"o" * 323
    assert await storage.compare_and_write(4, expected, b"n" * 2 * BLOCK) == 700
    assert await storage.read(4, 2) == b"o" * 2 * BLOCK
    assert await storage.compare_and_write(4, b"o" * 2 * BLOCK, b"n" * 2 * BLOCK) is None
    assert await storage.read(4, 2) == b"n" * 2 * BLOCK
    async with storage.exclusive(4, 2) as alone:
        assert await alone.compare_and_write(4, b"n" * 2 * BLOCK, b"m" * 2 * BLOCK) is None
    assert await storage.read(4, 2) == b"m" * 2 * BLOCK


async def test_nothing_comes_between_comparing_and_writing(
    make: Make, autojump_clock: MockClock
) -> None:
    storage = make(Slow(Plain(), read_ms=10, write_ms=10))  # type: ignore[arg-type]

    async def add_one() -> None:
        while True:
            found = bytes(await storage.read(0, 1))
            number = int.from_bytes(found, "big") + 1
            if await storage.compare_and_write(0, found, number.to_bytes(BLOCK, "big")) is None:
                return

    before = int.from_bytes(await storage.read(0, 1), "big")
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(add_one)
    assert int.from_bytes(await storage.read(0, 1), "big") == before + 10


async def test_all_blocks_are_written_or_none_where_the_disk_can(make: Make) -> None:
    storage = make(MemoryDisk("1MiB"))
    await storage.write_atomic(4, b"a" * 2 * BLOCK)
    assert await storage.read(4, 2) == b"a" * 2 * BLOCK


async def test_blocks_can_be_had_alone(make: Make, autojump_clock: MockClock) -> None:
    storage = make(MemoryDisk("1MiB"))
    async with storage.exclusive(0, 8) as alone:
        await alone.write(0, b"a" * BLOCK)
        await alone.zero(1, 1)
        for other in (storage.read(7, 1), storage.write(7, bytes(BLOCK)), storage.unmap(0, 1)):
            with trio.move_on_after(1) as waiting:
                await other
            assert waiting.cancelled_caught
        await storage.read(8, 1)
        assert await alone.read(0, 1) == b"a" * BLOCK
    await storage.read(7, 1)


async def test_what_a_command_writes_is_kept_from_others_when_it_is_given_up(
    make: Make, nursery: trio.Nursery
) -> None:
    class Hanging(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.entered, self.open = trio.Event(), trio.Event()

        async def write(self, lba: int, data: Any) -> None:
            self.entered.set()
            await self.open.wait()

    disk = Hanging()
    storage = make(disk)
    ranges = storage.unit.ranges
    owned = attrs.evolve(storage, owner="task")
    nursery.start_soon(owned.write, 8, bytes(BLOCK))
    await disk.entered.wait()
    assert not ranges.exclusive
    ranges.isolate({"task"})
    assert ranges.taken(8, 1)
    disk.open.set()
    await wait_all_tasks_blocked()
    assert not ranges.taken(8, 1)


async def test_the_space_is_that_of_the_disk_if_it_can_tell(make: Make) -> None:
    assert await make(MemoryDisk("1MiB")).space() == Space(0, None)
    assert await make(Plain()).space() is None


async def test_one_unit_can_use_the_storage_of_another(make: Make) -> None:
    one, other = MemoryDisk("1MiB"), MemoryDisk("1MiB")
    storage = make(one, other)
    logical = storage.unit_of(LogicalUnit(1, target_name=NAME, blocks=1)).logical
    await storage.of(logical).write(0, b"o" * BLOCK)
    assert await other.read(0, 1) == b"o" * BLOCK
    assert await one.read(0, 1) == bytes(BLOCK)


async def test_a_job_goes_on_later(make: Make, nursery: trio.Nursery) -> None:
    storage, go_on = make(MemoryDisk("1MiB")), trio.Event()
    nursery.start_soon(storage.jobs.run)
    assert storage.later(go_on.wait)
    assert not storage.later(go_on.wait)
    go_on.set()
    await wait_all_tasks_blocked()


async def test_what_is_saved_belongs_to_the_unit(make: Make) -> None:
    storage = make(ReadOnly(MemoryDisk("1MiB")))
    await storage.save("modes", b"data")
    (kept,) = storage.keeper.load(0)
    assert (kept.name, kept.read()) == ("modes", b"data")


async def test_while_the_cache_is_off_each_write_is_durable(make: Make) -> None:
    class Cached(MemoryDisk):
        flushes = 0

        async def flush(self) -> None:
            self.flushes += 1

    disk = Cached("1MiB")
    storage = make(disk)
    await storage.write(0, b"w" * BLOCK)
    assert disk.flushes == 0
    storage.unit.logical.modes.change({CACHING.key: {"wce": 0}})
    assert storage.unit.can.write_now is None
    await storage.write(0, b"w" * BLOCK)
    await storage.zero(1, 1)
    assert disk.flushes == 2
    storage.unit.logical.modes.reset()
    await storage.write(0, b"w" * BLOCK)
    assert disk.flushes == 2
    assert storage.unit.disk is storage.unit.supervised


async def test_the_tasks_to_abort_are_those_of_the_unit(make: Make) -> None:
    asked = []

    async def abort(unit: Unit, nexuses: Collection[Nexus]) -> None:
        asked.append((unit, nexuses))

    storage = attrs.evolve(make(MemoryDisk("1MiB")), abort_tasks=abort)
    nexus = Nexus("initiator", "target")
    await storage.abort([nexus])
    assert asked == [(storage.unit, [nexus])]


async def test_whoever_watches_blocks_hears_of_all_that_changes_them(make: Make) -> None:
    storage, heard = make(MemoryDisk("1MiB")), []
    end = storage.watch(8, 8, lambda: heard.append("change"))
    await storage.write(7, bytes(BLOCK))
    await storage.read(8, 8)
    assert heard == []
    await storage.write(7, bytes(2 * BLOCK))
    await storage.zero(15, 1)
    await storage.unmap(8, 1)
    async with storage.exclusive(8, 1) as alone:
        await alone.write(8, bytes(BLOCK))
    assert heard == ["change"] * 4
    end()
    await storage.write(8, bytes(BLOCK))
    assert heard == ["change"] * 4


async def test_a_job_can_be_waited_for_and_outlasts_the_command(
    make: Make, nursery: trio.Nursery
) -> None:
    storage, go_on, ended = make(MemoryDisk("1MiB")), trio.Event(), trio.Event()
    nursery.start_soon(storage.jobs.run)

    async def job() -> None:
        await go_on.wait()
        ended.set()

    with trio.CancelScope() as command:
        command.cancel()
        await storage.outlasting(job)
    assert not await storage.outlasting(job)
    go_on.set()
    await ended.wait()
    await wait_all_tasks_blocked()
    assert await storage.outlasting(job)


async def test_whoever_is_overtaken_changes_nothing_any_more(
    make: Make, nursery: trio.Nursery
) -> None:
    sense = Sense(SenseKey.NOT_READY, AdditionalSense.LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS)
    disk = Hanging(lba=0)
    before = make(disk)
    nursery.start_soon(before.write, 0, b"1" * BLOCK)
    await disk.entered.wait()
    now = before.overtake(sense)
    changes = [
        lambda: before.write(8, b"x" * BLOCK),
        lambda: before.zero(8, 1),
        lambda: before.unmap(8, 1),
        lambda: before.compare_and_write(8, bytes(BLOCK), b"x" * BLOCK),
    ]
    for change in changes:
        with pytest.raises(Refusal) as refused:
            await change()
        assert refused.value.plan == Failed(sense)
    assert await before.read(8, 1) == bytes(BLOCK)
    disk.open.set()
    async with now.exclusive(0, 2048) as alone:  # what had begun is done by then
        assert disk.left.is_set()
        await alone.write(0, b"2" * BLOCK)
    await now.of(now.unit.logical).write(1, b"2" * BLOCK)
    assert await before.read(0, 2) == b"2" * 2 * BLOCK
