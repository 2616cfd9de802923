from __future__ import annotations

import mmap
import os

import pytest

from trioscsi.backends import Extent, MemoryDisk, Space
from trioscsi.errors import BackendError, UsageError

TWO = b"a" * 512 + b"b" * 512


async def test_what_is_written_is_read() -> None:
    disk = MemoryDisk("1MiB")
    await disk.write(7, TWO)
    assert await disk.read(6, 4) == bytes(512) + TWO + bytes(512)
    assert disk.blocks == 2048


async def test_reads_are_windows_on_the_memory() -> None:
    disk = MemoryDisk("1MiB")
    disk.write_now(0, TWO)
    window = disk.read_now(0, 1)
    disk.write_now(0, b"c" * 512)
    assert window == b"c" * 512


async def test_reading_what_was_never_written_takes_no_memory() -> None:
    disk = MemoryDisk("1GiB")
    disk.write_now(0, TWO)
    for lba in range(2048, disk.blocks, 65_536):
        assert not any(disk.read_now(lba, 8))
    stored = [extent for extent in await disk.extents(0, disk.blocks) if extent.mapped]
    assert stored == [Extent(0, 8, mapped=True)]


async def test_a_read_finds_data_that_begin_in_its_middle() -> None:
    disk = MemoryDisk("4MiB")
    disk.write_now(1024, TWO)
    assert bytes(disk.read_now(0, 4096)).index(TWO) == 1024 * 512


async def test_unmapped_blocks_read_as_zeroes_and_give_their_memory_back() -> None:
    disk = MemoryDisk("64MiB", block_size=4096)
    disk.write_now(0, b"x" * disk.blocks * 4096)
    await disk.unmap(1, disk.blocks - 2)
    assert disk.read_now(0, 2) == b"x" * 4096 + bytes(4096)
    assert not any(disk.read_now(1, disk.blocks - 2))
    assert disk.read_now(disk.blocks - 1, 1) == b"x" * 4096


async def test_it_tells_what_memory_it_takes() -> None:
    disk = MemoryDisk("1MiB")
    assert await disk.space() == Space(0, None)
    await disk.write(0, b"x" * mmap.PAGESIZE)
    assert await disk.space() == Space(mmap.PAGESIZE, None)
    await disk.unmap(0, mmap.PAGESIZE // 512)
    assert await disk.space() == Space(0, None)


async def test_compare_and_write_writes_or_tells_the_difference() -> None:
    disk = MemoryDisk("1MiB")
    assert await disk.compare_and_write(3, bytes(1024), TWO) is None
    assert await disk.compare_and_write(3, b"a" * 1024, bytes(1024)) == 512
    assert disk.read_now(3, 2) == TWO


async def test_what_is_put_into_a_window_is_stored() -> None:
    disk = MemoryDisk("1MiB")
    window = disk.window(7, 2)
    window[:512] = TWO[:512]
    assert disk.read_now(6, 3) == bytes(512) + TWO[:512] + bytes(512)


async def test_data_that_came_through_a_window_survive_an_unmap_before_the_write() -> None:
    disk = MemoryDisk("1MiB")
    window = disk.window(0, 512)
    await disk.unmap(0, 512)
    window[:] = b"n" * len(window)
    assert disk.write_now(0, window)
    assert disk.read_now(0, 512) == b"n" * 512 * 512


async def test_it_grows_and_shrinks_while_views_are_held() -> None:
    disk = MemoryDisk("1MiB")
    disk.write_now(2046, TWO)
    window = disk.read_now(2046, 2)
    await disk.resize(4096)
    disk.write_now(4095, b"z" * 512)
    assert disk.read_now(2046, 2) == TWO
    await disk.resize(1024)
    assert disk.blocks == 1024
    assert not any(window)
    await disk.resize(4096)
    assert not any(disk.read_now(1024, 3072))


async def test_closing_lets_go_and_leaves_views_that_are_held() -> None:
    disk = MemoryDisk("1MiB")
    disk.write_now(0, TWO)
    window = disk.read_now(0, 2)
    await disk.close()
    await disk.close()
    assert window == TWO
    with pytest.raises(BackendError, match="closed"):
        await disk.read(9, 1)
    with pytest.raises(BackendError, match="closed"):
        await disk.write(0, TWO)
    with pytest.raises(BackendError, match="closed"):
        disk.window(0, 1)
    with pytest.raises(BackendError, match="closed"):
        await disk.unmap(0, 1)


async def test_elsewhere_than_on_linux_an_unlinked_file_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    disk = MemoryDisk("1MiB")
    await disk.write(7, TWO)
    await disk.unmap(7, 1)
    assert await disk.read(7, 2) == bytes(512) + b"b" * 512
    await disk.close()


def test_a_size_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="multiple"):
        MemoryDisk(1000)


def test_an_address_space_that_is_full_is_an_error_of_storage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: int) -> mmap.mmap:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("trioscsi.backends.memory.mmap.mmap", full)
    with pytest.raises(BackendError, match="Cannot allocate memory"):
        MemoryDisk("1MiB")
