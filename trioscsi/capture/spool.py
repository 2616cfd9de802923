"""Bytes on their way into a file, written by a thread of their own.

A disk may be slow or full: whoever hands over bytes never waits for it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from trioscsi.errors import CaptureError
from trioscsi.limits import TRACE_BACKLOG

log = logging.getLogger("trioscsi")

Piece: TypeAlias = bytes | memoryview

_NAP = 0.05
"""Seconds for which bytes are gathered, so that a busy server wakes the thread rarely."""
_PATIENCE = 10.0
"""Seconds that writing the rest may take at the end."""
_MOST = 512
"""Pieces written with one call."""


class Spool:
    """A file that is written in the background.

    Raises CaptureError if the file cannot be made.  When it cannot be written any more, what was
    whole of it stays, a line is logged, and the rest is let go of.
    """

    def __init__(self, path: Path, backlog: int = TRACE_BACKLOG) -> None:
        self.path = path
        self._backlog = backlog
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CaptureError(f"cannot write {path}: {error.strerror}") from None
        self._waiting: deque[tuple[Piece, ...]] = deque()
        self._size = 0
        self._written = 0
        self._closing = False
        self.failed = False
        """Whether the file cannot be written any more."""
        self._lock = threading.Lock()
        self._something = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"writer of {path}", daemon=True)
        self._thread.start()

    def put(self, pieces: Iterable[Piece]) -> bool:
        """Hand over bytes that belong together; False if there is no room for them."""
        entry = tuple(pieces)
        size = sum(map(len, entry))
        with self._lock:
            if self.failed or self._closing or self._size + size > self._backlog:
                return False
            self._waiting.append(entry)
            self._size += size
        if not self._something.is_set():
            self._something.set()
        if self._size * 4 > self._backlog and not self._hurry.is_set():
            self._hurry.set()
        return True

    def close(self) -> None:
        """Write what is left, and close the file; a disk that hangs is not waited for for ever."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        self._something.set()
        self._hurry.set()
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            log.error("the end of the trace %s is not written: the disk hangs", self.path)
        else:
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            self._something.wait()
            self._something.clear()
            while self._waiting:
                self._take()
            if self._closing:
                return
            self._hurry.wait(_NAP)
            if not self._closing:
                self._hurry.clear()

    def _take(self) -> None:
        """Write some of what waits, with one call."""
        with self._lock:
            entries = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST // 3))]
        pieces = [piece for entry in entries for piece in entry]
        size = sum(map(len, pieces))
        if not self.failed:
            self._write(pieces, size)
        with self._lock:
            self._size -= size

    def _write(self, pieces: list[Piece], size: int) -> None:
        data = memoryview(b"".join(pieces))
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self.failed = True
            log.error("the trace %s ends here: %s", self.path, error.strerror)
            # What was written in part is cut off, so that readers do not stumble over it.
            _try_to_cut(self._file, self._written)
            return
        self._written += size


def _try_to_cut(file: int, length: int) -> None:
    try:
        os.ftruncate(file, length)
    except OSError as error:
        log.debug("the end of the trace stays as it is: %s", error.strerror)
