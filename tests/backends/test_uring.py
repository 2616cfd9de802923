from __future__ import annotations

import errno
import gc
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trioscsi.backends import uring as module
from trioscsi.backends.ring import Ring
from trioscsi.backends.uring import Uring, open_uring
from trioscsi.errors import BackendError, OutOfSpace

WIDTH = 4


class Kernel:
    """A ring whose operations end when they are told to."""

    def __init__(self) -> None:
        self.descriptor, self._end = os.pipe2(os.O_NONBLOCK)
        self.refusals: list[int] = []
        self.queued: list[tuple[int, ...]] = []
        self.begun: list[list[tuple[int, ...]]] = []
        """What came together."""
        self._results: list[tuple[int, int]] = []

    def put(self, *operation: int) -> None:
        self.queued.append(operation)

    def submit(self) -> None:
        if self.refusals:
            raise OSError(self.refusals.pop(0), "refused")
        self.begun.append(self.queued)
        self.queued = []

    def withdraw(self) -> list[int]:
        queued, self.queued = self.queued, []
        return [number for number, *_ in queued]

    def end(self, result: int, number: int | None = None) -> None:
        """Let an operation end, as a rule the one that was begun last."""
        self._results.append((self.begun[-1][-1][0] if number is None else number, result))
        os.write(self._end, b"!")

    def take(self) -> list[tuple[int, int]]:
        assert trio.lowlevel.currently_ki_protected()
        os.read(self.descriptor, 100)
        results, self._results = self._results, []
        return results

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self._end)


class Pipe:
    """A file that has nothing to read until it is written to."""

    def __init__(self) -> None:
        self.descriptor, self._end = os.pipe()

    def write(self, data: bytes) -> None:
        os.write(self._end, data)

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self._end)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.close()


@pytest.fixture
def told(kernel: Kernel) -> Uring:
    """Transfers of a disk "told", as the kernel is told."""
    ring: Any = kernel
    return Uring("told", ring, width=WIDTH)


@pytest.fixture
async def uring() -> AsyncIterator[Uring]:
    try:
        ring = Ring(WIDTH)
    except OSError:
        pytest.skip("no io_uring")
    uring = Uring("disk", ring, width=WIDTH)
    yield uring
    await uring.close(nothing)


async def nothing() -> None:
    pass


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def pipes() -> Iterator[list[Pipe]]:
    pipes = [Pipe() for _ in range(WIDTH + 1)]
    yield pipes
    for pipe in pipes:
        pipe.close()


async def test_what_is_written_is_read_and_made_durable(uring: Uring, file: int) -> None:
    await uring.write(file, b"some data", 3)
    await uring.sync(file)
    buffer = bytearray(4)
    await uring.read(file, memoryview(buffer), 8)
    assert buffer == b"data"


async def test_more_transfers_than_there_are_places_take_turns(uring: Uring, file: int) -> None:
    buffers = [bytearray(512) for _ in range(50)]
    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(uring.write, file, bytes([number]) * 512, number * 512)
    async with trio.open_nursery() as nursery:
        for number, buffer in enumerate(buffers):
            nursery.start_soon(uring.read, file, memoryview(buffer), number * 512)
    assert buffers == [bytes([number]) * 512 for number in range(50)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_each_is_told_when_its_own_is_over(
    uring: Uring, pipes: list[Pipe], order: tuple[int, ...]
) -> None:
    over: list[int] = []

    async def read(number: int) -> None:
        await uring.read(pipes[number].descriptor, memoryview(bytearray(1)), 0)
        over.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(read, number)
            await wait_all_tasks_blocked()
        for number in order:
            pipes[number].write(b"x")
            while number not in over:
                await trio.lowlevel.checkpoint()
    assert tuple(over) == order


async def test_short_transfers_are_continued(told: Uring, kernel: Kernel) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told.write, 7, bytes(10), 100)
        for moved in (3, 6, 1):
            await wait_all_tasks_blocked()
            kernel.end(moved)
    ((_, code, _, _, address, _, _),) = kernel.begun[0]
    assert [operation[1:] for (operation,) in kernel.begun] == [
        (code, 7, 100 + done, address + done, 10 - done, 0) for done in (0, 3, 9)
    ]


async def test_no_operation_is_longer_than_the_kernel_takes(
    told: Uring, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST", 4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told.write, 7, bytes(6), 0)
        for moved in (4, 2):
            await wait_all_tasks_blocked()
            assert kernel.begun[-1][-1][5] == moved
            kernel.end(moved)


async def test_what_begins_in_one_pass_is_submitted_together(told: Uring, kernel: Kernel) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told.sync, 7)
        await wait_all_tasks_blocked()
        for descriptor in (8, 9, 10):
            nursery.start_soon(told.sync, descriptor)
        await wait_all_tasks_blocked()
        first, others = kernel.begun
        assert [operation[2] for operation in first] == [7]
        assert {operation[2] for operation in others} == {8, 9, 10}
        for number, *_ in first + others:
            kernel.end(0, number)


