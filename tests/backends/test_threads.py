from __future__ import annotations

import errno
import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trioscsi.backends import Abilities, in_thread
from trioscsi.backends.threads import Threads
from trioscsi.errors import BackendError, OutOfSpace


class Shelf:
    """A synchronous disk that answers when it is told to."""

    block_size = 512
    blocks = 8

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.arrived = trio.Event()
        self.log: list[str] = []

    def read(self, lba: int, blocks: int) -> bytes:
        trio.from_thread.run_sync(self.arrived.set)
        assert self.go_on.wait(10)
        self.log.append("read")
        return bytes(512 * blocks)

    def write(self, lba: int, data: object) -> None:
        raise OSError(5, "Input/output error")


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
    assert Abilities.of(in_thread(Shelf())) == Abilities()
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
        await shelf.arrived.wait()
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
        await shelf.arrived.wait()
        nursery.start_soon(close)
        await wait_all_tasks_blocked()
        with pytest.raises(BackendError, match="closed"):
            await disk.read(0, 1)
        shelf.go_on.set()
    await close()
    assert shelf.log == ["read", "close"]


async def test_closing_is_not_called_off() -> None:
    done: list[str] = []
    threads = Threads("disk", width=2)
    with trio.CancelScope() as scope:
        scope.cancel()
        await threads.close(lambda: done.append("closed"))
    assert done == ["closed"]
