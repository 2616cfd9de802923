"""Debian's tgt of its own process, as somebody else's target."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from tests.interop.tools import tool

_START_TIME = 30
NAME = "iqn.2025-12.local.test:tgt"
LOCKED = "iqn.2025-12.local.test:locked"
USER, SECRET = "initiator", "secret-of-initiator"
TARGET_USER, TARGET_SECRET = "target", "secret-of-target"


@attrs.frozen
class Tgt:
    """A tgt that serves a file as LUN 1 of each of its targets; ``LOCKED`` wants CHAP both ways."""

    portal: str

    def url(self, target: str = NAME, lun: int = 1) -> str:
        return f"iscsi://{self.portal}/{target}/{lun}"

    @property
    def locked(self) -> str:
        query = f"?target_user={TARGET_USER}&target_password={TARGET_SECRET}"
        return f"iscsi://{USER}%{SECRET}@{self.portal}/{LOCKED}/1{query}"


@contextmanager
def serving(folder: Path) -> Iterator[Tgt]:
    """A tgt that is ready; it is ended at the end."""
    file, log = folder / "disk", folder / "log"
    with file.open("wb") as disk:
        disk.truncate(16 * 2**20)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    control = str(random.randrange(1000, 30_000))
    environment = {**os.environ, "TGT_IPC_SOCKET": str(folder / "tgt")}
    portal = f"127.0.0.1:{port}"

    def tell(*arguments: str) -> bool:
        command = [tool("tgtadm"), "-C", control, "--lld", "iscsi", *arguments]
        with log.open("ab") as to:
            done = subprocess.run(command, env=environment, stdout=to, stderr=to, check=False)
        return done.returncode == 0

    def must(*arguments: str) -> None:
        assert tell(*arguments), f"tgtadm {' '.join(arguments)}: {log.read_text()}"

    with log.open("ab") as to:
        process = subprocess.Popen(
            [tool("tgtd"), "-f", "-C", control, "--iscsi", f"portal={portal}"],
            env=environment,
            stdout=to,
            stderr=to,
        )
    try:
        until = time.monotonic() + _START_TIME
        while not tell("--mode", "sys", "--op", "show"):
            assert time.monotonic() < until, log.read_text()
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        account = ("--mode", "account", "--op")
        must(*account, "new", "--user", USER, "--password", SECRET)
        must(*account, "new", "--user", TARGET_USER, "--password", TARGET_SECRET)
        for tid, name in (("1", NAME), ("2", LOCKED)):
            must("--mode", "target", "--op", "new", "--tid", tid, "--targetname", name)
            must(
                *("--mode", "logicalunit", "--op", "new", "--tid", tid, "--lun", "1"),
                *("--backing-store", str(file)),
            )
            must("--mode", "target", "--op", "bind", "--tid", tid, "--initiator-address", "ALL")
        must(*account, "bind", "--tid", "2", "--user", USER)
        must(*account, "bind", "--tid", "2", "--user", TARGET_USER, "--outgoing")
        yield Tgt(portal)
    finally:
        # It ignores SIGTERM while it has targets.
        process.send_signal(signal.SIGKILL)
        process.wait()
