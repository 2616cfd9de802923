"""Standard streams, which nobody may read: a server serves nevertheless, others say so."""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def keep_standard_streams() -> None:
    """Let streams that were closed by whoever started us lead nowhere.

    Otherwise a disk or a connection gets the number of one, and what is said goes there.  What
    cannot be written to standard output is an `OutputError` from now on.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            stream = os.fdopen(descriptor, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
    with suppress(io.UnsupportedOperation):  # it is in memory
        sys.stdout = _telling(sys.stdout)


def _telling(stream: TextIO) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(Output(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=True,
    )


class OutputError(OSError):
    """Standard output takes no more: a pipe that nobody reads, a disk that is full."""


class Output(io.FileIO):
    """The bytes of standard output: that they cannot be written is no fault of any other file."""

    def write(self, data: ReadableBuffer) -> int:
        """Write some of them; once that has failed, what comes leads nowhere."""
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            raise OutputError(error.errno, error.strerror) from error


def unhurried(stream: TextIO) -> TextIO:
    """The same stream, but what cannot be written at once is left out, and how much is told.

    A pipe that nobody reads is full at some time, and a terminal may be stopped (Ctrl-S): whoever
    waits there does nothing else. The stream itself if it is in memory.
    """
    try:
        descriptor = stream.fileno()
    except OSError:
        return stream
    return io.TextIOWrapper(
        cast("BinaryIO", Unhurried(descriptor)),
        encoding=stream.encoding,
        errors="backslashreplace",
        write_through=True,
    )


class Unhurried(io.RawIOBase):
    """The bytes of a stream of lines, each of them written at once or not at all."""

    def __init__(self, descriptor: int) -> None:
        """It is not closed here."""
        self._descriptor = descriptor
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)
        self._left_out = 0
        self._cut = b""
        """What ends the line that was written in part."""

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def fileno(self) -> int:
        """See `io.IOBase`."""
        return self._descriptor

    def isatty(self) -> bool:
        """See `io.IOBase`."""
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer) -> int:
        """Write a line or several, if they can be; it is never an error."""
        text = bytes(data)
        if self._left_out:
            told = b"%blines that could not be written here: %d\n"
            if self._write_piece(told % (self._cut, self._left_out)):
                self._left_out, self._cut = 0, b""
        # As much as a pipe takes without waiting, if it takes anything.
        for at in range(0, len(text), select.PIPE_BUF):
            if self._left_out or not self._write_piece(text[at : at + select.PIPE_BUF]):
                self._left_out += 1
                self._cut = self._cut or (b"\n" if at else b"")
                break
        return len(text)

    def _write_piece(self, piece: bytes) -> bool:
        if not self._room.poll(0):
            return False
        try:
            return os.write(self._descriptor, piece) == len(piece)
        except OSError:
            return False
