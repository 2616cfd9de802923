from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trioscsi.backends.lookout import Lookout, lookout


class Bell:
    """A descriptor that is readable while it rings."""

    def __init__(self, calls: list[str], name: str = "bell") -> None:
        self.descriptor, self._other = os.pipe()
        self._calls, self._name = calls, name

    def ring(self) -> None:
        os.write(self._other, b"!")

    def answer(self) -> None:
        os.read(self.descriptor, 1)
        self._calls.append(self._name)

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self._other)


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def bell(calls: list[str]) -> Iterator[Bell]:
    bell = Bell(calls)
    yield bell
    bell.close()


async def test_a_call_is_made_each_time_that_a_descriptor_is_readable(
    bell: Bell, calls: list[str]
) -> None:
    lookout().watch(bell.descriptor, bell.answer)
    for count in range(1, 4):
        bell.ring()
        await wait_all_tasks_blocked()
        assert calls == ["bell"] * count
    lookout().unwatch(bell.descriptor)


async def test_nobody_is_called_for_a_descriptor_that_is_not_watched_any_more(
    bell: Bell, calls: list[str]
) -> None:
    watch, other = lookout(), Bell(calls, "other")

    def answer() -> None:
        bell.answer()
        watch.unwatch(other.descriptor)

    watch.watch(bell.descriptor, answer)
    watch.watch(other.descriptor, other.answer)
    bell.ring()
    other.ring()
    watch.look()
    watch.unwatch(bell.descriptor)
    bell.ring()
    await wait_all_tasks_blocked()
    assert calls[0] == "bell"
    assert calls.count("bell") == 1
    other.close()


async def test_a_run_of_trio_has_one_lookout() -> None:
    assert lookout() is lookout()


def test_each_run_of_trio_has_its_own_and_leaves_nothing_open(calls: list[str]) -> None:
    async def use() -> Lookout:
        bell = Bell(calls)
        lookout().watch(bell.descriptor, bell.answer)
        bell.ring()
        await wait_all_tasks_blocked()
        bell.close()
        return lookout()

    first, second = trio.run(use), trio.run(use)
    assert first is not second
    assert calls == ["bell", "bell"]
    with pytest.raises(ValueError, match="closed epoll"):
        first.fileno()


async def test_threads_have_something_called_in_the_loop(calls: list[str]) -> None:
    here, over = threading.get_ident(), trio.Event()

    def call() -> None:
        assert threading.get_ident() == here
        calls.append("called")
        if len(calls) == 2:
            over.set()

    def tell(watch: Lookout) -> None:
        watch.tell(call)
        watch.tell(call)

    await trio.to_thread.run_sync(tell, lookout())
    await over.wait()
    assert calls == ["called"] * 2


def test_what_a_thread_tells_after_the_end_of_the_run_is_nothing(calls: list[str]) -> None:
    async def find() -> Lookout:
        return lookout()

    trio.run(find).tell(partial(calls.append, "called"))
    assert calls == []


@pytest.mark.parametrize("begun", [False, True])
async def test_whoever_takes_the_place_of_the_task_calls_until_he_leaves_it(
    bell: Bell, calls: list[str], begun: bool
) -> None:
    watch = lookout()
    watch.watch(bell.descriptor, bell.answer)
    if begun:
        await wait_all_tasks_blocked()
    with watch.taken():
        bell.ring()
        await wait_all_tasks_blocked()
        assert calls == []
        await trio.lowlevel.wait_readable(watch.fileno())
        watch.look()
        assert calls == ["bell"]
        with watch.taken():
            pass
        bell.ring()
        await wait_all_tasks_blocked()
        assert calls == ["bell"]
    await wait_all_tasks_blocked()
    assert calls == ["bell", "bell"]
    watch.unwatch(bell.descriptor)


@pytest.mark.parametrize("awake", [False, True])
async def test_what_is_due_soon_is_done_before_anybody_waits(calls: list[str], awake: bool) -> None:
    watch = lookout()
    watch.awake = awake
    for name in ("first", "second"):
        watch.soon(partial(calls.append, name))
    assert calls == []
    if awake:
        watch.settle()
    else:
        await wait_all_tasks_blocked()
    assert calls == ["first", "second"]
    watch.settle()
    assert len(calls) == 2


async def test_what_becomes_due_while_others_are_done_is_done_next(calls: list[str]) -> None:
    watch = lookout()
    watch.awake = True
    again: Callable[[], None] = partial(watch.soon, partial(calls.append, "later"))
    watch.soon(again)
    watch.settle()
    assert (calls, len(watch.due)) == ([], 1)
    watch.settle()
    assert calls == ["later"]


async def test_no_keyboard_interrupt_comes_between_an_end_and_who_is_told_of_it(
    bell: Bell,
) -> None:
    watch, protected = lookout(), []

    def answer() -> None:
        bell.answer()
        protected.append(trio.lowlevel.currently_ki_protected())

    watch.watch(bell.descriptor, answer)
    bell.ring()
    await wait_all_tasks_blocked()
    bell.ring()
    watch.look()
    watch.awake = True
    watch.soon(lambda: protected.append(trio.lowlevel.currently_ki_protected()))
    watch.settle()
    assert protected == [True, True, True]
    watch.unwatch(bell.descriptor)
