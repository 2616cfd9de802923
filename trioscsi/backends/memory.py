"""A disk in memory."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from contextlib import suppress

import trio

from trioscsi.backends.base import Buffer, Extent, Space
from trioscsi.backends.sizes import count_blocks, parse_size, physical_block
from trioscsi.backends.sparse import find_extents, punch_hole, space_of, zeroes
from trioscsi.difference import first_difference
from trioscsi.errors import BackendError

_CHUNK = 18  # bits of an offset within a chunk; what was written is known by chunks of 256 KiB
_AT_ONCE = 16 * 2**20  # bytes zeroed before the other tasks get their turn: a few milliseconds


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("trioscsi")
    with tempfile.TemporaryFile() as file:  # macOS: the page cache is memory too
        return os.dup(file.fileno())


class MemoryDisk:
    """A disk in memory: sparse, gone when it is closed, and nothing ever waits for it.

    Memory is taken when a block is first written, or read within a chunk that holds something: to
    know by pages what is there would cost every read. Reads hand out views of the memory itself:
    they cost no copy and show later writes.
    """

    granularity = mmap.PAGESIZE

    def __init__(
        self, size: str | int, *, block_size: int = 512, physical_block_size: int | None = None
    ) -> None:
        """``size``: in bytes or as in `parse_size`. Raises `UsageError` if it cannot be."""
        size = parse_size(size)
        self.block_size = block_size
        self.blocks = count_blocks(size, block_size)
        self.physical_block_size = physical_block(physical_block_size, block_size)
        self._written: set[int] = set()  # the chunks that may hold something
        self._descriptor = _anonymous_file()
        self._let_go = weakref.finalize(self, os.close, self._descriptor)
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
        end = start + blocks * self.block_size
        window = self._window(start, end)
        first, written = start >> _CHUNK, self._written
        if first in written or not written.isdisjoint(range(first + 1, (end - 1 >> _CHUNK) + 1)):
            return window
        # Reading a page of the map takes memory for it: what was never written is read elsewhere.
        return zeroes(end - start)

    def write_now(self, lba: int, data: Buffer) -> bool:
        """See `Abilities.write_now`."""
        # Data that came through `window` cost nothing here: they are moved to where they are.
        self._open(lba, len(data))[:] = data
        return True

    def window(self, lba: int, blocks: int) -> memoryview:
        """See `Abilities.window`."""
        return self._open(lba, blocks * self.block_size)

    def _open(self, lba: int, length: int) -> memoryview:
        """Memory that will hold something from now on."""
        start = lba * self.block_size
        end = start + length
        window = self._window(start, end)
        first, last = start >> _CHUNK, end - 1 >> _CHUNK
        if first == last:
            self._written.add(first)
        else:
            self._written.update(range(first, last + 1))
        return window

    def _window(self, start: int, end: int) -> memoryview:
        try:
            return self._view[start:end]
        except ValueError:  # the view has been released
            raise BackendError("the memory disk is closed") from None

    def _open_descriptor(self) -> int:
        self._window(0, 0)
        return self._descriptor

    async def read(self, lba: int, blocks: int) -> memoryview:
        """See `BlockDevice.read`."""
        await trio.lowlevel.checkpoint()
        return self.read_now(lba, blocks)

    async def write(self, lba: int, data: Buffer) -> None:
        """See `BlockDevice.write`."""
        await trio.lowlevel.checkpoint()
        self.write_now(lba, data)

    write_atomic = write  # nothing can come in between, and nothing outlives the program

    async def unmap(self, lba: int, blocks: int) -> None:
        """See `Abilities.unmap`."""
        end = lba + blocks
        step = _AT_ONCE // self.block_size
        for first in range(lba, end, step):
            await trio.lowlevel.checkpoint()
            self._punch(first, min(step, end - first))

    write_zeroes = unmap

    def _punch(self, lba: int, blocks: int) -> None:
        start = lba * self.block_size
        end = start + blocks * self.block_size
        punch_hole(self._open_descriptor(), start, end - start)
        self._written.difference_update(range(-(-start >> _CHUNK), end >> _CHUNK))

    async def extents(self, lba: int, blocks: int) -> list[Extent]:
        """See `Abilities.extents`."""
        await trio.lowlevel.checkpoint()
        return find_extents(self._open_descriptor(), lba, blocks, self.block_size)

    async def space(self) -> Space:
        """See `Abilities.space`; `Thin` is there for those who want a limit."""
        await trio.lowlevel.checkpoint()
        return space_of(self._open_descriptor(), shared=False)

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
        self._let_go()
        await trio.lowlevel.checkpoint()
