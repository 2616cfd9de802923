from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trioscsi.backends import Abilities, in_thread
from trioscsi.backends.lookout import lookout
from trioscsi.backends.threads import Threads
from trioscsi.errors import BackendError, OutOfSpace


class Shelf:
    """A synchronous disk that answers when it is told to."""

    block_size = 512
    blocks = 8

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.arrived = threading.Event()
        self.log: list[str] = []

    def read(self, lba: int, blocks: int) -> bytes:
        self.arrived.set()
        assert self.go_on.wait(10)
        self.log.append("read")
        return bytes(512 * blocks)

    def write(self, lba: int, data: object) -> None:
        raise OSError(5, "Input/output error")


async def arrival(shelf: Shelf) -> None:
    assert await trio.to_thread.run_sync(shelf.arrived.wait, 10)


class ClosingShelf(Shelf):
    def flush(self) -> None:
        self.log.append("flush")

    def close(self) -> None:
        self.log.append("close")

    def read_now(self, lba: int, blocks: int) -> bytes | None:
        return None


async def test_methods_run_in_threads_and_return_what_they_return() -> None:
    shelf = Shelf()
    shelf.go_on.set()
    assert await in_thread(shelf).read(0, 2) == bytes(1024)


def test_the_abilities_are_those_of_the_device() -> None:
    bare = Abilities.of(in_thread(Shelf()))
    assert bare == Abilities(abandon=bare.abandon)
    able = Abilities.of(in_thread(ClosingShelf()))
    assert able.flush is not None
    assert able.close is not None
    assert able.read_now is None


async def test_an_error_of_the_system_says_where_it_happened() -> None:
    with pytest.raises(BackendError, match="Shelf: Input/output error"):
        await in_thread(Shelf()).write(0, bytes(512))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
async def test_no_space_is_an_error_of_its_own(code: int) -> None:
    def fail() -> None:
        raise OSError(code, "no room")

    with pytest.raises(OutOfSpace, match=r"^x: no room$"):
        await Threads("x", width=1).run(fail)


async def test_a_cancelled_call_keeps_its_task_until_it_is_over() -> None:
    shelf = Shelf()
    over = False

    async def read() -> None:
        nonlocal over
        await in_thread(shelf).read(0, 1)
        over = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await arrival(shelf)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked()
        assert not over
        shelf.go_on.set()
    assert over


async def test_closing_waits_for_calls_under_way_and_refuses_new_ones() -> None:
    shelf = ClosingShelf()
    disk = in_thread(shelf)
    close = Abilities.of(disk).close
    assert close is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(disk.read, 0, 1)
        await arrival(shelf)
        nursery.start_soon(close)
        await wait_all_tasks_blocked()
        with pytest.raises(BackendError, match="closed"):
            await disk.read(0, 1)
        shelf.go_on.set()
    await close()
    assert shelf.log == ["read", "close"]


async def test_calls_that_hang_can_be_given_up() -> None:
    shelf = ClosingShelf()
    disk = in_thread(shelf)
    can = Abilities.of(disk)
    assert can.abandon is not None
    assert can.close is not None

    async def read() -> None:
        with pytest.raises(BackendError, match="was given up while a call hung"):
            await disk.read(0, 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await arrival(shelf)
        can.abandon()
    with pytest.raises(BackendError, match="is closed"):
        await disk.read(0, 1)
    await can.close()
    shelf.go_on.set()
    assert "close" not in shelf.log  # the call may still use what that lets go of


async def test_there_is_nothing_to_give_up_where_nothing_hangs() -> None:
    shelf = ClosingShelf()
    shelf.go_on.set()
    disk = in_thread(shelf)
    can = Abilities.of(disk)
    assert can.abandon is not None
    can.abandon()
    assert await disk.read(0, 1) == bytes(512)


async def test_a_call_that_waits_for_a_thread_can_be_called_off() -> None:
    shelf = Shelf()
    disk = in_thread(shelf)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(disk.read, 0, 1)
        await arrival(shelf)
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_when_blocked, scope)
            await disk.read(1, 1)
        assert scope.cancelled_caught
        shelf.go_on.set()
    assert shelf.log == ["read"]


