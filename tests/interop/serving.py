"""A ``trioscsi serve`` of its own process, as users start it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIME = 30
"""Seconds that a server may take to be ready, on a machine that has other things to do."""
STOP_TIME = 10
"""Seconds that it may take to stop when it is asked to."""

NAME = "iqn.2025-12.local:trioscsi"
HERE = "127.0.0.1:0"


class Serving:
    """A server that is ready; ``log`` is the file that its standard error goes to.

    ``program`` is the module that is run.
    """

    def __init__(
        self,
        log: Path,
        *arguments: str,
        listen: Sequence[str] = (HERE,),
        program: str = "trioscsi",
    ) -> None:
        self.log = log
        command = [sys.executable, "-m", program, "serve"]
        command += [word for portal in listen for word in ("--listen", portal)]
        with log.open("ab") as standard_error:
            self.process = subprocess.Popen(
                [*command, *arguments], stdout=subprocess.PIPE, stderr=standard_error
            )
        try:
            self.first_line = self._read_line()
            self.url = self.first_line.removeprefix("ready: ")
            self.portal = self.url.split("/")[2]
        except BaseException:
            self.kill()
            raise

    def announced(self, word: str) -> str:
        """What else it has said when it was ready, after this word."""
        while not (line := self._line()).startswith(f"{word}: "):
            assert line, f"nothing is said of {word}"
        return line.removeprefix(f"{word}: ")

    def unit(self, number: int) -> str:
        """The URL of a logical unit."""
        return f"iscsi://{self.portal}/{NAME}/{number}"

    @property
    def port(self) -> int:
        """The port that was picked."""
        return int(self.portal.rpartition(":")[2])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server, and to nothing else."""
        os.kill(self.process.pid, number)

    def wait(self) -> int:
        """The exit status, within the time that stopping may take."""
        try:
            return self.process.wait(STOP_TIME)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once, if it has not ended, and let go of it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def _read_line(self) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_TIME)
        line = self._line() if ready else ""
        assert line.startswith("ready: "), f"not ready: {line!r}, {self.log.read_text()}"
        return line

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().rstrip()


@contextmanager
def serving(log: Path, *arguments: str, listen: Sequence[str] = (HERE,)) -> Iterator[Serving]:
    """A server that is stopped as an administrator stops it, and has nothing to complain of."""
    with Serving(log, *arguments, listen=listen) as server:
        yield server
        server.signal(signal.SIGTERM)
        status = server.wait()
        complaints = log.read_text()
        assert status == 0, complaints
        assert "Traceback" not in complaints
