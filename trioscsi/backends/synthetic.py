"""Disks that hold nothing: for measuring, and for seeing where data come from."""

from __future__ import annotations

from abc import ABC, abstractmethod

import trio

from trioscsi.backends.base import Buffer, Extent
from trioscsi.backends.sizes import count_blocks, parse_size, physical_block
from trioscsi.backends.sparse import zeroes
from trioscsi.errors import BackendError


class _Synthetic(ABC):
    def __init__(
        self, size: str | int, *, block_size: int = 512, physical_block_size: int | None = None
    ) -> None:
        """``size``: in bytes or as in `parse_size`. Raises `UsageError` if it cannot be."""
        self.block_size = block_size
        self.blocks = count_blocks(parse_size(size), block_size)
        self.physical_block_size = physical_block(physical_block_size, block_size)

    @abstractmethod
    def read_now(self, lba: int, blocks: int) -> memoryview:
        """See `Abilities.read_now`."""

    async def read(self, lba: int, blocks: int) -> memoryview:
        """See `BlockDevice.read`."""
        await trio.lowlevel.checkpoint()
        return self.read_now(lba, blocks)


class NullDisk(_Synthetic):
    """Reads zeroes and drops what is written: what is left is the cost of the protocol."""

    def read_now(self, lba: int, blocks: int) -> memoryview:
        """See `Abilities.read_now`."""
        return zeroes(blocks * self.block_size)

    def write_now(self, lba: int, data: Buffer) -> bool:
        """See `Abilities.write_now`."""
        return True

    async def write(self, lba: int, data: Buffer) -> None:
        """See `BlockDevice.write`."""
        await trio.lowlevel.checkpoint()

    async def unmap(self, lba: int, blocks: int) -> None:
        """See `Abilities.unmap`."""
        await trio.lowlevel.checkpoint()

    write_zeroes = unmap

    async def extents(self, lba: int, blocks: int) -> list[Extent]:
        """See `Abilities.extents`."""
        await trio.lowlevel.checkpoint()
        return [Extent(lba, blocks, mapped=False)]


class PatternDisk(_Synthetic):
    """Each block is its own address, as 8 bytes (big-endian) again and again. Read-only."""

    read_only = True

    def read_now(self, lba: int, blocks: int) -> memoryview:
        """See `Abilities.read_now`."""
        repeat = self.block_size // 8
        return memoryview(b"".join(n.to_bytes(8, "big") * repeat for n in range(lba, lba + blocks)))

    async def write(self, lba: int, data: Buffer) -> None:
        """Raises `BackendError`."""
        raise BackendError("a pattern disk cannot be written")
