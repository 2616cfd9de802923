"""A disk in memory."""

from __future__ import annotations

import mmap
import os
import tempfile
from contextlib import suppress

import trio

from trioscsi.backends.base import Buffer, Extent, first_difference
from trioscsi.backends.sizes import count_blocks, parse_size
from trioscsi.backends.sparse import find_extents, punch_hole
from trioscsi.errors import BackendError

_AT_ONCE = 16 * 2**20  # bytes zeroed before the other tasks get their turn: a few milliseconds


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("trioscsi")
    with tempfile.TemporaryFile() as file:  # macOS: the page cache is memory too
        return os.dup(file.fileno())


class MemoryDisk:
    """A disk in memory: sparse, gone when it is closed, and nothing ever waits for it.

    Memory is taken when a block is first written. Reads hand out views of the memory itself: they
    cost no copy and show later writes.
    """

    def __init__(self, size: str | int, *, block_size: int = 512) -> None:
        """``size``: in bytes or as in `parse_size`. Raises `UsageError` if it cannot be."""
        size = parse_size(size)
        self.block_size = block_size
        self.blocks = count_blocks(size, block_size)
        self._descriptor = _anonymous_file()
        self._map(size)

    def _map(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
            self._memory = mmap.mmap(self._descriptor, size)
        except OSError as error:
            raise BackendError(f"no memory for a disk of {size} bytes: {error.strerror}") from error
        self._view = memoryview(self._memory)

    def read_now(self, lba: int, blocks: int) -> memoryview:
        """See `Abilities.read_now`."""
        start = lba * self.block_size
        try:
            return self._view[start : start + blocks * self.block_size]
        except ValueError:  # the view has been released
            raise BackendError("the memory disk is closed") from None

    def write_now(self, lba: int, data: Buffer) -> bool:
        """See `Abilities.write_now`."""
        self.read_now(lba, len(data) // self.block_size)[:] = data
        return True

    async def read(self, lba: int, blocks: int) -> memoryview:
        """See `BlockDevice.read`."""
        await trio.lowlevel.checkpoint()
        return self.read_now(lba, blocks)

    async def write(self, lba: int, data: Buffer) -> None:
        """See `BlockDevice.write`."""
        await trio.lowlevel.checkpoint()
        self.write_now(lba, data)

    async def unmap(self, lba: int, blocks: int) -> None:
        """See `Abilities.unmap`."""
        end = lba + blocks
        step = _AT_ONCE // self.block_size
        for first in range(lba, end, step):
            await trio.lowlevel.checkpoint()
            self.read_now(first, 0)  # is it still open?
            self._punch(first, min(step, end - first))

    write_zeroes = unmap

    def _punch(self, lba: int, blocks: int) -> None:
        punch_hole(self._descriptor, lba * self.block_size, blocks * self.block_size)

    async def extents(self, lba: int, blocks: int) -> list[Extent]:
        """See `Abilities.extents`."""
        await trio.lowlevel.checkpoint()
        self.read_now(lba, 0)
        return find_extents(self._descriptor, lba, blocks, self.block_size)

    async def compare_and_write(self, lba: int, expected: Buffer, data: Buffer) -> int | None:
        """See `Abilities.compare_and_write`."""
        await trio.lowlevel.checkpoint()
        offset = first_difference(self.read_now(lba, len(data) // self.block_size), expected)
        if offset is None:
            self.write_now(lba, data)
        return offset

    async def resize(self, blocks: int) -> None:
        """See `Abilities.resize`."""
        await trio.lowlevel.checkpoint()
        self.read_now(0, 0)
        if blocks < self.blocks:
            # The file keeps its length: a view that is still held must not lose its pages.
            self._punch(blocks, self.blocks - blocks)
        elif blocks * self.block_size > len(self._memory):
            self._map(blocks * self.block_size)
        self.blocks = blocks

    async def close(self) -> None:
        """See `Abilities.close`. Views that are still held keep the memory, not the disk."""
        self._view.release()
        with suppress(BufferError):
            self._memory.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        await trio.lowlevel.checkpoint()
