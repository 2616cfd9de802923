from __future__ import annotations

import json
from pathlib import Path

import trio
import trio.testing

from tests.server.peer import INITIATOR, NAME, Peer, read10
from trioscsi import MemoryDisk, Server, Slow, Target
from trioscsi.pdu import TaskFunction
from trioscsi.server.live import Listener
from trioscsi.server.tracing import Taps, together
from trioscsi.teaching.live import Filter, Message

HERE = "127.0.0.1:0"


async def connected(address: tuple[str, int]) -> Peer:
    sock = trio.socket.socket()
    await sock.connect(address)
    return Peer(sock)


async def until(listener: Listener, kind: str) -> list[Message]:
    """All messages up to the first batch with one of this type."""
    said: list[Message] = []
    with trio.fail_after(10):
        while not any(message["type"] == kind for message in said):
            said += await listener.take()
    return said


async def test_a_conversation_is_told_from_its_first_byte_to_its_end(
    nursery: trio.Nursery,
) -> None:
    server = Server([Target(NAME, MemoryDisk("1MiB"))], [HERE])
    feed = server.feed
    (address,) = await nursery.start(server.serve)
    with Listener(feed) as listener:
        peer = await connected(address)
        await peer.log_in()
        await peer.do(bytes(6))
        await peer.write(0, b"x" * 512)
        await peer.log_out()
        peer.close()
        said = await until(listener, "closed")
    hello = said[0]
    assert hello["targets"] == [
        {
            "name": NAME,
            "alias": None,
            "units": [{"lun": 0, "blocks": 2048, "block_size": 512, "read_only": False}],
        }
    ]
    assert hello["portals"] == [{"address": f"127.0.0.1:{address[1]}", "group": 1}]
    moves = [
        message["label"]
        for message in said
        if message["type"] == "transition" and message["machine"] in ("connection", "session")
    ]
    assert moves == ["T3", "T4", "N1", "T5", "N2", "T9", "T13", "N3"]
    pdus = [message["name"] for message in said if message["type"] == "pdu"]
    assert pdus == [
        "LoginRequest",
        "LoginResponse",
        *["ScsiCommand", "ScsiResponse"] * 2,
        "LogoutRequest",
        "LogoutResponse",
    ]
    assert json.dumps(said)
    hello = feed.hello()
    assert (hello["sessions"], hello["connections"]) == ([], [])


async def test_a_trace_a_control_socket_and_a_listener_are_told_at_once(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    trace, control = tmp_path / "trace.pcapng", tmp_path / "control"
    server = Server([Target(NAME, MemoryDisk("1MiB"))], [HERE], trace=trace, control=control)
    (address,) = await nursery.start(server.serve)
    asking = await trio.open_unix_socket(str(control))
    await asking.send_all(b'{"request":"subscribe","types":["pdu"],"pdus":["LogoutRequest"]}\n')
    heard = b""
    with trio.fail_after(10):
        while b'"hello"' not in heard:
            heard += await asking.receive_some()
    with Listener(server.feed) as listener:
        peer = await connected(address)
        await peer.log_in()
        await peer.log_out()
        peer.close()
        said = await until(listener, "closed")
    assert sum(message["type"] == "pdu" for message in said) == 4
    with trio.fail_after(10):
        while b'"LogoutRequest"' not in heard:
            heard += await asking.receive_some()
    await asking.aclose()
    await server.stop()
    assert b"TargetName=" in trace.read_bytes()


async def test_who_comes_late_finds_sessions_states_keys_and_tasks(nursery: trio.Nursery) -> None:
    disk = Slow(MemoryDisk("1MiB"), read_ms=60_000)
    server = Server([Target(NAME, disk)], [HERE])
    feed = server.feed
    (address,) = await nursery.start(server.serve)
    peer = await connected(address)
    await peer.log_in()
    await peer.do(bytes(6))
    command = peer.command(read10(0, 1), reads=512)
    await peer.send(command)
    await peer.do(bytes(6))
    with Listener(feed) as listener:
        ((hello, *_), *_) = [await listener.take()]
        (session,) = hello["sessions"]
        (connection,) = hello["connections"]
        assert (session["initiator"], session["state"]) == (INITIATOR, "LOGGED_IN")
        assert connection["states"]["connection"] == "LOGGED_IN"
        assert any(row["key"] == "TargetName" for row in connection["keys"])
        (task,) = connection["tasks"]
        assert (task["name"], task["state"], task["began"]) == ("READ(10)", "EXECUTING", None)
        assert task["lun"] == 0
        # From here on all is seen, in the right places.
        await peer.send(peer.task_management(TaskFunction.ABORT_TASK, command))
        await peer.receive()
        said = await until(listener, "task")
        assert [message["name"] for message in said if message["type"] == "pdu"] == [
            "TaskManagementRequest",
            "TaskManagementResponse",
        ]
        (ended,) = (message for message in said if message["type"] == "task")
        assert (ended["itt"], ended["state"]) == (task["itt"], "ABORTED")
    peer.close()


async def test_a_session_that_another_login_replaces_is_seen_to_end(nursery: trio.Nursery) -> None:
    server = Server([Target(NAME, MemoryDisk("1MiB"))], [HERE])
    feed = server.feed
    (address,) = await nursery.start(server.serve)
    first, second = await connected(address), await connected(address)
    await first.log_in()
    with Listener(feed, Filter(types=["transition", "closed"])) as listener:
        await second.log_in()
        said = await until(listener, "closed")
    moves = [
        (message["machine"], message["label"])
        for message in said
        if message["type"] == "transition" and message["connection"] == 1
    ]
    assert moves[-2:] == [("connection", "T8"), ("session", "N3")]
    assert len(feed.hello()["sessions"]) == 1
    first.close()
    second.close()


async def test_rates_come_while_nothing_happens(autojump_clock: trio.testing.MockClock) -> None:
    server = Server([Target(NAME, MemoryDisk("1MiB"))], [HERE])
    feed = server.feed
    feed._clock = trio.current_time
    with Listener(feed) as listener:
        (hello,) = await listener.take()
        (rates,) = await listener.take()
    assert (hello["type"], rates["type"]) == ("hello", "rates")
    assert not feed.followed


def test_taps_stand_together_for_one() -> None:
    class Told(list[str]):
        def __getattr__(self, name: str) -> object:
            return lambda *args, **kwargs: self.append(name)

    one, other = Told(), Told()
    both = together([one, other])  # type: ignore[list-item]
    assert isinstance(both, Taps)
    both.received(b"")
    both.sent([], 0)
    both.moved(None)  # type: ignore[arg-type]
    both.note("")
    both.settle()
    both.ended(broken=True)
    both.close()
    assert one == other == ["received", "sent", "moved", "note", "settle", "ended", "close"]
    assert together([]) is None
    assert together([one]) is one  # type: ignore[list-item]
