from __future__ import annotations

import pytest

from trioscsi.backends import Abilities, Extent, NullDisk, PatternDisk
from trioscsi.errors import BackendError


async def test_the_null_disk_reads_zeroes_whatever_is_written() -> None:
    disk = NullDisk("1TiB", block_size=4096)
    await disk.write(5, b"x" * 4096)
    assert disk.write_now(5, b"x" * 4096)
    assert await disk.read(5, 1) == bytes(4096)
    await disk.unmap(0, disk.blocks)
    assert await disk.extents(1, 2) == [Extent(1, 2, mapped=False)]


async def test_a_pattern_disk_says_where_each_block_is_from() -> None:
    disk = PatternDisk("1GiB")
    data = bytes(await disk.read(4711, 2))
    assert data == (4711).to_bytes(8, "big") * 64 + (4712).to_bytes(8, "big") * 64


async def test_a_pattern_disk_is_read_only() -> None:
    disk = PatternDisk("1GiB")
    assert Abilities.of(disk).read_only
    with pytest.raises(BackendError, match="cannot be written"):
        await disk.write(0, bytes(512))
