from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trioscsi.server.reactor import Reactor

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    made = [socket.socketpair() for _ in range(3)]
    for ours, _ in made:
        ours.setblocking(False)
    yield made
    for pair in made:
        for sock in pair:
            sock.close()


class Listener:
    """Takes one byte a turn."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.heard = b""
        self.change = trio.Event()

    def turn(self, now: float) -> bool:
        self.heard += self.sock.recv(1)
        self.change.set()
        return False

    async def hears(self, expected: bytes) -> None:
        while self.heard != expected:
            self.change = trio.Event()
            await self.change.wait()


async def test_who_has_something_to_say_gets_turns(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    reactor = Reactor()
    nursery.start_soon(reactor.run)
    listeners = [Listener(ours) for ours, _ in pairs]
    for listener in listeners:
        reactor.add(listener.sock, listener.turn)
    for number, (_, theirs) in enumerate(pairs):
        theirs.send(b"%d!" % number)
    for number, listener in enumerate(listeners):
        await listener.hears(b"%d!" % number)
        reactor.remove(listener.sock)


async def test_a_turn_that_left_something_over_is_followed_by_another(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    (ours, theirs), *_ = pairs
    reactor = Reactor()
    turns = iter([True, True, False])
    done = trio.Event()

    def turn(now: float) -> bool:
        ours.setblocking(False)
        if (more := next(turns)) is False:
            ours.recv(10)
            done.set()
        return more

    reactor.add(ours, turn)
    theirs.send(b"x")
    nursery.start_soon(reactor.run)
    await done.wait()
    assert next(turns, None) is None


async def test_who_left_something_over_comes_after_those_who_did_not(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    reactor = Reactor()
    order: list[str] = []
    done = trio.Event()
    (greedy, greedy_peer), (modest, modest_peer), _ = pairs

    def turn_of_the_greedy_one(now: float) -> bool:
        order.append("greedy")
        more = order.count("greedy") < 3
        if not more:
            greedy.recv(1)
        return more

    def turn_of_the_modest_one(now: float) -> bool:
        order.append("modest")
        modest.recv(1)
        if order.count("modest") == 3:
            done.set()
        return False

    reactor.add(greedy, turn_of_the_greedy_one)
    reactor.add(modest, turn_of_the_modest_one)
    greedy_peer.send(b"x")
    modest_peer.send(b"xxx")
    nursery.start_soon(reactor.run)
    await done.wait()
    await wait_all_tasks_blocked()
    assert order[2:] == ["modest", "greedy", "modest", "greedy"]


async def test_a_paused_connection_gets_no_turn_even_if_it_breaks(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    (ours, theirs), *_ = pairs
    reactor = Reactor()
    nursery.start_soon(reactor.run)
    listener = Listener(ours)
    reactor.add(ours, listener.turn)
    reactor.pause(ours)
    theirs.send(b"x")
    theirs.close()
    await wait_all_tasks_blocked()
    assert listener.heard == b""
    reactor.resume(ours)
    await listener.hears(b"x")
    reactor.pause(ours)
    reactor.remove(ours)


async def test_a_connection_may_be_forgotten_by_the_turn_of_another(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    reactor = Reactor()
    done = trio.Event()
    (first, first_peer), (second, second_peer), _ = pairs
    turns = []

    def turn(own: socket.socket, other: socket.socket) -> bool:
        own.recv(1)
        turns.append(own)
        reactor.remove(other)
        done.set()
        return False

    reactor.add(first, lambda now: turn(first, second))
    reactor.add(second, lambda now: turn(second, first))
    first_peer.send(b"x")
    second_peer.send(b"x")
    nursery.start_soon(reactor.run)
    await done.wait()
    await wait_all_tasks_blocked()
    assert len(turns) == 1


@pytest.mark.parametrize("elsewhere", [0, 1])
async def test_other_tasks_are_let_in_while_connections_are_busy(
    nursery: trio.Nursery, pairs: list[Pair], elsewhere: int
) -> None:
    (ours, theirs), *_ = pairs
    reactor = Reactor()
    reactor.elsewhere = elsewhere
    let_in = trio.Event()

    def turn(now: float) -> bool:
        if let_in.is_set():
            ours.recv(1)
            return False
        reactor.nudge()
        return True  # always something left to do

    reactor.add(ours, turn)
    theirs.send(b"x")
    nursery.start_soon(reactor.run)
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    let_in.set()
    await wait_all_tasks_blocked()


async def test_connections_that_are_busy_at_once_make_a_crowd(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    reactor = Reactor()
    listeners = [Listener(ours) for ours, _ in pairs]
    for listener in listeners:
        reactor.add(listener.sock, listener.turn)
    pairs[0][1].send(b"x")
    nursery.start_soon(reactor.run)
    await listeners[0].hears(b"x")
    assert not reactor.crowded
    for _, theirs in pairs:
        theirs.send(b"y")
    await listeners[0].hears(b"xy")
    assert reactor.crowded
    pairs[0][1].send(bytes(200))  # a byte a turn
    await listeners[0].hears(b"xy" + bytes(200))
    assert not reactor.crowded


async def test_answers_are_sent_when_those_that_are_ready_have_had_their_turns(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    reactor = Reactor()
    order: list[str] = []
    done = trio.Event()

    def turn(number: int, sock: socket.socket, now: float) -> bool:
        sock.recv(1)
        order.append(f"turn {number}")
        reactor.send_later(lambda: send(number))
        return False

    def send(number: int) -> None:
        order.append(f"send {number}")
        if len(order) == 6:
            done.set()

    for number, (ours, theirs) in enumerate(pairs):
        reactor.add(ours, partial(turn, number, ours))
        theirs.send(b"x")
    nursery.start_soon(reactor.run)
    await done.wait()
    assert order == ["turn 0", "turn 1", "turn 2", "send 0", "send 1", "send 2"]


async def test_a_turn_that_cannot_send_its_answers_is_the_last_one(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    (ours, theirs), *_ = pairs
    reactor = Reactor()
    turns = 0

    def turn(now: float) -> bool:
        nonlocal turns
        turns += 1
        reactor.send_later(lambda: reactor.pause(ours))
        return True

    reactor.add(ours, turn)
    theirs.send(b"x")
    nursery.start_soon(reactor.run)
    await wait_all_tasks_blocked()
    assert turns == 1
