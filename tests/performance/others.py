"""What else the machine did during a run: figures that were disturbed can be told."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)
"""The places of "idle" and "iowait" in /proc/stat (proc(5))."""


class Others:
    """While it is entered, other processes' use of the machine is taken down.

    Not counted are one server, this process, and children that end meanwhile.
    """

    cores: float = 0.0
    """How many processors the others kept busy, by the kernel's ticks."""

    def __init__(self, server: int) -> None:
        self._server = server

    def __enter__(self) -> Self:
        self._begun, self._busy, self._own = time.monotonic(), busy_time(), self._ours()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        used = busy_time() - self._busy - (self._ours() - self._own)
        self.cores = max(0.0, used / (time.monotonic() - self._begun))

    def _ours(self) -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = time.process_time() + children.ru_utime + children.ru_stime
        return ours + cpu_time(self._server)


def cpu_time(process: int) -> float:
    """Seconds of user and system time of all threads of a process, ended ones included."""
    return time.clock_gettime((~process << 3) | 2)  # clock_getcpuclockid(3), which Python lacks


def busy_time() -> float:
    """Seconds that all processors together were not idle, time taken by other guests included."""
    line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    ticks = [int(word) for word in line.split()[1:9]]
    return _TICK * sum(count for place, count in enumerate(ticks) if place not in _IDLE)
