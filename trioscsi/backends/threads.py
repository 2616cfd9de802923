"""Calls that block, run in threads."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, Protocol, TypeVar, cast

import attrs
import outcome
import trio

from trioscsi.backends.base import BlockDevice, Buffer
from trioscsi.backends.wrappers import NOT_WAITING, Method, Wrapper
from trioscsi.errors import BackendError, OutOfSpace

T = TypeVar("T")

_FULL = (errno.ENOSPC, errno.EDQUOT)


@attrs.define(eq=False)
class _Call:
    call: Callable[[], object]
    task: trio.lowlevel.Task
    """Who waits for it."""
    token: trio.lowlevel.TrioToken
    result: outcome.Outcome[Any] | None = None


class Threads:
    """The threads of one disk.

    A call under way cannot be called off: if its task is cancelled, the task stays until the call
    is over, so that the call has its buffer for itself; or until all is given up: see `abandon`.

    A thread that has done its call does the next one that waits, and the loop is woken once for all
    calls that have ended: to change threads takes ten times as long as most calls do.  The threads
    are not those of `trio.to_thread`: `trio.from_thread` wants a token in them.
    """

    def __init__(self, name: str, *, width: int) -> None:
        """``name``: what errors begin with; ``width``: how many calls may run at once."""
        self._name = name
        self._width = width
        self._closed = self._given_up = False
        self._calls: set[_Call] = set()
        """Those whose tasks wait."""
        self._none_left = trio.Event()
        """Set as soon as there are none, if all is to be closed."""
        self._lock = Lock()
        # What threads and the loop share, with the lock held:
        self._queue: deque[_Call] = deque()
        self._ended: list[_Call] = []
        self._threads = 0

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Run ``call(*args)``.

        Raises `BackendError` for its OSError (`OutOfSpace` where that is it), and after `close`.
        """
        if self._closed:
            raise BackendError(f"{self._name} is closed")
        return await self._run(call, *args)

    async def _run(self, call: Callable[..., T], *args: object) -> T:
        mine = _Call(
            lambda: call(*args), trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()
        )
        self._calls.add(mine)
        with self._lock:
            self._queue.append(mine)
            wants_thread = self._threads < self._width
            self._threads += wants_thread
        if wants_thread:
            trio.lowlevel.start_thread_soon(self._work, _unwrap, f"{self._name} transfer")

        def call_off(_raise: object) -> trio.lowlevel.Abort:
            with self._lock:
                if mine not in self._queue:
                    return trio.lowlevel.Abort.FAILED
                self._queue.remove(mine)
            self._over(mine)
            return trio.lowlevel.Abort.SUCCEEDED

        try:
            return cast("T", await trio.lowlevel.wait_task_rescheduled(call_off))
        except OSError as error:
            kind = OutOfSpace if error.errno in _FULL else BackendError
            raise kind(f"{self._name}: {error.strerror or error}") from error

    def _work(self) -> None:
        """In a thread: do what waits, as long as something does."""
        while True:
            with self._lock:
                if not self._queue:
                    self._threads -= 1
                    return
                mine = self._queue.popleft()
            mine.result = outcome.capture(mine.call)
            with self._lock:
                is_first = not self._ended
                self._ended.append(mine)
            if is_first:
                with suppress(trio.RunFinishedError):  # all was given up, and has ended
                    mine.token.run_sync_soon(self._deliver)

    def _deliver(self) -> None:
        """In the loop: wake the tasks whose calls have ended."""
        with self._lock:
            ended, self._ended = self._ended, []
        for mine in ended:
            if mine in self._calls:
                self._over(mine)
                trio.lowlevel.reschedule(mine.task, mine.result)  # type: ignore[arg-type]

    def _over(self, call: _Call) -> None:
        self._calls.remove(call)
        if not self._calls and self._closed:
            self._none_left.set()

    def abandon(self) -> None:
        """Let go of calls that hang: their callers get `BackendError`, and no call comes any more.

        What the calls use stays as it is until the program ends, as they may still go on.
        """
        if self._calls:
            self._closed = self._given_up = True
            with self._lock:
                self._queue.clear()
            for mine in list(self._calls):
                self._over(mine)
                error = BackendError(f"{self._name} was given up while a call hung")
                trio.lowlevel.reschedule(mine.task, outcome.Error(error))

    async def close(self, last: Callable[[], object]) -> None:
        """Refuse further calls, wait for those under way, then run ``last``; even if cancelled.

        If they are given up ``last`` is not run: it may let go of what they use.
        """
        if self._closed:
            return
        self._closed = True
        # No deadline: what a call uses must not go away under it, and the call ends when the
        # storage answers.
        with trio.CancelScope(shield=True):
            if self._calls:
                await self._none_left.wait()
            if not self._given_up:
                await self._run(last)


def _unwrap(result: outcome.Outcome[None]) -> None:
    """In a thread that has nothing more to do: a fault of ours is not to be kept secret."""
    result.unwrap()


class SyncDevice(Protocol):
    """A `BlockDevice` whose methods are plain functions that may block; the same are optional."""

    block_size: int
    blocks: int

    def read(self, lba: int, blocks: int, /) -> Buffer:
        """See `BlockDevice.read`."""

    def write(self, lba: int, data: Buffer, /) -> None:
        """See `BlockDevice.write`."""


class _InThread(Wrapper):
    def __init__(self, device: SyncDevice, threads: Threads) -> None:
        self._threads = threads
        self.abandon = threads.abandon
        super().__init__(device)

    def around(self, name: str, method: Method) -> Method | None:
        if name in NOT_WAITING:
            return None

        async def run(*args: Any) -> Any:
            return await self._threads.run(method, *args)

        async def close() -> None:
            await self._threads.close(method)

        return close if name == "close" else run


def in_thread(device: SyncDevice, *, width: int = 1) -> BlockDevice:
    """A backend that calls the methods of ``device`` in threads, at most ``width`` at once.

    Leave ``width`` at 1 unless the device can be called from several threads at the same time. An
    OSError that it raises becomes a `BackendError`.
    """
    return _InThread(device, Threads(type(device).__name__, width=width))