async def _cancel_when_blocked(scope: trio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    scope.cancel()


async def test_calls_run_at_once_and_no_more_than_there_are_threads() -> None:
    three = threading.Barrier(3)
    threads = Threads("disk", width=3)
    running = most = 0

    def call() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        three.wait(10)
        running -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(9):
            nursery.start_soon(threads.run, call)
    assert most == 3


def at_once() -> float:
    """The clock of calls that take no time."""
    return 0.0


async def test_quick_calls_share_a_thread_and_the_loop_is_woken_for_all_of_them() -> None:
    begin, last = threading.Event(), threading.Event()
    wake_ups, results, places = 0, [], set()

    class Watched(Threads):
        def _deliver(self) -> None:
            nonlocal wake_ups
            wake_ups += bool(self._ended)
            super()._deliver()

    def work(number: int) -> int:
        assert begin.wait(10)
        places.add(threading.get_ident())
        if number == 7:
            last.set()
        return number

    async def call(number: int) -> None:
        results.append(await threads.run(work, number))

    threads = Watched("disk", width=4, quick=True, clock=at_once)
    await threads.run(at_once)
    wake_ups = 0
    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(call, number)
        await wait_all_tasks_blocked()
        begin.set()
        assert last.wait(10)  # the loop does nothing else
    assert sorted(results) == list(range(8))
    assert wake_ups <= 2  # the last one may have come too late for the first
    assert len(places) == 1


async def test_who_has_waited_for_long_is_told_before_the_others_have_ended() -> None:
    now = iter(range(100))
    threads = Threads("disk", width=1, quick=True, clock=lambda: next(now))
    go_on, begun = threading.Event(), threading.Event()
    ends: list[int] = []

    def last() -> int:
        begun.set()
        assert go_on.wait(10)
        return 2

    async def call(number: int) -> None:
        ends.append(await threads.run(last if number == 2 else lambda: number))

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(call, number)
            await trio.lowlevel.checkpoint()
        await trio.to_thread.run_sync(begun.wait, 10)
        while len(ends) < 2:
            await trio.lowlevel.checkpoint()
        go_on.set()
    assert sorted(ends) == [0, 1, 2]


async def test_calls_have_a_thread_each_unless_they_are_quick() -> None:
    threads = Threads("disk", width=4)
    both = threading.Barrier(2)
    await threads.run(at_once)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(threads.run, partial(both.wait, 10))
        nursery.start_soon(threads.run, partial(both.wait, 10))


async def test_nobody_waits_for_a_call_that_hangs_although_they_are_quick() -> None:
    threads = Threads("disk", width=2, quick=True)
    go_on = threading.Event()
    await threads.run(at_once)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(threads.run, partial(go_on.wait, 10))
        await wait_all_tasks_blocked()
        for _ in range(4):
            nursery.start_soon(threads.run, at_once)
        assert await threads.run(at_once) == 0
        assert not go_on.is_set()
        go_on.set()


async def test_loops_of_calls_end_when_they_are_cancelled() -> None:
    threads = Threads("disk", width=1)
    with trio.CancelScope() as scope:
        while True:
            await threads.run(at_once)
            scope.cancel()
    assert scope.cancelled_caught


async def test_threads_serve_one_run_after_another() -> None:
    threads = Threads("disk", width=1)
    await trio.to_thread.run_sync(trio.run, threads.run, at_once)
    assert await threads.run(at_once) == 0


async def test_who_waits_for_a_thread_is_given_up_with_those_that_hang() -> None:
    shelf = ClosingShelf()
    disk = in_thread(shelf)
    failed = 0

    async def read() -> None:
        nonlocal failed
        with pytest.raises(BackendError, match="was given up while a call hung"):
            await disk.read(0, 1)
        failed += 1

    close, abandon = Abilities.of(disk).close, Abilities.of(disk).abandon
    assert close is not None
    assert abandon is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(read)
        await arrival(shelf)
        nursery.start_soon(close)
        await wait_all_tasks_blocked()
        abandon()
    assert failed == 2
    shelf.go_on.set()
    assert shelf.log in ([], ["read"])  # neither the second read nor the end came


async def outcome_of(threads: Threads, call: Callable[[], object]) -> BackendError | None:
    """What is told of the end of a call that goes on by itself."""
    told: list[BackendError | None] = []
    over = trio.Event()

    def then(error: BackendError | None) -> None:
        told.append(error)
        over.set()

    threads.begin(then, call)
    assert lookout().under_way == 1
    await over.wait()
    assert lookout().under_way == 0
    (error,) = told
    return error


async def test_a_call_may_go_on_by_itself() -> None:
    done: list[str] = []
    assert await outcome_of(Threads("disk", width=1), lambda: done.append("done")) is None
    assert done == ["done"]


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (OSError(errno.ENOSPC, "no room"), OutOfSpace, "disk: no room"),
        (BackendError("its own words"), BackendError, "its own words"),
        (ValueError("odd"), BackendError, r"disk: ValueError\('odd'\)"),
    ],
)
async def test_what_fails_by_itself_is_told_as_an_error_of_the_backend(
    fault: Exception, kind: type[BackendError], text: str
) -> None:
    def fail() -> None:
        raise fault

    error = await outcome_of(Threads("disk", width=1), fail)
    assert type(error) is kind
    assert re.fullmatch(text, str(error))


async def test_what_goes_on_by_itself_can_be_given_up_and_is_refused_afterwards() -> None:
    shelf, threads = Shelf(), Threads("disk", width=1)
    told: list[BackendError | None] = []
    for _ in range(2):
        threads.begin(told.append, shelf.read, 0, 1)
    await arrival(shelf)
    threads.abandon()
    assert [str(error) for error in told] == ["disk was given up while a call hung"] * 2
    assert lookout().under_way == 0
    with pytest.raises(BackendError, match="disk is closed"):
        threads.begin(told.append, shelf.read, 0, 1)
    shelf.go_on.set()


async def test_closing_is_not_called_off() -> None:
    done: list[str] = []
    threads = Threads("disk", width=2)
    with trio.CancelScope() as scope:
        scope.cancel()
        await threads.close(lambda: done.append("closed"))
    assert done == ["closed"]
