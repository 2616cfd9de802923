"""The picture of ``trioscsi watch`` in ``specs/pictures``: libiscsi, and a peer that aborts a read.

::

    python -m tests.cli.terminal.picture
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
import threading
from pathlib import Path

import trio

from tests.server.peer import NAME, Peer, read10, write10
from trioscsi import MemoryDisk, Slow, Target
from trioscsi.cli.terminal.app import Watch
from trioscsi.cli.terminal.player import Player
from trioscsi.cli.terminal.source import ServerSource
from trioscsi.pdu import TaskFunction
from trioscsi.server.control.client import Client
from trioscsi.teaching.live import Filter

PICTURE = Path(__file__).parents[3] / "specs" / "pictures" / "watch.svg"
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""They would be fetched from elsewhere; every machine has one that is as wide."""


class Stage:
    """A server in a thread of its own, and what its initiators do when they are told to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.ready, self.go, self.end = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._play,))
        self._thread.start()
        self.ready.wait()

    def close(self) -> None:
        """Let all of it end."""
        self.end.set()
        self._thread.join()

    async def _play(self) -> None:
        disk = Slow(MemoryDisk("64MiB"), read_ms=2000)
        target = Target(NAME, disk, listen="127.0.0.1:0", control=self._path)
        async with trio.open_nursery() as nursery:
            (address,) = await nursery.start(target.serve)
            self.ready.set()
            await trio.to_thread.run_sync(self.go.wait)
            await trio.run_process(
                ["iscsi-inq", f"iscsi://127.0.0.1:{address[1]}/{NAME}/0"],
                stdout=subprocess.DEVNULL,
            )
            sock = trio.socket.socket()
            await sock.connect(address)
            peer = Peer(sock)
            await peer.log_in(name="iqn.2025-12.example:class", ImmediateData="No")
            await peer.do(bytes(6))
            write = peer.command(write10(0, 8), writes=4096)
            await peer.send(write)
            await peer.answer(write, data=bytes(4096))
            reads = [peer.command(read10(8 * number, 8), reads=4096) for number in range(4)]
            await peer.send(*reads)
            await trio.sleep(0.5)
            await peer.send(peer.task_management(TaskFunction.ABORT_TASK, reads[3]))
            await trio.to_thread.run_sync(self.end.wait)
            peer.close()
            nursery.cancel_scope.cancel()


async def taken(app: Watch, stage: Stage) -> str:
    """The screen right after the abort."""
    async with app.run_test(size=(150, 42)) as pilot:
        await pilot.pause()
        stage.go.set()
        while not any(
            message.get("name") == "TaskManagementResponse" for message in app.view.ladder
        ):
            await pilot.pause(0.05)
        await pilot.pause(0.2)
        return app.export_screenshot(title="trioscsi watch --control PATH")


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "control"
        stage = Stage(path)
        try:
            with Client(path) as client:
                source = ServerSource(client, Filter())
                svg = asyncio.run(taken(Watch(Player(source)), stage))
                source.close()
        finally:
            stage.go.set()
            stage.close()
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(_FONTS.sub("", svg))


if __name__ == "__main__":
    main()
