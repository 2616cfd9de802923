from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.server.peer import NAME, Peer, is_unharmed
from trioscsi import MemoryDisk, PortalError, Target
from trioscsi.server.control import caller, control
from trioscsi.server.control.requests import MOST_LINE


@attrs.define
class Asking:
    """A program at the control socket."""

    stream: trio.SocketStream
    _buffer: bytearray = attrs.field(factory=bytearray)

    async def send(self, **request: Any) -> None:
        await self.stream.send_all(json.dumps(request).encode() + b"\n")

    async def next(self) -> Any:
        """The next message; None if the server has ended the conversation."""
        with trio.fail_after(10):
            while (end := self._buffer.find(b"\n")) < 0:
                try:
                    data = await self.stream.receive_some()
                except trio.BrokenResourceError:
                    return None
                if not data:
                    return None
                self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return json.loads(line)

    async def ask(self, **request: Any) -> Any:
        """The answer to a request; messages of the feed before it are passed over."""
        await self.send(**request)
        while (message := await self.next())["type"] not in ("answer", "error"):
            pass
        return message

    async def until(self, kind: str) -> Any:
        while (message := await self.next())["type"] != kind:
            pass
        return message


@attrs.define
class House:
    path: Path
    address: tuple[str, int]
    target: Target
    streams: list[trio.SocketStream] = attrs.field(factory=list)

    async def knock(self) -> Asking:
        self.streams.append(await trio.open_unix_socket(str(self.path)))
        return Asking(self.streams[-1])

    async def asking(self) -> Asking:
        asking = await self.knock()
        welcome = await asking.next()
        assert (welcome["type"], welcome["version"]) == ("welcome", caller.VERSION)
        return asking

    async def peer(self) -> Peer:
        sock = trio.socket.socket()
        await sock.connect(self.address)
        peer = Peer(sock)
        await peer.log_in()
        await peer.do(bytes(6))
        return peer


@pytest.fixture
async def house(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[House]:
    path = tmp_path / "control"
    target = Target(NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0", control=path)
    (address,) = await nursery.start(target.serve)
    house = House(path, address, target)
    yield house
    for stream in house.streams:
        await trio.aclose_forcefully(stream)
    nursery.cancel_scope.cancel()


async def test_a_subscriber_hears_what_happens(house: House) -> None:
    asking = await house.asking()
    answer = await asking.ask(id=1, request="subscribe", types=["transition", "closed"])
    assert answer == {"type": "answer", "id": 1}
    assert (await asking.next())["type"] == "hello"
    peer = await house.peer()
    await peer.log_out()
    labels = []
    while (message := await asking.next())["type"] == "transition":
        if message["machine"] == "connection":
            labels.append(message["label"])
    assert labels == ["T3", "T4", "T5", "T9", "T13"]
    assert message["type"] == "closed"
    peer.close()


async def test_after_unsubscribing_nothing_comes_but_answers(house: House) -> None:
    asking = await house.asking()
    await asking.ask(request="subscribe")
    assert await asking.ask(id=2, request="unsubscribe") == {"type": "answer", "id": 2}
    peer = await house.peer()
    await asking.send(id=3, request="snapshot")
    snapshot = await asking.next()
    assert snapshot["id"] == 3
    assert snapshot["snapshot"]["connections"][0]["states"]["connection"] == "LOGGED_IN"
    answer = await asking.ask(id=4, request="unsubscribe")
    assert answer == {"type": "error", "id": 4, "error": "there is no subscription"}
    # And it may begin again.
    await asking.ask(request="subscribe")
    assert (await asking.next())["type"] == "hello"
    peer.close()


async def test_there_is_one_subscription_at_a_time(house: House) -> None:
    asking = await house.asking()
    await asking.ask(request="subscribe")
    answer = await asking.ask(id=2, request="subscribe")
    assert answer["error"] == "there is a subscription already: unsubscribe first"


async def test_a_pdu_is_explained_by_its_number(house: House) -> None:
    asking = await house.asking()
    await asking.ask(request="subscribe", types=["pdu"], pdus=["LoginRequest"])
    peer = await house.peer()
    pdu = await asking.until("pdu")
    answer = await asking.ask(request="explain", connection=pdu["connection"], number=pdu["number"])
    assert answer["explained"]["title"] == "Login Request"
    answer = await asking.ask(request="explain", connection=9, number=1)
    assert answer["error"] == "PDU 1 of connection 9 is not remembered"
    peer.close()


async def test_what_is_wrong_is_answered_and_the_next_request_heard(house: House) -> None:
    asking = await house.asking()
    await asking.stream.send_all(b"what?\n\n  \n")
    assert (await asking.next())["error"].startswith("this is no JSON")
    answer = await asking.ask(id="x", request="snapshot", of="all")
    assert answer == {"type": "error", "id": "x", "error": "snapshot has no 'of'"}
    assert (await asking.ask(id=1, request="snapshot"))["type"] == "answer"


async def test_a_line_that_is_too_long_is_passed_over(house: House) -> None:
    asking = await house.asking()
    await asking.stream.send_all(b"x" * (3 * MOST_LINE) + b'\n{"id":1,"request":"snapshot"}\n')
    error = await asking.next()
    assert error == {"type": "error", "id": None, "error": "a request has at most 65536 bytes"}
    assert (await asking.next())["id"] == 1


async def test_who_does_not_read_holds_nobody_up(house: House) -> None:
    asking = await house.asking()
    await asking.send(request="subscribe")
    peer = await house.peer()
    for number in range(300):
        await peer.write(number % 9, bytes(512))
    assert await is_unharmed(peer)
    await asking.stream.aclose()
    assert await is_unharmed(peer)
    peer.close()


async def test_too_many_programs_are_turned_away(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "trioscsi")
    monkeypatch.setattr(control, "MOST_CALLERS", 1)
    asking = await house.asking()
    other = await house.knock()
    assert await other.next() is None
    assert "more than 1 programs ask" in caplog.text
    await asking.stream.aclose()


async def test_a_fault_of_ours_ends_one_conversation(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "trioscsi")
    asking, other = await house.asking(), await house.asking()
    with monkeypatch.context() as patch:
        patch.setattr("trioscsi.teaching.live.Feed.explain", None)
        await asking.send(request="explain", connection=1, number=1)
        assert await asking.next() is None
        await trio.testing.wait_all_tasks_blocked()
    assert "the control socket: a fault of ours" in caplog.text
    assert (await other.ask(request="snapshot"))["type"] == "answer"


async def test_the_socket_goes_with_the_server(house: House) -> None:
    asking = await house.asking()
    await house.target.stop()
    assert await asking.next() is None
    await trio.testing.wait_all_tasks_blocked()
    assert not house.path.exists()


async def test_a_socket_that_cannot_be_made_is_told_at_once(tmp_path: Path) -> None:
    target = Target(NAME, listen="127.0.0.1:0", control=tmp_path / "nowhere" / "control")
    with pytest.raises(PortalError, match="cannot listen at"):
        await target.serve()
