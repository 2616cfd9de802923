"""Storage that hangs for a minute, seen by a client over TCP and by who stops the server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.interop.hanging import HANGING
from tests.interop.serving import NAME, Serving
from tests.server.peer import BLOCK, OTHER_ISID, TEST_UNIT_READY, Peer, read10, write10
from trioscsi.pdu import ScsiCommand, TaskFunction, TaskResult


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path / "log", "hanging:1MiB", program="tests.interop.hanging") as server:
        yield server


async def connect(server: Serving, isid: bytes = b"\x80test\0") -> Peer:
    sock = trio.socket.socket()
    await sock.connect(("127.0.0.1", server.port))
    peer = Peer(sock)
    assert await peer.log_in(NAME, isid=isid) == 0
    await peer.do(TEST_UNIT_READY)
    return peer


async def hang(peer: Peer) -> ScsiCommand:
    """A write that storage has begun, and does not end."""
    command = peer.command(write10(0, 1), bytes(BLOCK))
    await peer.send(command)
    await peer.write(5, b"5" * BLOCK)
    return command


async def test_abort_task_is_answered_in_time_and_the_session_goes_on(server: Serving) -> None:
    peer = await connect(server)
    command = await hang(peer)
    begin = time.monotonic()
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, command))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert time.monotonic() - begin < HANGING / 6
    assert await peer.read(5, 1) == b"5" * BLOCK
    peer.close()


async def test_a_connection_that_is_dropped_is_closed_and_stopping_takes_no_minute(
    server: Serving,
) -> None:
    peer = await connect(server)
    await hang(peer)
    other = await connect(server, OTHER_ISID)
    begin = time.monotonic()
    await other.send(other.command(read10(0, 1), reads=BLOCK))
    await other.send(other.task_management(TaskFunction.TARGET_COLD_RESET))
    while await peer.receive() is not None:
        pass
    assert time.monotonic() - begin < HANGING / 6
    server.process.terminate()
    with trio.fail_after(HANGING / 6):
        status = await trio.to_thread.run_sync(server.wait)
    assert status == 0
    assert "Traceback" not in server.log.read_text()
    for each in (peer, other):
        each.close()