async def test_what_begins_as_another_ends_takes_its_turn(told: Uring, kernel: Kernel) -> None:
    ends: list[int] = []

    def begin(number: int) -> None:
        def then(error: BackendError | None) -> None:
            assert error is None
            ends.append(number)
            if number < 3 * WIDTH:
                begin(number + 2 * WIDTH)

        told.begin_write(7, b"x", number, then)

    for number in range(2 * WIDTH):
        begin(number)
    while len(ends) < 5 * WIDTH:
        await wait_all_tasks_blocked()
        begun = [operation[0] for operations in kernel.begun for operation in operations]
        assert len(begun) == min(len(ends) + WIDTH, 5 * WIDTH)
        kernel.end(1, begun[len(ends)])
        await wait_all_tasks_blocked()
    assert ends == list(range(5 * WIDTH))


async def test_what_was_interrupted_or_not_begun_is_tried_again(
    told: Uring, kernel: Kernel
) -> None:
    kernel.refusals = [errno.EAGAIN, errno.EAGAIN]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told.sync, 7)
        for result in (-errno.EINTR, -errno.EAGAIN, 0):
            await wait_all_tasks_blocked()
            kernel.end(result)
    assert len(kernel.begun) == 3


async def test_an_error_of_the_kernel_says_where_it_happened(
    uring: Uring, tmp_path: Path, file: int
) -> None:
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    with pytest.raises(BackendError, match=r"^disk: Bad file descriptor$"):
        await uring.write(descriptor, b"x", 0)
    os.close(descriptor)


async def test_no_space_is_an_error_of_its_own(uring: Uring) -> None:
    descriptor = os.open("/dev/full", os.O_RDWR)
    with pytest.raises(OutOfSpace, match=r"^disk: No space left on device$"):
        await uring.write(descriptor, b"x", 0)
    os.close(descriptor)


async def test_what_the_kernel_does_not_begin_is_an_error(told: Uring, kernel: Kernel) -> None:
    kernel.refusals = [errno.ENOMEM]
    with pytest.raises(BackendError, match="told: Cannot allocate memory"):
        await told.write(7, b"x", 0)


async def test_what_is_begun_is_told_of_later_whatever_comes_of_it(
    told: Uring, kernel: Kernel
) -> None:
    ends: list[BackendError | None] = []
    kernel.refusals = [errno.ENOMEM]
    told.begin_write(7, b"x", 0, ends.append)
    assert not ends
    await wait_all_tasks_blocked()
    assert [str(error) for error in ends] == ["told: Cannot allocate memory"]
    told.begin_read(7, memoryview(bytearray(1)), 0, ends.append)
    kernel.end(1)
    assert len(ends) == 1
    await wait_all_tasks_blocked()
    assert ends[1:] == [None]


async def test_a_file_that_was_cut_off_is_an_error(uring: Uring, file: int) -> None:
    os.truncate(file, 700)
    with pytest.raises(BackendError, match=r"cut off at byte 700$"):
        await uring.read(file, memoryview(bytearray(2048)), 0)


async def test_a_cancelled_transfer_keeps_its_task_until_it_is_over(
    uring: Uring, pipes: list[Pipe]
) -> None:
    over: list[bytearray] = []

    async def read(pipe: Pipe) -> None:
        buffer = bytearray(1)
        await uring.read(pipe.descriptor, memoryview(buffer), 0)
        over.append(buffer)

    async with trio.open_nursery() as nursery:
        for pipe in pipes[:2]:
            nursery.start_soon(read, pipe)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked()
        assert not over
        for pipe in pipes:
            pipe.write(b"x")
    assert over == [b"x", b"x"]


async def test_who_is_cancelled_begins_no_transfer(uring: Uring, file: int) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        while True:
            await uring.write(file, b"x", 0)
    assert scope.cancelled_caught
    assert os.fstat(file).st_size == 0


async def test_a_transfer_that_waits_for_a_place_can_be_called_off(
    uring: Uring, pipes: list[Pipe]
) -> None:
    async with trio.open_nursery() as nursery:
        for pipe in pipes[:WIDTH]:
            nursery.start_soon(uring.read, pipe.descriptor, memoryview(bytearray(1)), 0)
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_when_blocked, scope)
            await uring.read(pipes[WIDTH].descriptor, memoryview(bytearray(1)), 0)
        assert scope.cancelled_caught
        for pipe in pipes:
            pipe.write(b"x")


