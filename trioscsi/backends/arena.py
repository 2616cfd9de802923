"""Buffers that are used again."""

from __future__ import annotations

from collections import deque


class Arena:
    """Lends buffers for large reads; a buffer is free again when nobody holds a view of it.

    Fresh memory is dear from a few hundred KiB on: the kernel maps and clears it page by page at
    the first touch, each time.
    """

    SMALLEST = 16 * 1024
    """Below this many bytes a fresh buffer is as good."""

    def __init__(self, capacity: int = 32 * 2**20) -> None:
        """``capacity``: bytes to keep; what is needed beyond it is fresh."""
        self._room = capacity
        self._lent: dict[int, deque[bytearray]] = {}

    def lend(self, length: int) -> memoryview:
        """A view of ``length`` bytes of any content."""
        if length < self.SMALLEST:
            return memoryview(bytearray(length))
        size = 1 << (length - 1).bit_length()
        lent = self._lent.setdefault(size, deque())
        if lent and _is_free(lent[0]):
            lent.rotate(-1)
            return memoryview(lent[-1])[:length]
        if size > self._room:
            return memoryview(bytearray(length))
        self._room -= size
        lent.append(bytearray(size))
        return memoryview(lent[-1])[:length]


def _is_free(buffer: bytearray) -> bool:
    # A bytearray refuses to change its size while there are views of it, and only then.
    try:
        buffer.append(buffer.pop())
    except BufferError:
        return False
    return True
