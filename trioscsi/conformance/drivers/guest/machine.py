"""A Linux of our own, as a process (User-Mode Linux), driven over its console."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from trioscsi.conformance.drivers.guest.programs import program
from trioscsi.errors import DriverError

HOST = "10.0.2.2"
"""How the guest calls this machine's loopback address."""

_BOOT_TIME = 60
_STATUS = "guest: status "


class Done(NamedTuple):
    """What a command has printed, and its exit status."""

    status: int
    output: str


class Guest:
    """A guest that is up; what it prints goes to a log as well."""

    def __init__(self, image: Path, folder: Path, memory: str = "320M") -> None:
        self._folder = folder
        self._log = (folder / "console").open("w")
        network = folder / "network"
        # The network ends when the other end of this pipe is closed, be it as we are killed.
        leash, self._leash = os.pipe()
        self._slirp = subprocess.Popen(
            [
                program("slirp4netns"),
                "--target-type=bess",
                "--mtu=65520",
                f"--exit-fd={leash}",
                str(network),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(leash,),
            start_new_session=True,
        )
        os.close(leash)
        until = time.monotonic() + _BOOT_TIME
        while not network.exists() and time.monotonic() < until:
            time.sleep(0.01)
        self._process = subprocess.Popen(
            [
                program("linux.uml"),
                f"mem={memory}",
                f"ubd0={folder / 'changes'},{image}",
                "root=/dev/ubda",
                "rw",
                "init=/init",
                "quiet",
                "con=null",
                "con0=fd:0,fd:1",
                "ssl=null",
                f"uml_dir={folder}",
                "umid=guest",
                f"vec0:transport=bess,dst={network},depth=128,gro=1,mtu=65520",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        self._pending = b""
        try:
            self._read_until("guest: ready", _BOOT_TIME)
        except BaseException:
            self.kill()
            raise

    def run(self, command: str, timeout: float = 60) -> Done:
        """Run one line of shell in the guest; raises DriverError if that does not end in time."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command.encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise DriverError(f"the guest has ended: {error.strerror}") from error
        lines = self._read_until(_STATUS, timeout)
        return Done(int(lines[-1].removeprefix(_STATUS)), "\n".join(lines[:-1]))

    def must(self, command: str, timeout: float = 60) -> str:
        """The same; it has to end well."""
        done = self.run(command, timeout)
        if done.status:
            raise DriverError(f"{command} ended with {done.status}:\n{done.output}")
        return done.output

    def kill(self) -> None:
        """End it, with all of its processes."""
        for process in (self._process, self._slirp):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(self._leash)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def _read_until(self, mark: str, timeout: float) -> list[str]:
        """The lines up to the first one that begins like this."""
        lines: list[str] = []
        until = time.monotonic() + timeout
        while not lines or not lines[-1].startswith(mark):
            lines.append(self._read_line(until))
        return lines

    def _read_line(self, until: float) -> str:
        assert self._process.stdout is not None
        while b"\n" not in self._pending:
            left = until - time.monotonic()
            ready, _, _ = select.select([self._process.stdout], [], [], max(left, 0))
            data = os.read(self._process.stdout.fileno(), 65_536) if ready else b""
            if not data:
                state = "has ended" if ready else "does not answer"
                raise DriverError(f"the guest {state}: see {self._folder / 'console'}")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        text = line.decode(errors="replace").rstrip("\r")
        self._log.write(text + "\n")
        self._log.flush()
        return text
