"""The servers that are compared, each a process of its own on 127.0.0.1."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

import attrs

from tests.performance.programs import BenchmarkError, Programs

START_TIME = 30.0
"""Seconds that a server may take to be ready."""
NAME = "iqn.2025-12.local:trioscsi"
ECHO, NULL, PEER = "echo", "tgt-null", "tgt"
_MEMORY_FILES = Path("/dev/shm")


@attrs.frozen
class Unit:
    """What a load is aimed at: a logical unit of a server, or the echo."""

    name: str
    port: int
    process: int
    target: str = ""
    target_with_digests: str = ""
    lun: int = 0
    keeps_data: bool = True

    def address(self, *, digests: bool = False) -> list[str]:
        """The arguments that make a client talk to it."""
        target = self.target_with_digests if digests else self.target
        return [f"--port={self.port}", f"--target={target}", f"--lun={self.lun}"]


class Server(Protocol):
    """A server that can be started and stopped, more than once."""

    @property
    def units(self) -> list[Unit]: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def memory_folder() -> Path:
    """Where files are kept in memory."""
    if not _MEMORY_FILES.is_dir():
        raise BenchmarkError(f"{_MEMORY_FILES} is missing: files have to be on tmpfs")
    return _MEMORY_FILES


class Trioscsi:
    """This target: LUN 0 in memory, LUN 1 a file on tmpfs."""

    def __init__(self, file: Path, size: int, log: Path, port: int | None = None) -> None:
        self._disks = [f"memory:{size}", f"file:{file}?size={size}"]
        self._log = log
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> int:
        """Its process id."""
        assert self._process is not None, "it was started"
        return self._process.pid

    @property
    def units(self) -> list[Unit]:
        """The two disks."""
        return [
            Unit(name, self.port, self.process, NAME, NAME, lun)
            for lun, name in enumerate(("memory", "file"))
        ]

    def spawn(self) -> None:
        """Start the process without waiting for it."""
        listen = f"127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "trioscsi", "serve", "--listen", listen, "--name", NAME]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._disks], stdout=subprocess.PIPE, stderr=log
            )

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.spawn()
        assert self._process is not None
        _wait_for_line(self._process, self._log)

    def stop(self) -> None:
        """Stop it as an administrator would."""
        if self._process is not None:
            _end(self._process, signal.SIGTERM)
            self._process = None


class Tgt:
    """Debian's tgt: LUN 1 a file on tmpfs, LUN 2 its null store; target 2 has digests."""

    def __init__(self, file: Path, size: int, log: Path, port: int | None = None) -> None:
        self._file, self._size, self._log = file, size, log
        self.port = port or free_port()
        self._control = random.randrange(1000, 30000)
        socket_path = log.with_name("tgt")
        self._environment = {**os.environ, "TGT_IPC_SOCKET": str(socket_path)}
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def is_installed() -> bool:
        """Whether there is a tgt to compare with."""
        return _sbin("tgtd") is not None and _sbin("tgtadm") is not None

    @staticmethod
    def version() -> str:
        """Of the tgt that is installed; empty if there is none."""
        path = _sbin("tgtd")
        if path is None:
            return ""
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    @property
    def process(self) -> int:
        """Its process id."""
        assert self._process is not None, "it was started"
        return self._process.pid

    @property
    def units(self) -> list[Unit]:
        """The file and the null store."""
        names = (f"{NAME}.1", f"{NAME}.2")
        return [
            Unit(PEER, self.port, self.process, *names, lun=1),
            Unit(NULL, self.port, self.process, *names, lun=2, keeps_data=False),
        ]

    def spawn(self) -> None:
        """Start the process and tell it what to serve."""
        if not self._file.exists():
            with self._file.open("wb") as file:
                file.truncate(self._size)
        portal = f"portal=127.0.0.1:{self.port}"
        command = [_sbin("tgtd") or "tgtd", "-f", "-C", str(self._control)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--iscsi", portal, "--nr_iothreads", "4"],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_TIME
        while not self._tell("--mode", "sys", "--op", "show"):
            if time.monotonic() > until or self._process.poll() is not None:
                raise BenchmarkError(f"tgtd does not start: {self._log.read_text()}")
            time.sleep(0.01)
        for number, digest in ((1, "None"), (2, "CRC32C")):
            self._add_target(number, digest)

    start = spawn

    def stop(self) -> None:
        """End it; it ignores SIGTERM while it has targets."""
        if self._process is not None:
            _end(self._process, signal.SIGKILL)
            self._process = None

    def _add_target(self, number: int, digest: str) -> None:
        target = ("--tid", str(number))
        one_target = ("--mode", "target", *target)
        self._must("--op", "new", *one_target, "--targetname", f"{NAME}.{number}")
        for name, value in {
            "HeaderDigest": digest,
            "DataDigest": digest,
            "MaxRecvDataSegmentLength": 262144,
            "FirstBurstLength": 262144,
            "MaxBurstLength": 1048576,
        }.items():
            self._must("--op", "update", *one_target, "--name", name, "--value", str(value))
        unit = ("--op", "new", "--mode", "logicalunit", *target)
        self._must(*unit, "--lun", "1", "--backing-store", str(self._file), "--bstype", "rdwr")
        self._must(*unit, "--lun", "2", "--backing-store", str(self._file), "--bstype", "null")
        self._must("--op", "bind", *one_target, "--initiator-address", "ALL")

    def _must(self, *arguments: str) -> None:
        if not self._tell(*arguments):
            raise BenchmarkError(f"tgtadm {' '.join(arguments)} failed: {self._log.read_text()}")

    def _tell(self, *arguments: str) -> bool:
        command = [_sbin("tgtadm") or "tgtadm", "-C", str(self._control), "--lld", "iscsi"]
        with self._log.open("ab") as log:
            done = subprocess.run(
                [*command, *arguments],
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
                timeout=START_TIME,
                check=False,
            )
        return done.returncode == 0


class Echo:
    """The physical limit: messages of the same sizes over TCP, C at both ends."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    @property
    def units(self) -> list[Unit]:
        """What answers."""
        assert self._process is not None, "it was started"
        return [Unit(ECHO, self._port, self._process.pid, keeps_data=False)]

    def start(self) -> None:
        """Start it, and learn its port."""
        self._process = self._programs.start("echo", ["serve"])
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline().removeprefix("ready: "))

    def stop(self) -> None:
        """It ends with its input."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _sbin(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


def _wait_for_line(process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_TIME)
    if not ready or not process.stdout.readline().startswith(b"ready: "):
        raise BenchmarkError(f"this target does not start: {log.read_text()}")


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    process.send_signal(number)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
