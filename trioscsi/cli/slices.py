"""How Linux is to share a processor between this server and others that run on it."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from contextlib import suppress
from struct import Struct

import attrs

SLICE = 50_000_000
"""Nanoseconds that a server asks for; Linux gives 1 to 3 million to who does not ask."""

_OTHER, _BATCH = 0, 3  # the policies that have slices
# A struct sched_attr of linux/sched/types.h: its size, policy, flags, nice, priority, then runtime
# (the slice), deadline and period.
_ATTRIBUTES = Struct("=2IQiI3Q")
_GENERIC = (274, 275)
_NUMBERS = {"x86_64": (314, 315), "aarch64": _GENERIC, "riscv64": _GENERIC}
"""The system calls sched_setattr and sched_getattr, which few C libraries have."""


@attrs.frozen
class Scheduling:
    """How Linux schedules a thread (sched_setattr(2))."""

    policy: int
    flags: int
    nice: int
    slice: int
    """Nanoseconds; 0 before Linux 6.12, which has the same for all."""

    @classmethod
    def current(cls) -> Scheduling:
        """That of this thread. Raises OSError."""
        block = ctypes.create_string_buffer(_ATTRIBUTES.size)
        _call(1, block, _ATTRIBUTES.size, 0)
        _, policy, flags, nice, _, length, _, _ = _ATTRIBUTES.unpack(block)
        return cls(policy, flags, nice, length)

    def apply(self) -> None:
        """Make it that of this thread. Raises OSError."""
        values = (self.policy, self.flags, self.nice, 0, self.slice, 0, 0)
        _call(0, _ATTRIBUTES.pack(_ATTRIBUTES.size, *values), 0)


def take_long_slices() -> None:
    """Let whoever wakes interrupt this thread at once, where Linux can do that.

    A server that stays awake until its peers have said more looks like a program that computes, and
    a peer on the same machine may have to wait for the end of its slice to say it.  From Linux 6.12
    on those who asked for longer slices give way to the others.
    """
    with suppress(OSError):  # an older kernel, or not allowed
        scheduling = Scheduling.current()
        if scheduling.policy in (_OTHER, _BATCH):
            attrs.evolve(scheduling, slice=SLICE).apply()


def _call(which: int, *arguments: object) -> None:
    """One of `_NUMBERS` for this thread. Raises OSError."""
    if sys.platform != "linux" or platform.machine() not in _NUMBERS:
        raise OSError("not on this system")
    number = _NUMBERS[platform.machine()][which]
    if ctypes.CDLL(None, use_errno=True).syscall(number, 0, *arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
