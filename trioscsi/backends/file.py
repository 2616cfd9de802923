"""A disk in a file, or on a block device."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from trioscsi.backends.arena import Arena
from trioscsi.backends.base import Buffer, Extent, Later, Space, Then
from trioscsi.backends.journal import Beside, Journal, Opened
from trioscsi.backends.opening import ask_physical_block, measure, open_storage, sync_file
from trioscsi.backends.sizes import parse_size, physical_block
from trioscsi.backends.sparse import cut_off, find_extents, punch_hole, space_of, write_fully
from trioscsi.backends.threads import Threads
from trioscsi.backends.uring import Uring, open_uring
from trioscsi.errors import BackendError, UsageError

_JOURNAL = ".journal"  # what is added to a file's name
_THREADS = 16  # calls of one disk that wait in threads at the same time

# How to try a transfer without waiting: as flags of preadv and pwritev, or not at all.
_PLAIN = 0
_NO_WAIT: int | None = getattr(os, "RWF_NOWAIT", None)


class FileDisk:
    """A disk in a file or on a block device: sparse, and durable when `flush` has returned.

    Reads that the page cache can answer are answered at once; whatever has to wait for the device
    is left to the kernel (io_uring), or to a thread where there is no such thing. The file is
    locked (flock) against a second server, and against a second disk in this one, for as long as
    the disk is open; read-only disks can share it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        size: str | int | None = None,
        block_size: int = 512,
        physical_block_size: int | None = None,
        read_only: bool = False,
    ) -> None:
        """With a ``size`` (see `parse_size`), a file that is missing or empty is made that long.

        Without ``physical_block_size`` it is what the block device says, or a page for a file.

        Raises `UsageError` if the file is missing, in use, not permitted, of another size or not
        a whole number of blocks, and `BackendError` if the system fails.
        """
        # What cannot be is said before a file is made.
        physical = physical_block_size and physical_block(physical_block_size, block_size)
        self.block_size = block_size
        self.read_only = read_only
        self._descriptor = open_storage(
            Path(path),
            size=None if size is None else parse_size(size),
            block_size=block_size,
            read_only=read_only,
        )
        self._let_go = weakref.finalize(self, os.close, self._descriptor)
        self.blocks = measure(self._descriptor) // block_size
        self.physical_block_size = physical or max(
            ask_physical_block(self._descriptor) or physical_block(None, block_size), block_size
        )
        self.granularity = max(os.fstat(self._descriptor).st_blksize, block_size)
        self._name = os.fspath(path)
        self._threads = Threads(self._name, width=_THREADS)
        self._writers = Threads(self._name, width=_THREADS, quick=True)
        self._uring: Uring | None = None
        self._has_looked_for_uring = False
        self._arena = Arena()
        self._read_flags = self._write_flags = (
            _PLAIN if _is_in_memory(self._descriptor) else _NO_WAIT
        )
        self._flush_failed = False
        self._order = trio.Lock()
        try:
            self._journal = _find_journal(Path(path).resolve(), self._descriptor, read_only)
        except OSError as error:
            raise BackendError(f"{path}: its journal: {error.strerror}") from error

    def read_now(self, lba: int, blocks: int) -> memoryview | None:
        """See `Abilities.read_now`: None if the page cache has not all of it."""
        if self._read_flags is None:
            return None
        buffer = self._arena.lend(blocks * self.block_size)
        try:
            count = os.preadv(self._descriptor, [buffer], lba * self.block_size, self._read_flags)
        except OSError as error:  # a real one comes again in the thread
            if error.errno == errno.EOPNOTSUPP:
                self._read_flags = None
            return None
        return buffer if count == len(buffer) else None

    def write_now(self, lba: int, data: Buffer) -> bool:
        """See `Abilities.write_now`: few file systems can."""
        if self._write_flags is None:
            return False
        try:
            count = os.pwritev(self._descriptor, [data], lba * self.block_size, self._write_flags)
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                self._write_flags = None
            return False
        return count == len(data)

    async def read(self, lba: int, blocks: int) -> memoryview:
        """See `BlockDevice.read`."""
        buffer = self._arena.lend(blocks * self.block_size)
        if (uring := self._find_uring()) is not None:
            await uring.read(self._descriptor, buffer, lba * self.block_size)
        else:
            await self._run(_read_fully, buffer, lba * self.block_size)
        return buffer

    async def write(self, lba: int, data: Buffer) -> None:
        """See `BlockDevice.write`."""
        if (uring := self._find_uring()) is not None:
            await uring.write(self._descriptor, data, lba * self.block_size)
        else:
            offset = lba * self.block_size
            await self._writers.run(write_fully, self._descriptor, [memoryview(data)], offset)

    def begin_read(self, lba: int, blocks: int, then: Then) -> memoryview:
        """See `Abilities.begin_read`."""
        buffer, offset = self._arena.lend(blocks * self.block_size), lba * self.block_size
        if (uring := self._find_uring()) is not None:
            uring.begin_read(self._descriptor, buffer, offset, then)
        else:
            self._threads.begin(then, _read_fully, self._descriptor, buffer, offset)
        return buffer

    def begin_write(self, lba: int, data: Buffer, then: Then) -> bool:
        """See `Abilities.begin_write`."""
        offset = lba * self.block_size
        if (uring := self._find_uring()) is not None:
            uring.begin_write(self._descriptor, data, offset, then)
        else:
            pieces = [memoryview(data)]
            self._writers.begin(then, write_fully, self._descriptor, pieces, offset)
        return True

    async def flush(self) -> None:
        """See `Abilities.flush`. Once it has failed it fails for good.

        The kernel forgets what it could not write: a second, successful attempt would be a lie.
        """
        if self._flush_failed:
            raise BackendError("an earlier flush failed, and what it lost cannot be known")
        try:
            if (uring := self._find_uring()) is not None:
                await uring.sync(self._descriptor)
            else:
                await self._run(sync_file)
            if self._journal is not None:
                await self._threads.run(self._journal.settle)
        except BackendError:
            self._flush_failed = True
            raise

    @property
    def write_atomic(self) -> Callable[[int, Buffer], Later[None]]:
        """See `Abilities.write_atomic`: not there where no journal can be kept."""
        journal = self._journal
        if journal is None:
            raise AttributeError("no journal can be kept")

        async def write_atomic(lba: int, data: Buffer) -> None:
            async with self._order:
                await self._threads.run(journal.write, lba * self.block_size, data)

        return write_atomic

    async def unmap(self, lba: int, blocks: int) -> None:
        """See `Abilities.unmap`."""
        await self._run(punch_hole, lba * self.block_size, blocks * self.block_size)

    write_zeroes = unmap

    async def extents(self, lba: int, blocks: int) -> list[Extent]:
        """See `Abilities.extents`."""
        return await self._threads.run(find_extents, self._descriptor, lba, blocks, self.block_size)

    async def space(self) -> Space:
        """See `Abilities.space`: a file takes its part of a file system."""
        return await self._threads.run(partial(space_of, self._descriptor, shared=True))

    async def resize(self, blocks: int) -> None:
        """See `Abilities.resize`: files only."""
        await self._run(os.ftruncate, blocks * self.block_size)
        self.blocks = blocks

    async def measure(self) -> int:
        """See `Abilities.measure`: the file or device may have grown."""
        blocks = await self._threads.run(measure, self._descriptor) // self.block_size
        self.blocks = blocks or self.blocks
        return blocks

    def abandon(self) -> None:
        """See `Abilities.abandon`."""
        self._threads.abandon()
        self._writers.abandon()
        if self._uring is not None:
            self._uring.abandon()

    async def close(self) -> None:
        """See `Abilities.close`. What was not flushed is left to the system, as on a power loss."""
        self._read_flags = self._write_flags = None
        self._has_looked_for_uring = True
        if self._uring is not None:
            await self._uring.close(self._close_threads)
        else:
            await self._close_threads()

    async def _close_threads(self) -> None:
        await self._writers.close()
        if not self._writers.given_up:
            await self._threads.close(self._end)

    def _end(self) -> None:
        try:
            if self._journal is not None:
                self._journal.remove()
        finally:
            self._let_go()

    def _find_uring(self) -> Uring | None:
        """Where transfers wait, or None for threads; not needed before one has to wait."""
        if not self._has_looked_for_uring:
            self._has_looked_for_uring = True
            self._uring = open_uring(self._name)
        return self._uring

    async def _run(self, call: Callable[..., object], *args: object) -> None:
        await self._threads.run(call, self._descriptor, *args)


def _find_journal(path: Path, descriptor: int, read_only: bool) -> Journal | None:
    """The journal of a file that is written, once what is in it has been undone.

    None for a block device and in a folder of others, where none can be kept.
    """
    if not path.is_file():
        return None
    beside = path.with_name(path.name + _JOURNAL)
    journal = Journal(Beside(beside, read_only=read_only), Opened(descriptor))
    if read_only:
        if journal.is_torn():
            raise UsageError(f"{path} was left in the midst of a write: open it once for writing")
        return None
    journal.recover()
    return journal if os.access(path.parent, os.W_OK) else None


def _read_fully(descriptor: int, buffer: memoryview, offset: int) -> None:
    while buffer:
        count = os.preadv(descriptor, [buffer], offset)
        if not count:
            raise cut_off(offset)
        buffer, offset = buffer[count:], offset + count


def _is_in_memory(descriptor: int) -> bool:
    """Whether the file lives in a file system without a device, where nothing ever waits."""
    device = os.fstat(descriptor).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    # Fields as in proc(5): the device is the third, the type follows a lone hyphen.
    return any(
        mount.split()[2] == number and mount.partition(" - ")[2].split()[0] in ("tmpfs", "ramfs")
        for mount in mounts
    )
