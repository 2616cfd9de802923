"""Buffers that are used again."""

from __future__ import annotations

import mmap
from collections import deque


class Arena:
    """Lends buffers for much data; a buffer is free again when nobody holds a view of it.

    Fresh memory is dear from a few hundred KiB on: the kernel maps and clears it page by page at
    the first touch, each time.  Buffers begin at a page, as files do in the page cache: some
    processors copy four times slower to a place a few bytes further in its page.
    """

    SMALLEST = 16 * 1024
    """Below this many bytes a fresh buffer is as good."""

    def __init__(self, capacity: int = 32 * 2**20) -> None:
        """``capacity``: bytes to keep; what is needed beyond it is fresh."""
        self._room = capacity
        self._lent: dict[int, deque[mmap.mmap]] = {}

    def lend(self, length: int) -> memoryview:
        """A view of ``length`` bytes of any content."""
        if length < self.SMALLEST:
            return memoryview(bytearray(length))
        size = 1 << (length - 1).bit_length()
        lent = self._lent.setdefault(size, deque())
        if lent:
            # The last one may still be in the processor's cache; the first is the likeliest free.
            if _is_free(lent[-1]):
                return memoryview(lent[-1])[:length]
            if _is_free(lent[0]):
                lent.rotate(-1)
                return memoryview(lent[-1])[:length]
        if size > self._room:
            return memoryview(pages(length))
        self._room -= size
        lent.append(pages(size))
        return memoryview(lent[-1])[:length]


def pages(size: int) -> mmap.mmap:
    """So many bytes from the beginning of a page on, which are not the allocator's.

    What is large and kept would keep it from giving back what it has beside that: after a rush,
    tens of MiB.
    """
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _is_free(memory: mmap.mmap) -> bool:
    """Whether nobody holds a view of it."""
    # Memory is resized, were it to the size that it has, only while there are no views of it.
    try:
        memory.resize(len(memory))
    except BufferError:
        return False
    return True
