"""Holes: the parts of a file that take no space and read as zeroes."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator

from trioscsi.backends.base import Extent, Space

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_ZEROES = memoryview(bytes(2**24))  # never touched by a write, so it takes no memory
_PIECE = 2**20
_NO_HOLES = (errno.EOPNOTSUPP, errno.EINVAL)  # EINVAL: a device with larger sectors than ours
_MOST_EXTENTS = 1000
_ST_BLOCK = 512  # bytes that st_blocks counts, whatever the file system


def _find_fallocate() -> Callable[[int, int, int, int], int] | None:
    # The standard library has posix_fallocate only, which cannot punch holes.
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    fallocate = getattr(libc, "fallocate64", None) or libc.fallocate
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    fallocate.restype = ctypes.c_int
    return fallocate


_fallocate = _find_fallocate()


def zeroes(length: int) -> memoryview:
    """That many zero bytes, as a rule without making them."""
    return _ZEROES[:length] if length <= len(_ZEROES) else memoryview(bytes(length))


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """Turn ``length`` bytes into zeroes, and into a hole where the file system has holes.

    Raises OSError.
    """
    if _fallocate is not None:
        while _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, offset, length):
            code = ctypes.get_errno()
            if code in _NO_HOLES:
                break
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))
        else:
            return
    write_fully(descriptor, _pieces_of_zeroes(length), offset)


def _pieces_of_zeroes(length: int) -> Iterator[memoryview]:
    for start in range(0, length, _PIECE):
        yield _ZEROES[: min(_PIECE, length - start)]


def write_fully(descriptor: int, pieces: Iterable[memoryview], offset: int) -> None:
    """Write the pieces one after the other from ``offset`` on. Raises OSError."""
    for piece in pieces:
        rest = piece
        while rest:
            written = os.pwritev(descriptor, [rest], offset)
            rest, offset = rest[written:], offset + written


def find_extents(descriptor: int, lba: int, blocks: int, block_size: int) -> list[Extent]:
    """What a file stores of a range of blocks; at most the first thousand runs. Raises OSError.

    A block that is stored in part counts as stored.
    """
    found: list[Extent] = []
    end = lba + blocks
    for start, stop in _data_runs(descriptor, lba * block_size, end * block_size):
        first, last = max(start // block_size, lba), -(-stop // block_size)
        if first > lba:
            found.append(Extent(lba, first - lba, mapped=False))
        if last > first:
            found.append(Extent(first, last - first, mapped=True))
            lba = last
        if len(found) >= _MOST_EXTENTS:
            return found
    if lba < end:
        found.append(Extent(lba, end - lba, mapped=False))
    return found


def space_of(descriptor: int, *, shared: bool) -> Space:
    """What a file takes of its file system, and what that has left, if it is shared with others.

    Raises OSError.
    """
    used = os.fstat(descriptor).st_blocks * _ST_BLOCK
    if not shared:
        return Space(used, None)
    system = os.fstatvfs(descriptor)
    return Space(used, system.f_bavail * system.f_frsize)


def _data_runs(descriptor: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        try:
            start = os.lseek(descriptor, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.EINVAL:  # a block device, which does not know
                yield start, end
            elif error.errno != errno.ENXIO:  # a hole up to the end of the file
                raise
            else:
                _check_length(descriptor, end)
            return
        if start < end:
            stop = min(os.lseek(descriptor, start, os.SEEK_HOLE), end)
            yield start, stop
            start = stop


def _check_length(descriptor: int, end: int) -> None:
    """What is missing of a file that somebody has cut off is no hole: it was not all zeroes."""
    length = os.fstat(descriptor).st_size
    if length < end:
        raise cut_off(length)


def cut_off(length: int) -> OSError:
    """The error of a file that is only so many bytes long by now."""
    return OSError(errno.EIO, f"the file has been cut off at byte {length}")
