from __future__ import annotations

from pathlib import Path

import pytest

from trioscsi.backends import (
    Abilities,
    FileDisk,
    MemoryDisk,
    NullDisk,
    PatternDisk,
    ReadOnly,
    Space,
    Thin,
    open_disk,
)
from trioscsi.errors import BackendError, OutOfSpace, UsageError

SLICE = Thin.SLICE
PER_SLICE = SLICE // 512


def slices(number: int) -> bytes:
    return b"s" * SLICE * number


def make(pool: int = 4 * SLICE, size: str = "1TiB") -> tuple[Thin, Abilities]:
    disk = Thin(MemoryDisk(size), pool=pool)
    return disk, Abilities.of(disk)


async def space(able: Abilities) -> Space:
    assert able.space is not None
    return await able.space()


async def unmap(able: Abilities, lba: int, blocks: int) -> None:
    assert able.unmap is not None
    await able.unmap(lba, blocks)


async def test_a_disk_promises_more_than_its_pool_holds() -> None:
    disk, able = make()
    assert disk.blocks == 2**31
    assert await space(able) == Space(0, 4 * SLICE)
    await disk.write(2**30, b"s" * 512)
    assert await space(able) == Space(SLICE, 3 * SLICE)
    assert bytes(await disk.read(2**30, 2)) == b"s" * 512 + bytes(512)


async def test_a_full_pool_takes_no_more_and_writes_nothing_of_it() -> None:
    disk, able = make()
    await disk.write(0, slices(3))
    with pytest.raises(OutOfSpace, match="a pool of 256 KiB is full"):
        await disk.write(3 * PER_SLICE, slices(2))
    assert bytes(await disk.read(3 * PER_SLICE, 8)) == bytes(8 * 512)
    assert await space(able) == Space(3 * SLICE, SLICE)


async def test_what_is_stored_can_be_written_again_when_the_pool_is_full() -> None:
    disk, able = make()
    await disk.write(0, slices(4))
    await disk.write(8, b"t" * 512)
    assert able.write_now is not None
    assert able.write_now(9, b"t" * 512)
    with pytest.raises(OutOfSpace):
        able.write_now(4 * PER_SLICE, b"t" * 512)
    assert able.write_atomic is not None
    with pytest.raises(OutOfSpace):
        await able.write_atomic(4 * PER_SLICE, b"t" * 512)
    assert able.compare_and_write is not None
    with pytest.raises(OutOfSpace):
        await able.compare_and_write(4 * PER_SLICE, bytes(512), b"t" * 512)


async def test_whole_slices_go_back_to_the_pool() -> None:
    disk, able = make()
    await disk.write(0, slices(4))
    await unmap(able, 1, 2 * PER_SLICE)
    assert await space(able) == Space(3 * SLICE, SLICE)
    await disk.write(9 * PER_SLICE, slices(1))
    await unmap(able, 0, disk.blocks)
    assert await space(able) == Space(0, 4 * SLICE)
    assert bytes(await disk.read(0, 8)) == bytes(8 * 512)


async def test_the_last_slice_goes_back_even_if_it_is_a_part_of_one() -> None:
    disk = Thin(MemoryDisk(SLICE + 512), pool=2 * SLICE)
    able = Abilities.of(disk)
    await disk.write(0, slices(1) + b"s" * 512)
    await unmap(able, PER_SLICE, 1)
    assert await space(able) == Space(SLICE, SLICE)


async def test_zeroes_need_no_room() -> None:
    disk, able = make()
    assert able.write_zeroes is not None
    await able.write_zeroes(0, disk.blocks)
    assert await space(able) == Space(0, 4 * SLICE)


async def test_what_a_smaller_disk_has_lost_goes_back() -> None:
    disk, able = make()
    await disk.write(0, slices(4))
    assert able.resize is not None
    await able.resize(2 * PER_SLICE)
    assert await space(able) == Space(2 * SLICE, 2 * SLICE)
    await able.resize(4 * PER_SLICE)
    assert await space(able) == Space(2 * SLICE, 2 * SLICE)


async def test_what_a_disk_holds_from_before_counts(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    disk = FileDisk(path, size="1MiB")
    await disk.write(PER_SLICE, slices(2))
    await disk.close()
    again = Thin(FileDisk(path), pool="192KiB")
    able = Abilities.of(again)
    assert able.write_now is None or not able.write_now(0, slices(2))
    assert await space(able) == Space(2 * SLICE, SLICE)
    with pytest.raises(OutOfSpace):
        await again.write(8 * PER_SLICE, slices(2))
    assert able.close is not None
    await able.close()


async def test_a_pool_has_no_more_room_than_what_it_lies_in(tmp_path: Path) -> None:
    disk = Thin(FileDisk(tmp_path / "disk.img", size="1MiB"), pool="1EiB")
    free = (await disk.space()).free
    assert free is not None
    assert free < 2**60
    await disk.disk.close()


async def test_other_failures_stay_what_they_are() -> None:
    class Broken(MemoryDisk):
        async def write(self, lba: int, data: object) -> None:
            raise BackendError("broken")

    with pytest.raises(BackendError, match="broken") as caught:
        await Thin(Broken("1MiB"), pool="1MiB").write(0, b"s" * 512)
    assert not isinstance(caught.value, OutOfSpace)


def test_space_is_given_back_in_slices() -> None:
    assert Abilities.of(Thin(MemoryDisk("1MiB"), pool="1MiB")).granularity == SLICE


def test_a_disk_that_cannot_unmap_cannot_be_thin() -> None:
    with pytest.raises(UsageError, match="cannot be thin"):
        Thin(PatternDisk("1MiB"), pool="1MiB")


def test_a_pool_needs_a_size() -> None:
    with pytest.raises(UsageError, match=r"pool=10GiB"):
        open_disk("thin+memory:1MiB")
    with pytest.raises(UsageError, match="not a size"):
        Thin(MemoryDisk("1MiB"), pool="much")


async def test_a_pool_can_be_asked_for_by_url() -> None:
    disk = open_disk("thin+null:1TiB?pool=64KiB")
    assert isinstance(disk, Thin)
    await disk.write(0, b"s" * 512)
    assert await disk.space() == Space(SLICE, 0)
    assert ReadOnly(disk).blocks == NullDisk("1TiB").blocks
