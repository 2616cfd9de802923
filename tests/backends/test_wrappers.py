from __future__ import annotations

from typing import ClassVar

import pytest
import trio
from trio.testing import MockClock

from trioscsi.backends import (
    Abilities,
    BlockDevice,
    Buffer,
    CdRom,
    Extent,
    Failing,
    Gone,
    MemoryDisk,
    PatternDisk,
    ReadOnly,
    Slow,
    Wrapper,
    WriteThrough,
)
from trioscsi.backends.base import OPTIONAL
from trioscsi.errors import BackendError, UsageError

BLOCK = b"x" * 512


class Flushing(MemoryDisk):
    async def flush(self) -> None:
        pass


def declared(disk: BlockDevice) -> set[str]:
    return {name for name in OPTIONAL if hasattr(disk, name)}


class Independent(MemoryDisk):
    def begin_read(self, lba: int, blocks: int, then: object) -> None:
        pass

    def begin_write(self, lba: int, data: object, then: object) -> bool:
        return False


NOW = {"read_now", "write_now"}
BARE = {"begin_read", "begin_write", "window"}


@pytest.mark.parametrize(
    "below", [MemoryDisk("1MiB"), Flushing("1MiB"), PatternDisk("1MiB"), Independent("1MiB")]
)
def test_the_abilities_are_those_of_the_disk_below(below: BlockDevice) -> None:
    assert declared(Wrapper(below)) == declared(below) - BARE
    assert declared(Slow(below)) == declared(below) - BARE - NOW
    assert declared(Failing(below)) == declared(below) - BARE - NOW
    assert declared(ReadOnly(below)) == declared(below) & {
        "extents",
        "flush",
        "close",
        "read_now",
        "space",
    }


async def test_the_size_is_asked_below_each_time() -> None:
    disk = Slow(ReadOnly(Wrapper(below := MemoryDisk("1MiB", block_size=4096))))
    assert (disk.block_size, disk.blocks, disk.read_only) == (4096, 256, True)
    await below.resize(512)
    assert disk.blocks == 512
    assert not Wrapper(below).read_only


async def test_a_read_only_disk_reads_and_refuses_to_write() -> None:
    disk = ReadOnly(MemoryDisk("1MiB"))
    assert await disk.read(0, 1) == bytes(512)
    with pytest.raises(BackendError, match="read-only"):
        await disk.write(0, BLOCK)


async def test_what_is_written_through_is_durable_at_once() -> None:
    class Cached(MemoryDisk):
        steps: ClassVar[list[str]] = []

        async def write(self, lba: int, data: Buffer) -> None:
            self.steps.append("write")
            await super().write(lba, data)

        async def flush(self) -> None:
            self.steps.append("flush")

    disk = Abilities.of(WriteThrough(Cached("1MiB")))
    assert disk.write_now is None
    assert disk.read_now is not None
    assert disk.unmap is not None
    await WriteThrough(Cached("1MiB")).write(0, BLOCK)
    await disk.unmap(0, 1)
    assert Cached.steps == ["write", "flush", "flush"]


async def test_a_disk_that_has_no_cache_need_not_be_written_through() -> None:
    disk = WriteThrough(MemoryDisk("1MiB"))
    assert declared(disk) == declared(disk.disk) - BARE
    await disk.write(0, BLOCK)
    assert await disk.read(0, 1) == BLOCK


async def test_a_slow_disk_takes_its_time(autojump_clock: MockClock) -> None:
    disk = Slow(Flushing("1MiB"), read_ms=20, write_ms=300, flush_ms=4000)
    able = Abilities.of(disk)
    assert able.unmap is not None
    assert able.extents is not None
    assert able.flush is not None

    start = trio.current_time()
    await disk.write(0, BLOCK)
    await able.unmap(8, 8)
    assert trio.current_time() - start == pytest.approx(0.6)
    assert await disk.read(0, 1) == BLOCK
    assert await able.extents(0, 8) == [Extent(0, 8, mapped=True)]
    assert trio.current_time() - start == pytest.approx(0.64)
    await able.flush()
    assert trio.current_time() - start == pytest.approx(4.64)


async def test_a_failing_disk_fails_where_it_was_told_to() -> None:
    disk = Failing(MemoryDisk("1MiB"), read=[range(10, 12)], write=[range(5), range(100, 101)])
    assert await disk.read(0, 10) == bytes(5120)
    assert await disk.read(12, 1) == bytes(512)
    for lba, blocks in ((10, 1), (11, 1), (0, 11), (9, 4)):
        with pytest.raises(BackendError, match="read fails"):
            await disk.read(lba, blocks)
    await disk.write(5, BLOCK)
    for lba in (4, 99):
        with pytest.raises(BackendError, match="write fails"):
            await disk.write(lba, BLOCK * 2)


async def test_every_way_to_write_and_to_look_fails() -> None:
    able = Abilities.of(Failing(Flushing("1MiB"), read=[range(8)], write=[range(8)], flush=True))
    assert able.unmap
    assert able.write_zeroes
    assert able.compare_and_write
    assert able.extents
    assert able.flush
    for attempt in (
        able.unmap(7, 2),
        able.write_zeroes(0, 1),
        able.compare_and_write(7, BLOCK, BLOCK),
        able.extents(0, 1),
        able.flush(),
    ):
        with pytest.raises(BackendError, match="as it was told to"):
            await attempt
    await able.unmap(8, 1)


async def test_the_first_operations_may_succeed() -> None:
    disk = Failing(Flushing("1MiB"), write=[range(1)], after=2)
    for _ in range(2):
        await disk.write(0, BLOCK)
        await disk.write(1, BLOCK)
    with pytest.raises(BackendError):
        await disk.write(0, BLOCK)
    flush = Abilities.of(disk).flush
    assert flush is not None
    await flush()


async def test_of_a_disk_that_is_gone_no_block_can_be_used() -> None:
    disk = Gone(Flushing("1MiB"))
    able = Abilities.of(disk)
    assert able.thin
    assert not declared(disk) & {*NOW, *BARE, "resize", "measure", "space"}
    assert able.flush
    assert able.unmap
    for attempt in (disk.read(0, 1), disk.write(0, BLOCK), able.flush(), able.unmap(0, 1)):
        with pytest.raises(BackendError, match="taken away"):
            await attempt
    assert able.close
    await able.close()


async def test_the_disc_of_a_cd_rom_is_read_and_not_written() -> None:
    disc = CdRom(MemoryDisk("1MiB", block_size=2048))
    able = Abilities.of(disc)
    assert (able.optical, able.read_only, able.write_now, able.window) == (True, True, None, None)
    assert await disc.read(0, 1) == bytes(2048)
    assert Abilities.of(Slow(disc)).optical
    with pytest.raises(BackendError, match="read-only"):
        await disc.write(0, bytes(2048))
    with pytest.raises(UsageError, match="2048 bytes"):
        CdRom(MemoryDisk("1MiB"))
