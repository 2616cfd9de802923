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
