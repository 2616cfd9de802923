from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trioscsi.backends.lookout import lookout
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


class Turn:
    """Does what the test says."""

    def __init__(
        self,
        hear: Callable[[], bool],
        act: Callable[[], object] = list,
        answer: Callable[[], object] = list,
    ) -> None:
        self.hear_now, self.act_now, self.answer_now = hear, act, answer

    def hear(self, now: float) -> bool:
        return self.hear_now()

    def act(self) -> None:
        self.act_now()

    def answer(self) -> None:
        self.answer_now()


class Listener(Turn):
    """Takes one byte a turn."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(self.take)
        self.sock = sock
        self.heard = b""
        self.change = trio.Event()

    def take(self) -> bool:
        self.heard += self.sock.recv(1)
        self.change.set()
        return False

    async def hears(self, expected: bytes) -> None:
        while self.heard != expected:
            self.change = trio.Event()
            await self.change.wait()


class Sleepless:
    """The epoll of a reactor, which does not sleep: it does something else meanwhile."""

    def __init__(self, reactor: Reactor) -> None:
        self.epoll = reactor._epoll
        reactor._epoll = self  # type: ignore[assignment]
        self.sleeps = self.looks = 0
        self.meanwhile: Callable[[], object] = list

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        if timeout:
            self.sleeps += 1
            self.meanwhile()
        else:
            self.looks += 1
        return self.epoll.poll(0, most)

    def fileno(self) -> int:
        return self.epoll.fileno()

    def register(self, fd: int, events: int) -> None:
        self.epoll.register(fd, events)


async def test_who_has_something_to_say_gets_turns(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    reactor = Reactor()
    nursery.start_soon(reactor.run)
    listeners = [Listener(ours) for ours, _ in pairs]
    for listener in listeners:
        reactor.add(listener.sock, listener)
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

    def turn() -> bool:
        ours.setblocking(False)
        if (more := next(turns)) is False:
            ours.recv(10)
            done.set()
        return more

    reactor.add(ours, Turn(turn))
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

    def turn_of_the_greedy_one() -> bool:
        order.append("greedy")
        more = order.count("greedy") < 3
        if not more:
            greedy.recv(1)
        return more

    def turn_of_the_modest_one() -> bool:
        order.append("modest")
        modest.recv(1)
        if order.count("modest") == 3:
            done.set()
        return False

    reactor.add(greedy, Turn(turn_of_the_greedy_one))
    reactor.add(modest, Turn(turn_of_the_modest_one))
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
    reactor.add(ours, listener)
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

    reactor.add(first, Turn(lambda: turn(first, second)))
    reactor.add(second, Turn(lambda: turn(second, first)))
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

    def turn() -> bool:
        if let_in.is_set():
            ours.recv(1)
            return False
        reactor.nudge()
        return True  # always something left to do

    reactor.add(ours, Turn(turn))
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
        reactor.add(listener.sock, listener)
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


async def test_connections_that_are_ready_take_each_part_of_their_turns_together(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    reactor = Reactor()
    order: list[str] = []
    done = trio.Event()

    def hear(number: int, sock: socket.socket) -> bool:
        sock.recv(1)
        order.append(f"hear {number}")
        return False

    def answer(number: int) -> None:
        order.append(f"answer {number}")
        if len(order) == 9:
            done.set()

    for number, (ours, theirs) in enumerate(pairs):
        turn = Turn(
            partial(hear, number, ours),
            partial(order.append, f"act {number}"),
            partial(answer, number),
        )
        reactor.add(ours, turn)
        theirs.send(b"x")
    nursery.start_soon(reactor.run)
    await done.wait()
    parts = ("hear", "act", "answer")
    assert order == [f"{part} {number}" for part in parts for number in range(3)]


async def test_a_crowd_is_answered_before_all_of_it_was_heard(nursery: trio.Nursery) -> None:
    reactor = Reactor()
    order: list[str] = []
    crowd = [socket.socketpair() for _ in range(40)]

    def hear(sock: socket.socket) -> bool:
        sock.recv(1)
        order.append("hear")
        return False

    for ours, theirs in crowd:
        reactor.add(ours, Turn(partial(hear, ours), answer=partial(order.append, "answer")))
        theirs.send(b"x")
    nursery.start_soon(reactor.run)
    await wait_all_tasks_blocked()
    for pair in crowd:
        for sock in pair:
            sock.close()
    assert order.count("hear") == order.count("answer") == 40
    assert "hear" in order[order.index("answer") :]


async def test_a_turn_that_cannot_send_its_answers_is_the_last_one(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    (ours, theirs), *_ = pairs
    reactor = Reactor()
    turns = 0

    def hear() -> bool:
        nonlocal turns
        turns += 1
        return True

    reactor.add(ours, Turn(hear, answer=lambda: reactor.pause(ours)))
    theirs.send(b"x")
    nursery.start_soon(reactor.run)
    await wait_all_tasks_blocked()
    assert turns == 1


async def test_a_reactor_that_sleeps_in_vain_does_so_less_often(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    (ours, theirs), *_ = pairs
    reactor = Reactor()
    epoll, listener = Sleepless(reactor), Listener(ours)
    reactor.add(ours, listener)
    nursery.start_soon(reactor.run)

    async def say(words: int) -> int:
        before = epoll.sleeps
        for _ in range(words):
            theirs.send(b"!")
            await wait_all_tasks_blocked()
        return epoll.sleeps - before

    assert await say(64) == 7
    assert await say(640) == 10
    # As soon as something comes of a sleep, it sleeps each time.
    words = iter(range(100))
    epoll.meanwhile = lambda: next(words, None) is not None and theirs.send(b"?")
    assert await say(64) > 100
    assert listener.heard.count(b"!") == 768


async def test_work_of_others_is_stood_by_as_long_as_it_is_short(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    (ours, theirs), *_ = pairs
    reactor, heard = Reactor(), 0

    def hear() -> bool:
        nonlocal heard
        heard += len(ours.recv(100))
        nursery.start_soon(work, passes)
        reactor.elsewhere += 1
        return False

    async def work(passes: int) -> None:
        for _ in range(passes):
            await trio.lowlevel.checkpoint()
        reactor.elsewhere -= 1

    reactor.add(ours, Turn(hear))
    epoll = Sleepless(reactor)
    nursery.start_soon(reactor.run)

    async def looks(words: int) -> int:
        before = epoll.looks
        for _ in range(words):
            theirs.send(b"!")
            await wait_all_tasks_blocked()
        return epoll.looks - before

    passes = 3
    assert await looks(64) >= 64 * 5
    passes = 20  # it gives up: seldom enough that it hardly counts
    assert await looks(64) < 64 * 2 + 7 * 10
    passes = 3
    await looks(64)
    assert await looks(64) >= 64 * 5
    assert heard == 4 * 64


class Passes(trio.abc.Instrument):
    """Counts how often trio looks for what other tasks wait for."""

    count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


async def test_what_ends_by_itself_is_told_of_without_letting_others_in(
    nursery: trio.Nursery, pairs: list[Pair], mock_clock: MockClock
) -> None:
    (ours, theirs), (storage, device), _ = pairs
    reactor, passes, heard = Reactor(), Passes(), b""

    def hear() -> bool:
        nonlocal heard
        heard += ours.recv(1)
        reactor.elsewhere += 1
        lookout().under_way += 1
        device.send(b"done")
        return False

    def ended() -> None:
        storage.recv(4)
        reactor.elsewhere -= 1
        lookout().under_way -= 1
        if len(heard) < 50:
            theirs.send(b"x")

    reactor.add(ours, Turn(hear))
    lookout().watch(storage.fileno(), ended)
    nursery.start_soon(reactor.run)
    await wait_all_tasks_blocked()
    trio.lowlevel.add_instrument(passes)
    theirs.send(b"x")
    await wait_all_tasks_blocked()
    trio.lowlevel.remove_instrument(passes)
    assert len(heard) == 50
    assert reactor.elsewhere == 0
    assert not reactor.crowded
    assert passes.count < 50
    lookout().unwatch(storage.fileno())


async def test_answers_of_what_has_ended_by_itself_are_sent_together(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    reactor = Reactor()
    order: list[str] = []

    class Owing:
        def __init__(self, number: int) -> None:
            self.number = number

        def report(self) -> None:
            order.append(f"report {self.number}")

    def ended(sock: socket.socket, owing: Owing) -> None:
        sock.recv(1)
        order.append("end")
        assert reactor.completions.collects_from(owing)

    owing = [Owing(number) for number in range(2)]
    assert not reactor.completions.collects_from(owing[0])
    for (ours, theirs), each in zip(pairs, [*owing, owing[0]], strict=True):
        lookout().watch(ours.fileno(), partial(ended, ours, each))
        theirs.send(b"!")
    nursery.start_soon(reactor.run)
    await wait_all_tasks_blocked()
    assert sorted(order) == ["end", "end", "end", "report 0", "report 1"]
    assert order[:3] == ["end"] * 3
    for ours, _ in pairs:
        lookout().unwatch(ours.fileno())


async def test_a_reactor_that_ends_leaves_what_is_under_way_to_a_task(pairs: list[Pair]) -> None:
    (storage, device), *_ = pairs
    ended = trio.Event()

    def end() -> None:
        storage.recv(1)
        ended.set()

    lookout().watch(storage.fileno(), end)
    async with trio.open_nursery() as reactors:
        reactors.start_soon(Reactor().run)
        await wait_all_tasks_blocked()
        reactors.cancel_scope.cancel()
    device.send(b"!")
    await ended.wait()
    lookout().unwatch(storage.fileno())


async def test_what_a_turn_leaves_for_its_end_is_done_before_the_reactor_sleeps(
    nursery: trio.Nursery, pairs: list[Pair]
) -> None:
    (ours, theirs), *_ = pairs
    reactor, done = Reactor(), []

    def hear() -> bool:
        ours.recv(1)
        lookout().soon(lambda: done.append("submitted"))
        assert not done
        return False

    reactor.add(ours, Turn(hear))
    nursery.start_soon(reactor.run)
    theirs.send(b"x")
    await wait_all_tasks_blocked()
    assert done == ["submitted"]
    assert lookout().due == []
    assert not lookout().awake
