"""Disks around a disk: each changes one thing and has the abilities of the disk below."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import trio

from trioscsi.backends.base import OPTIONAL, WRITING, BlockDevice, Buffer, Later
from trioscsi.errors import BackendError, UsageError

Method: TypeAlias = Callable[..., Any]

CD_BLOCK_SIZE = 2048

NOT_WAITING = ("read_now", "write_now", "window")
PAST_ALL = ("begin_read", "begin_write", "window")
_READING = ("read", "extents")


class Wrapper(BlockDevice):
    """Passes everything on to ``disk``; a subclass says what it puts around which method."""

    read: Callable[[int, int], Later[Buffer]]
    write: Callable[[int, Buffer], Later[None]]

    def __init__(self, disk: Any) -> None:
        self.disk = disk
        # On the instance and not in the class, because a method that is there is a promise.
        for name in ("read", "write", *OPTIONAL):
            # Nothing can stand around memory, or around what goes on by itself: what is put into
            # a window does not pass here.
            method = None if name in PAST_ALL else getattr(disk, name, None)
            if method is not None and (around := self.around(name, method)) is not None:
                setattr(self, name, around)

    def around(self, name: str, method: Method) -> Method | None:
        """What stands in for the method of the disk below; None hides it."""
        return method

    # Always asked below, where a resize changes them.
    @property
    def block_size(self) -> int:  # type: ignore[override]
        """Bytes in a block."""
        return int(self.disk.block_size)

    @property
    def blocks(self) -> int:  # type: ignore[override]
        """The capacity, in blocks."""
        return int(self.disk.blocks)

    @property
    def physical_block_size(self) -> int | None:
        """Bytes that storage writes at once, if the disk says."""
        size: int | None = getattr(self.disk, "physical_block_size", None)
        return size

    @property
    def read_only(self) -> bool:
        """Whether the disk is write-protected."""
        return bool(getattr(self.disk, "read_only", False))

    @property
    def optical(self) -> bool:
        """Whether initiators are to see a CD-ROM."""
        return bool(getattr(self.disk, "optical", False))

    @property
    def granularity(self) -> int:
        """Bytes of the pieces in which space is given back."""
        return int(getattr(self.disk, "granularity", 0))


class ReadOnly(Wrapper):
    """Write-protects a disk."""

    read_only = True

    def around(self, name: str, method: Method) -> Method | None:
        """Writing fails, and the other ways to write are not there."""
        if name == "write":
            return _refuse
        return None if name in (*WRITING, "resize") else method


async def _refuse(*_: object) -> None:
    raise BackendError("the disk is read-only")


class Gone(Wrapper):
    """What is left of a disk that was taken away: whatever is done with its blocks fails."""

    def around(self, name: str, method: Method) -> Method | None:
        """What needs no blocks to end is still there."""
        if name in ("close", "abandon"):
            return method
        used = name in ("read", "write", "flush", "extents", *WRITING) and name not in NOT_WAITING
        return _miss if used else None


async def _miss(*_: object) -> None:
    raise BackendError("the disk was taken away")


class WriteThrough(Wrapper):
    """Makes each write durable before it returns: a disk whose cache is switched off."""

    def around(self, name: str, method: Method) -> Method | None:
        """The same and a flush, where there is one. What would not wait is hidden."""
        flush = getattr(self.disk, "flush", None)
        if flush is None or name not in ("write", *WRITING):
            return method
        if name in NOT_WAITING:
            return None

        async def through(*args: Any) -> Any:
            result = await method(*args)
            await flush()
            return result

        return through


class CdRom(ReadOnly):
    """Makes a disk of 2048-byte blocks the disc of a CD-ROM."""

    optical = True

    def __init__(self, disk: BlockDevice) -> None:
        """Raises `UsageError` if the blocks are of another size."""
        if disk.block_size != CD_BLOCK_SIZE:
            raise UsageError(f"a CD-ROM has blocks of {CD_BLOCK_SIZE} bytes, not {disk.block_size}")
        super().__init__(disk)


class Slow(Wrapper):
    """Makes a disk wait before it does something (milliseconds, on trio's clock)."""

    def __init__(
        self,
        disk: BlockDevice,
        *,
        read_ms: float = 0,
        write_ms: float = 0,
        flush_ms: float = 0,
    ) -> None:
        """``write_ms`` delays everything that changes the disk."""
        self._seconds = dict.fromkeys(("write", *WRITING), write_ms / 1000)
        self._seconds |= dict.fromkeys(_READING, read_ms / 1000)
        self._seconds["flush"] = flush_ms / 1000
        super().__init__(disk)

    def around(self, name: str, method: Method) -> Method | None:
        """The same, later. What would not wait is hidden."""
        if name in NOT_WAITING:
            return None
        seconds = self._seconds.get(name)
        if seconds is None:
            return method

        async def later(*args: Any) -> Any:
            await trio.sleep(seconds)
            return await method(*args)

        return later


class Failing(Wrapper):
    """Makes a disk fail where it is told to, the same way each time.

    ``read`` and ``write`` are ranges of LBAs: an operation that touches one fails. ``write``
    counts for everything that changes the disk. The first ``after`` operations that would have
    failed succeed.
    """

    def __init__(
        self,
        disk: BlockDevice,
        *,
        read: Iterable[range] = (),
        write: Iterable[range] = (),
        flush: bool = False,
        after: int = 0,
    ) -> None:
        self._ranges = dict.fromkeys(_READING, tuple(read))
        self._ranges |= dict.fromkeys(("write", *WRITING), tuple(write))
        self._flush = flush
        self._patience = after
        super().__init__(disk)

    def around(self, name: str, method: Method) -> Method | None:
        """The same, or an error. What would not pass here is hidden."""
        if name in NOT_WAITING:
            return None
        if name not in self._ranges and name != "flush":
            return method

        async def perhaps(*args: Any) -> Any:
            bad = None if name == "flush" else self._bad(name, *args)
            if bad is not None or (name == "flush" and self._flush):
                if not self._patience:
                    raise BackendError(f"{name} fails, as it was told to", lba=bad)
                self._patience -= 1
            return await method(*args)

        return perhaps

    def _bad(self, name: str, lba: int, what: int | Buffer, *_: Any) -> int | None:
        """The first block of an operation that is to fail."""
        blocks = what if isinstance(what, int) else len(what) // self.block_size
        touched = range(lba, lba + blocks)
        found = [(max(bad.start, lba), bad) for bad in self._ranges[name]]
        return min(
            (first for first, bad in found if first in bad and first in touched), default=None
        )
