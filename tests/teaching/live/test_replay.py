"""A capture says the same as the server did while it was made."""

from __future__ import annotations

import io
from collections.abc import Iterator

import attrs
import pytest
import trio
import trio.testing

from tests.server.peer import NAME, OTHER_ISID, Peer, read10
from tests.teaching.live.wire import of
from trioscsi import MemoryDisk, Server, Slow, Target
from trioscsi.capture import Packet
from trioscsi.errors import CaptureError
from trioscsi.pdu import TaskFunction
from trioscsi.teaching.live import Message, Replay, replay


@attrs.define
class Recorded:
    """A capture, and what the server itself told meanwhile."""

    capture: bytes
    said: list[Message]


async def converse(address: tuple[str, int]) -> None:
    """A login, I/O, an abort and a logout; a login that is refused; a session that is lost."""

    async def peer() -> Peer:
        sock = trio.socket.socket()
        await sock.connect(address)
        return Peer(sock)

    first = await peer()
    await first.log_in()
    await first.do(bytes(6))
    await first.write(0, b"x" * 512)
    command = first.command(read10(0, 1), reads=512)
    await first.send(command)
    await first.send(first.task_management(TaskFunction.ABORT_TASK, command))
    await first.receive()
    await first.log_out()
    first.close()
    refused = await peer()
    assert await refused.log_in("iqn.2025-12.test:nobody")
    refused.close()
    lost = await peer()
    await lost.log_in(isid=OTHER_ISID)
    lost.close()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    path = tmp_path_factory.mktemp("replay") / "trace.pcapng"
    server = Server(
        [Target(NAME, Slow(MemoryDisk("1MiB"), read_ms=60_000))], ["127.0.0.1:0"], trace=path
    )
    heard = server.feed.subscribe()

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            (address,) = await nursery.start(server.serve)
            await converse(address)
            while server.conversations:
                await trio.testing.wait_all_tasks_blocked(0.001)
            nursery.cancel_scope.cancel()

    trio.run(serve)
    return Recorded(path.read_bytes(), heard.take(9999))


def played(capture: bytes) -> tuple[Replay, list[Message]]:
    replayed = Replay(io.BytesIO(capture))
    heard = replayed.feed.subscribe()
    while replayed.step():
        pass
    return replayed, heard.take(9999)


def by_connection(
    said: list[Message], kind: str, *names: str
) -> dict[int, list[tuple[object, ...]]]:
    """Some fields of the messages of a type, for each connection in its order."""
    found: dict[int, list[tuple[object, ...]]] = {}
    for message in of(said, kind):
        values = tuple(message[name] for name in names)
        found.setdefault(message["connection"], []).append(values)
    return found


EVERYTHING = [
    ("pdu", ("number", "sender", "summary", "header", "data")),
    ("transition", ("machine", "label", "from", "to", "cause", "sentence", "effects")),
    ("task", ("itt", "name", "state", "status")),
    ("keys", ("rows",)),
    ("connection", ("peer", "portal")),
]


@pytest.mark.parametrize(("kind", "names"), EVERYTHING, ids=lambda each: str(each)[:10])
def test_a_trace_tells_what_the_server_told(
    recorded: Recorded, kind: str, names: tuple[str, ...]
) -> None:
    replayed, said = played(recorded.capture)
    assert said[0]["source"] == "capture"
    live = by_connection(recorded.said, kind, *names)
    if kind == "transition":
        # What comes after the last packet is in no packet's comment.
        live[3] = [row for row in live[3] if row[0] != "cleanup"]
    assert live
    assert by_connection(said, kind, *names) == live
    assert replayed.complaint == ""


def test_of_other_captures_the_transitions_are_found_by_what_is_seen(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = replay.read_capture

    def without_comments(file: io.BytesIO) -> Iterator[Packet]:
        return (attrs.evolve(packet, comments=()) for packet in read(file))

    monkeypatch.setattr(replay, "read_capture", without_comments)
    _, said = played(recorded.capture)

    def seen(messages: list[Message], number: int, *machines: str) -> list[tuple[object, ...]]:
        rows = by_connection(messages, "transition", "machine", "label")[number]
        return [row for row in rows if row[0] in machines]

    for number in (1, 3):
        both = seen(said, number, "connection", "session")
        assert both == seen(recorded.said, number, "connection", "session")
    # Whether a login that is refused had a session already is not seen on the wire.
    assert seen(said, 2, "connection") == seen(recorded.said, 2, "connection")


def test_at_the_end_nothing_is_left_of_connections_that_ended(recorded: Recorded) -> None:
    replayed, _ = played(recorded.capture)
    hello = replayed.feed.hello()
    assert (hello["connections"], hello["sessions"]) == ([], [])


def test_the_time_is_that_of_the_capture(recorded: Recorded) -> None:
    replayed = Replay(io.BytesIO(recorded.capture))
    heard = replayed.feed.subscribe()
    first = replayed.due
    assert first is not None
    assert replayed.step()
    hello, *_ = heard.take()
    assert hello["at"] == first
    while replayed.step():
        pass
    assert replayed.due is None
    assert not replayed.step()
    times = [message["at"] for message in heard.take(9999)]
    assert times == sorted(times)


def test_a_capture_that_is_cut_is_played_as_far_as_it_goes(recorded: Recorded) -> None:
    replayed, said = played(recorded.capture[:-2500])
    assert replayed.complaint.startswith("the capture ends in the middle of a packet, after ")
    assert of(said, "note")[-1]["text"] == replayed.complaint


def test_what_is_no_capture_is_refused_at_once() -> None:
    with pytest.raises(CaptureError, match="no pcap"):
        Replay(io.BytesIO(b"hello, world"))


def test_connections_without_end_do_not_fill_memory(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "MOST_CONNECTIONS", 0)
    replayed, said = played(recorded.capture)
    assert len(replayed._known) == 0
    assert of(said, "closed")


def test_a_capture_without_connections_says_so() -> None:
    header = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
    packet = bytes.fromhex("01000000000000000e0000000e000000") + bytes(12) + b"\x08\x06"
    replayed = Replay(io.BytesIO(header + packet))
    assert replayed.step()
    assert replayed.complaint == "there is no TCP connection in the capture"


def test_a_capture_without_packets_has_no_time() -> None:
    header = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
    replayed = Replay(io.BytesIO(header))
    assert replayed.due is None
    assert not replayed.step()
