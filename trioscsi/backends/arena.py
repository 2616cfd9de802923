"""Buffers that are used again."""

from __future__ import annotations

import ctypes
import mmap
from collections import deque


class Arena:
    """Lends buffers for large reads; a buffer is free again when nobody holds a view of it.

    Fresh memory is dear from a few hundred KiB on: the kernel maps and clears it page by page at
    the first touch, each time.  Buffers begin at a page, as files do in the page cache: some
    processors copy four times slower to a place a few bytes further in its page.
    """

    SMALLEST = 16 * 1024
    """Below this many bytes a fresh buffer is as good."""

    def __init__(self, capacity: int = 32 * 2**20) -> None:
        """``capacity``: bytes to keep; what is needed beyond it is fresh."""
        self._room = capacity
        self._lent: dict[int, deque[_Buffer]] = {}

    def lend(self, length: int) -> memoryview:
        """A view of ``length`` bytes of any content."""
        if length < self.SMALLEST:
            return memoryview(bytearray(length))
        size = 1 << (length - 1).bit_length()
        lent = self._lent.setdefault(size, deque())
        if lent:
            # The last one may still be in the processor's cache; the first is the likeliest free.
            if lent[-1].is_free:
                return lent[-1].view(length)
            if lent[0].is_free:
                lent.rotate(-1)
                return lent[-1].view(length)
        if size > self._room:
            return _Buffer(length).view(length)
        self._room -= size
        lent.append(_Buffer(size))
        return lent[-1].view(length)


class _Buffer:
    """So many bytes from the beginning of a page on."""

    __slots__ = ("_bytes", "_start")

    def __init__(self, size: int) -> None:
        self._bytes = bytearray(size + mmap.PAGESIZE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._bytes))
        self._start = -address % mmap.PAGESIZE

    def view(self, length: int) -> memoryview:
        """The first bytes of it."""
        return memoryview(self._bytes)[self._start : self._start + length]

    @property
    def is_free(self) -> bool:
        """Whether nobody holds a view."""
        # A bytearray refuses to change its size while there are views of it, and only then.
        try:
            self._bytes.append(self._bytes.pop())
        except BufferError:
            return False
        return True
