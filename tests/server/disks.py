"""Disks that let a test see and say when they work."""

from __future__ import annotations

from collections.abc import Callable

import trio

from trioscsi import MemoryDisk
from trioscsi.backends.base import Buffer, Then
from trioscsi.errors import BackendError


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


class Cached(MemoryDisk):
    """Has a cache: a flush ends when the test says so."""

    def __init__(self) -> None:
        super().__init__("1MiB")
        self.flushing, self.open = trio.Event(), trio.Event()

    async def flush(self) -> None:
        self.flushing.set()
        await self.open.wait()


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


class Independent(MemoryDisk):
    """Goes on by itself with what was begun, until it is told to end it."""

    write_now = read_now = window = None  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__("1MiB")
        self.under_way: list[Callable[[], None]] = []
        """What ends them, in the order in which they were begun."""
        self.fault: BackendError | None = None
        """What becomes of those that end."""

    def begin_read(self, lba: int, blocks: int, then: Then) -> Buffer | None:
        buffer = bytearray(blocks * self.block_size)

        def end() -> None:
            if self.fault is None:
                buffer[:] = self._window(lba * self.block_size, (lba + blocks) * self.block_size)
            then(self.fault)

        self.under_way.append(end)
        return buffer

    def begin_write(self, lba: int, data: Buffer, then: Then) -> bool:
        def end() -> None:
            if self.fault is None:
                self._open(lba, len(data))[:] = memoryview(data)
            then(self.fault)

        self.under_way.append(end)
        return True

    def end_all(self) -> None:
        """Let all end that are under way."""
        while self.under_way:
            self.under_way.pop(0)()

    async def write(self, lba: int, data: Buffer) -> None:
        await trio.lowlevel.checkpoint()
        self._open(lba, len(data))[:] = memoryview(data)
