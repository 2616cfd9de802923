"""Keys that somebody presses: one at a time from a terminal, one a line from anything else."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import trio

ENTER = "\n"
_NO_FILE = -1
_LONGEST = 4
"""Bytes of a line that are looked at."""


class Keys:
    """Reads keys from a file that is open, standard input by default; use it within ``ready``."""

    def __init__(self, fd: int | None = None) -> None:
        self._fd = _standard_input() if fd is None else fd

    @contextmanager
    def ready(self) -> Iterator[None]:
        """A terminal gives each key at once, and does not show it, as long as this lasts."""
        if not os.isatty(self._fd):
            yield
            return
        before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd)
        try:
            yield
        finally:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, before)

    async def next(self) -> str | None:
        """The next key, in lower case; None when there will be no more.

        Of a line that does not come from a terminal the first character counts; an empty one is
        `ENTER`.
        """
        if os.isatty(self._fd):
            byte = await self._read()
            return _key(byte) if byte else None
        line = b""
        while (byte := await self._read()) not in (b"", b"\n"):
            line = (line + byte)[:_LONGEST]
        return _key(line.strip()[:1]) if byte or line else None

    async def _read(self) -> bytes:
        """One byte; none at the end, and where nothing can be read."""
        try:
            await trio.lowlevel.wait_readable(self._fd)
        except (OSError, ValueError):
            await trio.lowlevel.checkpoint()  # it is no file that one waits for, if it is one
        try:
            return os.read(self._fd, 1)
        except OSError:
            return b""


def _standard_input() -> int:
    try:
        return _NO_FILE if sys.stdin is None else sys.stdin.fileno()
    except (OSError, ValueError):
        return _NO_FILE


def _key(byte: bytes) -> str:
    return byte.decode(errors="replace").strip().lower() or ENTER