async def cancel_when_blocked(scope: trio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    scope.cancel()


async def test_closing_waits_for_transfers_under_way_and_refuses_new_ones(
    uring: Uring, pipes: list[Pipe]
) -> None:
    buffer, found = bytearray(1), []

    async def read() -> None:
        await uring.read(pipes[0].descriptor, memoryview(buffer), 0)

    async def last() -> None:
        found.append(bytes(buffer))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        nursery.start_soon(uring.close, last)
        nursery.cancel_scope.cancel()  # which calls off neither
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked()
            with pytest.raises(BackendError, match="disk is closed"):
                await uring.sync(pipes[0].descriptor)
        pipes[0].write(b"x")
    await uring.close(last)
    assert found == [b"x"]
    data = bytearray(1)
    with pytest.raises(BackendError, match="disk is closed"):
        uring.begin_write(pipes[0].descriptor, data, 0, print)
    data.clear()  # nobody holds it


async def test_transfers_that_hang_can_be_given_up(uring: Uring, pipes: list[Pipe]) -> None:
    buffers = [bytearray(1) for _ in pipes]
    given_up: list[bytearray] = []

    async def read(pipe: Pipe, buffer: bytearray) -> None:
        with pytest.raises(BackendError, match="disk was given up while a call hung"):
            await uring.read(pipe.descriptor, memoryview(buffer), 0)
        given_up.append(buffer)

    async with trio.open_nursery() as nursery:
        for pipe, buffer in zip(pipes, buffers, strict=True):
            nursery.start_soon(read, pipe, buffer)
            await wait_all_tasks_blocked()
        uring.abandon()
    assert len(given_up) == len(buffers)
    with pytest.raises(BackendError, match="disk is closed"):
        await uring.sync(pipes[0].descriptor)
    gc.collect()
    for buffer in buffers[:WIDTH]:
        with pytest.raises(BufferError):
            buffer.clear()
    buffers[WIDTH].clear()  # there was no place for it, and the kernel does not know of it


async def test_what_has_not_begun_is_given_up_too(
    told: Uring, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sync() -> None:
        with pytest.raises(BackendError, match="given up"):
            await told.sync(7)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync)
        await wait_all_tasks_blocked()
        monkeypatch.setattr(kernel, "put", lambda *_: told.abandon())
        nursery.start_soon(sync)
    assert len(kernel.begun) == 1


async def test_what_is_tried_again_can_be_given_up(told: Uring, kernel: Kernel) -> None:
    async def sync() -> None:
        with pytest.raises(BackendError, match="given up"):
            await told.sync(7)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync)
        await wait_all_tasks_blocked()
        kernel.end(-errno.EINTR)
        kernel.refusals = [errno.EAGAIN] * 1000
        while len(kernel.refusals) > 900:
            await trio.lowlevel.checkpoint()
        told.abandon()


async def test_closing_ends_when_what_hangs_is_given_up(uring: Uring, pipes: list[Pipe]) -> None:
    async def read() -> None:
        with pytest.raises(BackendError, match="given up"):
            await uring.read(pipes[0].descriptor, memoryview(bytearray(1)), 0)

    async def last() -> None:
        pytest.fail("what it lets go of may still be used")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        nursery.start_soon(uring.close, last)
        await wait_all_tasks_blocked()
        uring.abandon()


async def test_there_is_nothing_to_give_up_where_nothing_hangs(uring: Uring, file: int) -> None:
    uring.abandon()
    await uring.write(file, b"x", 0)


def in_a_run(call: Callable[[], Awaitable[object]], **options: Any) -> None:
    async def main() -> None:
        await call()

    trio.run(main, **options)


def test_it_outlives_runs_and_does_not_need_the_clock(file: int) -> None:
    uring = open_uring("disk")
    if uring is None:
        pytest.skip("no io_uring")
    in_a_run(partial(uring.write, file, b"one", 0))
    in_a_run(partial(uring.write, file, b"two", 3), clock=MockClock(autojump_threshold=0))
    assert os.pread(file, 9, 0) == b"onetwo"
    in_a_run(partial(uring.close, nothing))


def test_where_the_system_has_none_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(places: int) -> Ring:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(module, "Ring", refuse)
    with caplog.at_level(logging.DEBUG, "trioscsi"):
        assert open_uring("disk.img") is None
    assert caplog.messages == ["disk.img: threads instead of io_uring: Operation not permitted"]
