"""Linux's io_uring, as far as a disk needs it: a queue to the kernel, and one back.

Both are memory that is shared with the kernel, so no library is needed. Only x86-64 has it here:
other processors may show what the kernel has written in another order than it was written in,
unless they are told otherwise, which Python cannot do.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import sys
import weakref
from collections.abc import Iterator
from struct import Struct

from trioscsi.backends.base import Buffer

# What the kernel can be asked to do. All numbers here are those of linux/io_uring.h.
FSYNC, READ, WRITE = 3, 22, 23
DATASYNC = 1
"""The flag that makes an fsync an fdatasync."""
LONGEST = 2**30
"""Bytes that one operation moves; the kernel leaves off what is beyond twice that."""

_SETUP, _ENTER = 425, 426  # the system calls
# Places of both queues and features, then where the parts of each queue are.
_PARAMETERS = Struct("=2I 12x I 16x 3I 12x I 12x 3I 8x I 16x")
_FLAGS = Struct("=8x I")
_COOPERATE = 1 << 8
"""The flag (Linux 5.19) to wait with results for our next system call, and not to interrupt us."""
_NEEDED = 1 << 9 | 0b1011  # workers that are threads of ours (Linux 5.12), and what came before
_ENTRIES_AT = 0x10000000  # of the descriptor; both queues are at 0
_ENTRY = Struct("=BBHiQQIIQ24x")
_RESULT = Struct("=Qi4x")
_WORD, _WORDS = 4, 2**32

_View = ctypes.c_void_p * 10  # a Py_buffer: first the address, then what others need
_get_view = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_int)(
    ("PyObject_GetBuffer", ctypes.pythonapi)
)
_release_view = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("PyBuffer_Release", ctypes.pythonapi))


class Pinned:
    """A buffer that stays where it is until `release`, whoever else lets go of it."""

    __slots__ = ("_view", "address")

    def __init__(self, buffer: Buffer) -> None:
        self._view = _View()
        _get_view(buffer, ctypes.addressof(self._view), 0)
        self.address: int = self._view[0] or 0

    def release(self) -> None:
        """Nobody uses the address any more."""
        _release_view(ctypes.addressof(self._view))


class Ring:
    """Operations that the kernel carries out while we do something else.

    ``descriptor`` is readable as long as results wait to be taken.
    """

    def __init__(self, places: int) -> None:
        """``places``, a power of two: how many operations may be under way.

        Raises OSError where io_uring is not there, or not for us.
        """
        if sys.platform != "linux" or platform.machine() != "x86_64":
            raise OSError(errno.ENOSYS, "not on this system")
        block = ctypes.create_string_buffer(_PARAMETERS.size)
        try:
            _FLAGS.pack_into(block, 0, _COOPERATE)
            self.descriptor = _system_call(_SETUP, places, ctypes.addressof(block))
        except OSError:  # an older kernel, as a rule
            _FLAGS.pack_into(block, 0, 0)
            self.descriptor = _system_call(_SETUP, places, ctypes.addressof(block))
        self._let_go = weakref.finalize(self, os.close, self.descriptor)
        places, results, features, *parts = _PARAMETERS.unpack(block)
        if features & _NEEDED != _NEEDED:
            raise OSError(errno.ENOSYS, "the kernel is too old")
        _, tail, mask, indexes, done_head, done_tail, done_mask, self._results = parts
        length = max(indexes + places * _WORD, self._results + results * _RESULT.size)
        self._queues = mmap.mmap(self.descriptor, length)
        self._entries = mmap.mmap(self.descriptor, places * _ENTRY.size, offset=_ENTRIES_AT)
        # Whole words, because the kernel looks at them at the same time.
        self._words = words = memoryview(self._queues).cast("I")
        self._tail = tail // _WORD
        self._done_head, self._done_tail = done_head // _WORD, done_tail // _WORD
        self._mask, self._done_mask = words[mask // _WORD], words[done_mask // _WORD]
        self._queued = 0
        for index in range(places):
            words[indexes // _WORD + index] = index
        _system_call(_ENTER, self.descriptor)  # may be forbidden on its own

    def put(
        self,
        number: int,
        code: int,
        descriptor: int,
        offset: int,
        address: int,
        length: int,
        flags: int = 0,
    ) -> None:
        """Queue an operation; ``number`` comes back with its result."""
        assert self._queued <= self._mask, "what is queued has a place each"
        tail = self._words[self._tail]
        place = (tail & self._mask) * _ENTRY.size
        values = (code, 0, 0, descriptor, offset, address, length, flags, number)
        _ENTRY.pack_into(self._entries, place, *values)
        self._words[self._tail] = (tail + 1) % _WORDS
        self._queued += 1

    def submit(self) -> None:
        """Have the kernel begin what is queued. Raises OSError: then some of it has not begun."""
        while self._queued:
            begun = _system_call(_ENTER, self.descriptor, self._queued)
            if not begun:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            self._queued -= begun

    def withdraw(self) -> list[int]:
        """The numbers of what is queued and has not begun. It never will."""
        tail = self._words[self._tail]
        places = [((tail - back) & self._mask) * _ENTRY.size for back in range(self._queued, 0, -1)]
        self._words[self._tail] = (tail - self._queued) % _WORDS
        self._queued = 0
        return [_ENTRY.unpack_from(self._entries, place)[-1] for place in places]

    def take(self) -> Iterator[tuple[int, int]]:
        """Numbers of operations that are done, with what came of it: an error is negative."""
        words = self._words
        head, tail = words[self._done_head], words[self._done_tail]
        while head != tail:
            place = self._results + (head & self._done_mask) * _RESULT.size
            yield _RESULT.unpack_from(self._queues, place)
            head = (head + 1) % _WORDS
            words[self._done_head] = head

    def close(self) -> None:
        """Let go of it all, when no operation is under way. It may come twice."""
        self._words.release()
        self._queues.close()
        self._entries.close()
        self._let_go()


def _system_call(number: int, *arguments: int) -> int:
    """The result of a system call, begun anew if a signal has interrupted it. Raises OSError."""
    words = (*arguments, *[0] * (6 - len(arguments)))
    while (result := _syscall(number, *words)) < 0:
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
    return int(result)


_syscall = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * 7, use_errno=True)(
    ("syscall", ctypes.CDLL(None))
)
