from __future__ import annotations

from tests.server.peer import INITIATOR, NAME
from tests.server.web.conftest import Watched
from trioscsi.server.web import overview


async def test_targets_are_told_with_what_was_done_with_their_units(watched: Watched) -> None:
    await watched.peer.write(0, bytes(1024))
    await watched.peer.read(0, 1)
    (target,) = overview.targets(watched.server)
    assert (target["name"], target["alias"], target["sessions"]) == (NAME, "shown", 1)
    (unit,) = target["units"]
    assert unit["lun"] == 0
    assert (unit["blocks"], unit["block_size"], unit["read_only"]) == (2048, 512, False)
    assert (unit["writes"], unit["blocks_written"]) == (1, 2)
    assert (unit["reads"], unit["blocks_read"], unit["failed_reads"]) == (1, 1, 0)


async def test_sessions_are_told_with_what_they_have_negotiated(watched: Watched) -> None:
    (session,) = overview.sessions(watched.server)
    assert (session["target"], session["initiator"]) == (NAME, INITIATOR)
    assert (session["state"], session["tsih"]) == ("LOGGED_IN", watched.peer.tsih)
    assert session["parameters"]["session_type"] == "Normal"
    assert session["parameters"]["max_burst_length"] > 0


async def test_connections_are_told_before_they_have_logged_in(watched: Watched) -> None:
    other = await watched.connect()
    # One that is turned away says that the server has let the one before it in.
    await other.log_in("iqn.2025-12.test:nowhere")
    logged_in, *rest = overview.connections(watched.server)
    assert (logged_in["state"], logged_in["initiator"]) == ("LOGGED_IN", INITIATOR)
    assert logged_in["peer"].startswith("127.0.0.1:")
    other.close()
    waiting = await watched.connect()
    await waiting.send_bytes(bytes(1))
    rest = []
    while not rest:
        _, *rest = overview.connections(watched.server)
        await watched.peer.do(bytes(6))
    assert rest[0]["initiator"] is None
    waiting.close()


async def test_refusals_are_told_with_their_reasons(watched: Watched) -> None:
    other = await watched.connect()
    assert await other.log_in("iqn.2025-12.test:nowhere") == 0x0203
    (refusal,) = overview.refusals(watched.server)
    assert refusal["answer"] == "NOT_FOUND"
    assert refusal["advice"]
    other.close()
