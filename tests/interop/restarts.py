"""A target that dies and comes back more often than one can wait for ``trioscsi serve``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self


class Restarts:
    """A target that is started and killed again and again; it keeps its state in a folder."""

    def __init__(self, folder: Path, disk: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.interop.storm", str(folder), disk],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.communicate(timeout=10)

    def start(self) -> int:
        """Start a server; its port."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._pid, port = map(int, self._process.stdout.readline().split())
        return port

    def kill(self) -> None:
        """Kill the server that was started last, if it is not yet, and wait for its end."""
        pid, self._pid = self._pid, 0
        if pid:
            assert self._process.stdout is not None
            os.kill(pid, signal.SIGKILL)
            self._process.stdout.readline()

    @property
    def killed(self) -> bool:
        """Whether no server is left."""
        return not self._pid
