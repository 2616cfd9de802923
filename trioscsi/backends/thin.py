"""A limit to what a thinly provisioned disk may take."""

from __future__ import annotations

from typing import Any

import trio

from trioscsi.backends.base import Abilities, BlockDevice, Buffer, Extent, Space
from trioscsi.backends.sizes import format_size, parse_size
from trioscsi.backends.wrappers import Method, Wrapper
from trioscsi.errors import OutOfSpace, UsageError

_AT_ONCE = 65_536  # slices looked at before the other tasks get their turn


class Thin(Wrapper):
    """A disk that may take ``pool`` bytes of the room that its size promises, and no more.

    Room is taken in slices of 64 KiB: a write to a slice that was never written takes one, an
    unmap of a whole slice gives it back. A write that needs more than there are raises
    `OutOfSpace`, and nothing of it is written. What the disk holds already counts too.
    """

    SLICE = 65_536
    granularity = SLICE

    def __init__(self, disk: BlockDevice, *, pool: str | int) -> None:
        """``pool``: see `parse_size`. Raises `UsageError` for a disk that cannot unmap."""
        if not Abilities.of(disk).thin:
            raise UsageError("a disk that gives no space back cannot be thin")
        self._pool = parse_size(pool)
        self._per_slice = self.SLICE // disk.block_size
        self._taken: set[int] = set()
        self._counted = getattr(disk, "extents", None) is None
        self._counting = trio.Lock()
        self._space_below = Abilities.of(disk).space
        super().__init__(disk)

    def around(self, name: str, method: Method) -> Method | None:
        """Whatever writes asks for room first; zeroes need none, as unmapped blocks are zeroes."""
        match name:
            case "write" | "write_atomic" | "compare_and_write":
                return self._limited(method)
            case "write_now":
                return self._limited_now(method)
            case "unmap" | "write_zeroes":
                return self._unmap
            case "resize":
                return self._resizing(method)
            case "space":
                return None
            case _:
                return method

    async def space(self) -> Space:
        """See `Abilities.space`: what is left of the pool."""
        await self._count()
        used = len(self._taken) * self.SLICE
        free = max(self._pool - used, 0)
        below = None if self._space_below is None else (await self._space_below()).free
        return Space(used, free if below is None else min(free, below))

    def _limited(self, method: Method) -> Method:
        async def limited(lba: int, data: Buffer, *more: Buffer) -> Any:
            await self._count()
            self._take(lba, len(data))
            return await method(lba, data, *more)

        return limited

    def _limited_now(self, method: Method) -> Method:
        def limited(lba: int, data: Buffer) -> Any:
            if not self._counted:
                return False
            self._take(lba, len(data))
            return method(lba, data)

        return limited

    async def _unmap(self, lba: int, blocks: int) -> None:
        await self._count()
        # Before the disk is asked: a write that comes meanwhile must find that it needs room.
        end = lba + blocks
        last = self._slices(end) if end == self.blocks else end // self._per_slice
        self._give_back(range(self._slices(lba), last))
        await self.disk.unmap(lba, blocks)

    def _resizing(self, method: Method) -> Method:
        async def resize(blocks: int) -> None:
            await self._count()
            self._give_back(range(self._slices(blocks), self._slices(self.blocks)))
            await method(blocks)

        return resize

    def _slices(self, blocks: int) -> int:
        """How many slices so many blocks fill, the last one perhaps in part."""
        return -(-blocks // self._per_slice)

    def _give_back(self, slices: range) -> None:
        if len(slices) < len(self._taken):
            self._taken.difference_update(slices)
        else:
            self._taken -= {taken for taken in self._taken if taken in slices}

    def _take(self, lba: int, length: int) -> None:
        end = lba + length // self.block_size
        needed = range(lba // self._per_slice, self._slices(end))
        new = [each for each in needed if each not in self._taken]
        if (len(self._taken) + len(new)) * self.SLICE > self._pool:
            raise OutOfSpace(f"a pool of {format_size(self._pool)} is full")
        self._taken.update(new)

    async def _count(self) -> None:
        """What the disk holds from before: known when it is first needed."""
        if self._counted:
            return
        async with self._counting:
            lba = 0
            while not self._counted and lba < self.blocks:
                for extent in await self.disk.extents(lba, self.blocks - lba):
                    lba = await self._add(extent)
            self._counted = True

    async def _add(self, extent: Extent) -> int:
        end = extent.lba + extent.blocks
        if extent.mapped:
            slices = range(extent.lba // self._per_slice, self._slices(end))
            for first in range(0, len(slices), _AT_ONCE):
                self._taken.update(slices[first : first + _AT_ONCE])
                await trio.lowlevel.checkpoint()
        return end
