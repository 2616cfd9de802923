"""Disks that let a test see and say when they work."""

from __future__ import annotations

import trio

from trioscsi import MemoryDisk
from trioscsi.backends.base import Buffer


class Held:
    """Enters a write and leaves it when the test says so, cancelled or not."""

    block_size = 512
    blocks = 2048

    def __init__(self) -> None:
        self.entered, self.open, self.left = trio.Event(), trio.Event(), trio.Event()

    async def read(self, lba: int, blocks: int) -> bytes:
        return bytes(blocks * self.block_size)

    async def write(self, lba: int, data: Buffer) -> None:
        self.entered.set()
        with trio.CancelScope(shield=True):
            await self.open.wait()
        self.left.set()


class Hanging(MemoryDisk):
    """Hangs where it is told to, as a thread does: it cannot be cancelled, and ends in the end."""

    write_now = read_now = window = None  # type: ignore[assignment]

    def __init__(self, *, lba: int) -> None:
        super().__init__("1MiB")
        self.lba = lba
        self.entered, self.open, self.left = trio.Event(), trio.Event(), trio.Event()

    async def write(self, lba: int, data: Buffer) -> None:
        if lba == self.lba and not self.open.is_set():
            self.entered.set()
            with trio.move_on_after(100, shield=True):  # a test that fails ends all the same
                await self.open.wait()
            self._open(lba, len(data))[:] = data
            self.left.set()
        else:
            await trio.lowlevel.checkpoint()
            self._open(lba, len(data))[:] = data

    async def read(self, lba: int, blocks: int) -> memoryview:
        await trio.lowlevel.checkpoint()
        return self._window(lba * self.block_size, (lba + blocks) * self.block_size)


class Counting(MemoryDisk):
    """Counts what is read at once."""

    def __init__(self) -> None:
        super().__init__("64MiB")
        self.read_bytes = 0

    def read_now(self, lba: int, blocks: int) -> memoryview:
        self.read_bytes += blocks * self.block_size
        return super().read_now(lba, blocks)

    async def read(self, lba: int, blocks: int) -> Buffer:
        self.read_bytes += blocks * self.block_size
        return await super().read(lba, blocks)
