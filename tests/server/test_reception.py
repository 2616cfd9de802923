from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.server.peer import NAME, Peer
from trioscsi import Limits, MemoryDisk, Target
from trioscsi.protocol import Node
from trioscsi.server.access import Door
from trioscsi.server.conversation import Conversation
from trioscsi.server.reception import Reception
from trioscsi.text import Offer

LIMITS = Limits(connections=3, logins=2)


class Place:
    """A reception for one target, and peers that come in over pairs of sockets."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.target = Target(NAME, MemoryDisk("1MiB"))
        self.reception = Reception(LIMITS, lambda _: self.target.performer)
        self.peers: list[Peer] = []
        self._nursery = nursery
        nursery.start_soon(self.reception.reactor.run)

    @property
    def next_peer(self) -> tuple[str, int]:
        return "127.0.0.1", 50_000 + self.reception.accepted

    def connect(self) -> tuple[Peer, Conversation]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        door = Door(
            {NAME: self.target.guarded}, Node("", Offer()), self.next_peer, [(("127.0.0.1", 1), 1)]
        )
        conversation = self.reception.let_in(self._nursery, ours, self.next_peer, door)
        theirs.setblocking(False)
        peer = Peer(trio.socket.from_stdlib_socket(theirs), patience=1e6)
        self.peers.append(peer)
        return peer, conversation

    async def session(self) -> tuple[Peer, Conversation]:
        peer, conversation = self.connect()
        isid = b"\x80test" + bytes([len(self.peers)])
        assert await peer.log_in(isid=isid) == 0
        return peer, conversation


@pytest.fixture
async def place(nursery: trio.Nursery) -> AsyncIterator[Place]:
    place = Place(nursery)
    yield place
    for peer in place.peers:
        peer.close()


async def test_who_leaves_is_in_no_list_any_more(place: Place, autojump_clock: MockClock) -> None:
    peer, conversation = await place.session()
    assert place.reception.conversations == [conversation]
    await peer.log_out()
    await trio.sleep(1)
    assert place.reception.conversations == []
    assert place.reception.accepted == 1


async def test_the_oldest_login_gives_way_where_too_many_are_under_way(
    place: Place, autojump_clock: MockClock
) -> None:
    (_, first), (_, second) = place.connect(), place.connect()
    assert place.reception.refusal(place.next_peer) is None
    await trio.sleep(1)
    assert place.reception.conversations == [second]
    assert first.connection.closed


async def test_sessions_give_way_to_nobody(place: Place, autojump_clock: MockClock) -> None:
    talks = [(await place.session())[1] for _ in range(3)]
    assert place.reception.refusal(place.next_peer) == "there is no room for another connection"
    assert place.reception.conversations == talks


async def test_who_is_seen_off_is_asked_and_then_dropped_and_no_other_is(
    place: Place, autojump_clock: MockClock
) -> None:
    _, stays = await place.session()
    _, goes = await place.session()
    began = trio.current_time()
    await place.reception.see_off(lambda talk: talk is goes, 4, "it has to go")
    assert 4 <= trio.current_time() - began < 5
    await trio.sleep(1)
    assert place.reception.conversations == [stays]


async def test_a_fault_of_ours_ends_one_conversation_alone(
    place: Place,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    peer, stays = await place.session()
    _, faulty = await place.session()

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(faulty.connection, "handle_timer", fail)
    faulty.connection.deadlines.set("soon", trio.current_time(), lambda: None)
    faulty._timer.cancel()
    await trio.sleep(1)
    assert place.reception.conversations == [stays]
    assert f"the connection from {faulty.peer} ended by a fault of ours" in caplog.messages
    await peer.log_out()


async def test_a_fault_of_ours_that_comes_again_at_the_end_leaves_nothing_behind(
    place: Place,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    peer, faulty = await place.session()

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(faulty.connection, "lost", fail)
    peer.close()
    await trio.sleep(1)
    assert place.reception.conversations == []
    assert faulty._socket.fileno() == -1
    assert faulty._performer is not None
    assert not faulty._performer.executors
    assert f"the connection from {faulty.peer} ended by a fault of ours" in caplog.messages
