from __future__ import annotations

import io
from pathlib import Path

import pytest
import trio

from tests.server.peer import NAME, Peer
from tests.teaching.live.test_replay import Recorded, recorded  # noqa: F401 - a fixture
from trioscsi import MemoryDisk, Target
from trioscsi.cli.terminal import source
from trioscsi.cli.terminal.source import THE_END, CaptureSource, ServerSource
from trioscsi.server.control.client import Client
from trioscsi.teaching.live import Filter, Message, Replay


async def until(here: ServerSource, kind: str) -> list[Message]:
    said: list[Message] = []
    with trio.fail_after(10):
        while not any(message["type"] == kind for message in said):
            await trio.testing.wait_all_tasks_blocked(0.01)
            said += here.take(99)
    return said


async def test_messages_of_a_server_come_and_pdus_are_explained(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    path = tmp_path / "control"
    target = Target(NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0", control=path)
    (address,) = await nursery.start(target.serve)
    client = await trio.to_thread.run_sync(Client, path)
    here = ServerSource(client, Filter(types=["pdu", "closed"]))
    sock = trio.socket.socket()
    await sock.connect(address)
    peer = Peer(sock)
    await peer.log_in()
    await peer.log_out()
    peer.close()
    said = await until(here, "closed")
    assert [message.get("name") for message in said if message["type"] == "pdu"] == [
        "LoginRequest",
        "LoginResponse",
        "LogoutRequest",
        "LogoutResponse",
    ]
    here.advance(1.0)
    assert not here.forward()
    here.explain(1, 1)
    here.explain(9, 9)
    answers: list[Message] = []
    with trio.fail_after(10):
        while len(answers) < 2:
            await trio.testing.wait_all_tasks_blocked(0.01)
            answers += here.explained()
    assert answers[0]["title"] == "Login Request"
    assert answers[1]["error"] == "PDU 9 of connection 9 is not remembered"
    assert here.over == ""
    await target.stop()
    with trio.fail_after(10):
        while not here.over:
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert here.over == "the server is gone"
    here.explain(1, 1)
    assert here.explained()[0]["error"].startswith("the server is gone")
    await trio.to_thread.run_sync(here.close)
    nursery.cancel_scope.cancel()


class Talking:
    """A client whose server has said all it will say."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages

    def send(self, name: str, **arguments: object) -> int:
        return 1

    def messages(self) -> list[Message]:
        return self._messages

    def close(self) -> None:
        pass


def test_while_nobody_looks_detail_is_left_out_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "MOST_WAITING", 3)
    pdus: list[Message] = [{"type": "pdu", "at": float(number)} for number in range(5)]
    here = ServerSource(Talking([*pdus, {"type": "closed", "at": 9.0}]), Filter())  # type: ignore[arg-type]
    here.close()
    said = here.take(99)
    assert [message["type"] for message in said] == ["pdu", "pdu", "pdu", "closed"]
    here._keep({"type": "pdu", "at": 10.0})
    gap, pdu = here.take(99)
    assert (gap["type"], gap["messages"]) == ("dropped", {"pdu": 2})
    assert pdu["at"] == 10


def test_a_capture_is_played_in_its_own_time(recorded: Recorded) -> None:  # noqa: F811
    replay = Replay(io.BytesIO(recorded.capture))
    here = CaptureSource(replay, Filter())
    first = replay.due
    assert first is not None
    here.advance(0.0)
    assert here.take(9)[0]["type"] == "hello"
    assert replay.due is None or replay.due >= first
    assert here.over == ""
    for _ in range(50):
        here.advance(0.5)
        here.take(9999)
    assert here.over == THE_END


def test_long_gaps_are_passed_over(recorded: Recorded) -> None:  # noqa: F811
    replay = Replay(io.BytesIO(recorded.capture))
    here = CaptureSource(replay, Filter())
    here._now -= 5000
    here.advance(0.0)
    assert replay.packets == 0
    here.advance(source.LONGEST_GAP)
    assert replay.packets > 0


def test_what_is_far_behind_is_played_bit_by_bit(
    recorded: Recorded,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "_MOST_PACKETS", 2)
    replay = Replay(io.BytesIO(recorded.capture))
    here = CaptureSource(replay, Filter())
    here.advance(1e9)
    assert replay.packets == 2
    monkeypatch.setattr(source, "_ENOUGH", 0)
    here.advance(1e9)
    assert replay.packets == 2


def test_a_capture_goes_forward_by_packets_and_explains(recorded: Recorded) -> None:  # noqa: F811
    replay = Replay(io.BytesIO(recorded.capture))
    here = CaptureSource(replay, Filter(types=["pdu"], pdus=["LoginRequest"], connections=[1]))
    while here.forward():
        pass
    (login,) = [message for message in here.take(999) if message["type"] == "pdu"]
    here.explain(login["connection"], login["number"])
    here.explain(99, 1)
    explained, error = here.explained()
    assert explained["title"] == "Login Request"
    assert error["error"] == "PDU 1 of connection 99 is not remembered"
    assert here.over == THE_END
    here.close()


def test_a_capture_that_is_cut_says_so_at_its_end(recorded: Recorded) -> None:  # noqa: F811
    here = CaptureSource(Replay(io.BytesIO(recorded.capture[:-2500])), Filter())
    while here.forward():
        here.take(9999)
    here.take(9999)
    assert here.over.startswith("the capture ends in the middle of a packet")
