"""Opening the file or block device under a disk: made if wanted, locked, and of a usable size."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import sleep
from typing import TypeVar

from trioscsi.backends.sizes import count_blocks, format_size
from trioscsi.errors import BackendError, UsageError

_BLKPBSZGET = 0x127B  # linux/fs.h

_LOOKS = 200
"""How often a file is tried before it counts as in use."""

_PAUSE = 0.01
"""Seconds from one try to the next."""

T = TypeVar("T")


def open_storage(path: Path, *, size: int | None, block_size: int, read_only: bool) -> int:
    """A descriptor of the file or block device at ``path``, locked.

    With a ``size`` (bytes), a file that is missing or empty gets it. Raises `UsageError` for what
    the caller can put right and `BackendError` for what the system cannot do.
    """
    try:
        if b"\0" in os.fsencode(path):
            raise UsageError("a file name cannot hold a zero byte")
    except UnicodeEncodeError:
        raise UsageError(f"not a file name: {str(path)!r}") from None
    if size is not None:
        count_blocks(size, block_size)
    new = size is not None and not path.exists()
    try:
        flags = _flags(path, create=size is not None, read_only=read_only)
        descriptor = _as_soon_as_unused(partial(os.open, path, flags, 0o666))
    except OSError as error:
        raise _explain(error, path, size, read_only) from error
    try:
        try:
            _as_soon_as_unused(partial(_lock, descriptor, shared=read_only))
        except BlockingIOError:
            raise UsageError(f"{path} is in use: another disk or program has locked it") from None
        if size is not None:
            _apply_size(descriptor, path, size, new=new)
        _check_size(measure(descriptor), path, block_size)
    except OSError as error:
        os.close(descriptor)
        raise _explain(error, path, size, read_only) from error
    except UsageError:
        os.close(descriptor)
        raise
    return descriptor


def measure(descriptor: int) -> int:
    """The bytes of a file or block device. Raises OSError."""
    return os.lseek(descriptor, 0, os.SEEK_END)


def ask_physical_block(descriptor: int) -> int | None:
    """The physical block size that a block device says it has; None for a file."""
    if not stat.S_ISBLK(os.fstat(descriptor).st_mode):
        return None
    try:
        answer = fcntl.ioctl(descriptor, _BLKPBSZGET, bytes(4))
    except OSError:  # another system than Linux
        return None
    return int.from_bytes(answer, sys.byteorder)


def _flags(path: Path, *, create: bool, read_only: bool) -> int:
    mode = path.stat().st_mode if path.exists() else stat.S_IFREG
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise UsageError(f"{path} is neither a file nor a block device")
    if read_only:
        return os.O_RDONLY | os.O_CLOEXEC
    if stat.S_ISBLK(mode):
        # Alone on a block device this is Linux's test that nobody has mounted it.
        return os.O_RDWR | os.O_EXCL | os.O_CLOEXEC
    return os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)


def _as_soon_as_unused(attempt: Callable[[], T]) -> T:
    """What ``attempt`` returns, tried for a while as long as a file is in use.

    What a server that was killed had given to io_uring keeps its files open until that is over.
    Raises OSError.
    """
    for _ in range(_LOOKS):
        try:
            return attempt()
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EWOULDBLOCK):
                raise
        sleep(_PAUSE)
    return attempt()


def _lock(descriptor: int, *, shared: bool) -> None:
    if not lock(descriptor, shared=shared):
        raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock a file (flock) for as long as it is open; False if others have. Raises OSError."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # Some network file systems have no locks; there the user has to take care.
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise
    return True


def _apply_size(descriptor: int, path: Path, size: int, *, new: bool) -> None:
    actual = measure(descriptor)
    if actual == 0:
        try:
            os.ftruncate(descriptor, size)
        except OSError:
            if new:
                path.resolve().unlink()
            raise
        # The file must outlive a loss of power as its contents do: its length and its name.
        os.fsync(descriptor)
        sync_directory(path.absolute().parent)
    elif actual != size:
        raise UsageError(
            f"{path} exists with {format_size(actual)}, not {format_size(size)}: "
            "leave the size away to serve it as it is"
        )


def sync_file(descriptor: int) -> None:
    """Make durable what a file holds. Raises OSError."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: fsync leaves it in the drive's cache
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)


def sync_directory(directory: Path) -> None:
    """Make durable which files there are. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_size(size: int, path: Path, block_size: int) -> None:
    if size == 0:
        raise UsageError(f"{path} is empty: give it a size, such as {path}?size=10GiB")
    try:
        count_blocks(size, block_size)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _explain(
    error: OSError, path: Path, size: int | None, read_only: bool
) -> UsageError | BackendError:
    match error.errno:
        case errno.ENOENT if read_only and path.parent.is_dir():
            return UsageError(f"there is no {path}, and a read-only disk makes none")
        case errno.ENOENT if size is None and path.parent.is_dir():
            return UsageError(
                f"there is no {path}: give a size to make it, such as {path}?size=10GiB"
            )
        case errno.ENOENT | errno.ENOTDIR:
            meant = path.parent / path.readlink() if path.is_symlink() else path
            return UsageError(f"there is no directory {meant.parent}")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return UsageError(f"{path}: {error.strerror}; a read-only disk needs less")
        case errno.EBUSY:
            return UsageError(f"{path} is in use: it is mounted, or part of another device")
        case _:
            return BackendError(f"{path}: {error.strerror}")
