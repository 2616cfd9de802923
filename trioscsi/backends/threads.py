"""Calls that block, run in threads."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock
from time import perf_counter
from typing import Any, Protocol, TypeVar, cast

import attrs
import outcome
import trio

from trioscsi.backends.base import BlockDevice, Buffer, Then
from trioscsi.backends.lookout import Lookout, lookout
from trioscsi.backends.wrappers import NOT_WAITING, Method, Wrapper
from trioscsi.errors import BackendError, OutOfSpace

T = TypeVar("T")

_FULL = (errno.ENOSPC, errno.EDQUOT)

_TOGETHER = 0.001
"""Seconds for which a quick call waits for others to end, to be told of together with them."""

_LONG = 0.005
"""Seconds after which a quick call is not waited for any more by those behind it."""


def failure(name: str, error: OSError) -> BackendError:
    """What an error of the system says of the storage ``name``."""
    kind = OutOfSpace if error.errno in _FULL else BackendError
    return kind(f"{name}: {error.strerror or error}")


@attrs.define(eq=False)
class _Call:
    call: Callable[[], object]
    then: Callable[[outcome.Outcome[Any]], object]
    """Called in the loop when it has ended."""
    lookout: Lookout
    result: outcome.Outcome[Any] | None = None


class Threads:
    """The threads of one disk.

    A call under way cannot be called off: if its task is cancelled, the task stays until the call
    is over, so that the call has its buffer for itself; or until all is given up: see `abandon`.

    Each call has a thread of its own.  Where calls are ``quick`` as a rule, as writes to the page
    cache are, one thread does all of them, and the loop is woken once for several: Python runs one
    thread at a time, and to change between them takes ten times as long as such a call.  There,
    too, nobody waits for long for one that hangs.

    The threads are not those of `trio.to_thread`: `trio.from_thread` wants a token in them.
    """

    def __init__(
        self,
        name: str,
        *,
        width: int,
        quick: bool = False,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """``name``: what errors begin with; ``width``: how many calls may run at once.

        ``clock`` tells the time in threads, in seconds.
        """
        self._name = name
        self._width = width
        self._quick = quick
        self._clock = clock
        self._closed = False
        self.given_up = False
        """Whether calls still use what they use, although nobody waits for them any more."""
        self._calls: set[_Call] = set()
        """Those whose end is waited for."""
        self._is_watched = False
        self._none_left = trio.Event()
        """Set as soon as there are none, if all is to be closed."""
        self._lock = Lock()
        # What threads and the loop share, with the lock held:
        self._queue: deque[_Call] = deque()
        self._ended: list[_Call] = []
        """Those that the loop has not seen yet,"""
        self._ended_since = 0.0
        """since when there are some,"""
        self._told = False
        """and whether it is on its way."""
        self._ends = 0
        """Calls that have ever ended."""
        self._threads = 0

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Run ``call(*args)``.

        Raises `BackendError` for its OSError (`OutOfSpace` where that is it), and after `close`.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closed:
            raise BackendError(f"{self._name} is closed")
        return await self._run(call, *args)

    def begin(self, then: Then, call: Callable[..., object], *args: object) -> None:
        """Run ``call(*args)``, without waiting for it: see `Abilities.begin_write`.

        Raises `BackendError` after `close`.
        """
        if self._closed:
            raise BackendError(f"{self._name} is closed")

        def ended(result: outcome.Outcome[object]) -> None:
            error = result.error if isinstance(result, outcome.Error) else None
            if isinstance(error, OSError):
                error = failure(self._name, error)
            elif error is not None and not isinstance(error, BackendError):
                error = BackendError(f"{self._name}: {error!r}")
            then(error)

        self._begin(ended, call, *args)

    async def _run(self, call: Callable[..., T], *args: object) -> T:
        mine = self._begin(
            partial(trio.lowlevel.reschedule, trio.lowlevel.current_task()), call, *args
        )

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
            raise failure(self._name, error) from error

    def _begin(
        self,
        then: Callable[[outcome.Outcome[Any]], object],
        call: Callable[..., object],
        *args: object,
    ) -> _Call:
        mine = _Call(lambda: call(*args), then, lookout())
        mine.lookout.under_way += 1
        self._calls.add(mine)
        with self._lock:
            self._queue.append(mine)
        self._engage()
        if self._quick and not self._is_watched:
            self._is_watched = True
            trio.lowlevel.spawn_system_task(self._watch, name=f"watch over {self._name}")
        return mine

    def _engage(self, *, at_once: bool = False) -> None:
        """Let another thread help, if something waits that those which are there will not do soon.

        With ``at_once`` they will not, however quick they are as a rule.
        """
        with self._lock:
            alone = at_once or not self._threads or not self._quick
            one_more = alone and bool(self._queue) and self._threads < self._width
            self._threads += one_more
        if one_more:
            trio.lowlevel.start_thread_soon(self._work, _unwrap, f"{self._name} transfer")

    def _work(self) -> None:
        """In a thread: do what waits, as long as something does."""
        while (mine := self._next()) is not None:
            mine.result = outcome.capture(mine.call)
            if self._has_ended(mine):
                mine.lookout.tell(self._deliver)

    def _has_ended(self, call: _Call) -> bool:
        """In a thread: note the end of a call; whether the loop is to be told of it now."""
        now = self._clock()
        with self._lock:
            self._ends += 1
            if not self._ended:
                self._ended_since = now
            self._ended.append(call)
            if self._told:
                return False
            may_wait = self._quick and bool(self._queue) and now - self._ended_since <= _TOGETHER
            self._told = not may_wait
            return self._told

    def _next(self) -> _Call | None:
        """In a thread: the call that waits for longest; if there is none, this thread goes."""
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._threads -= 1
            return None

    def _deliver(self) -> None:
        """In the loop: tell of the calls that have ended."""
        with self._lock:
            ended, self._ended, self._told = self._ended, [], False
        for mine in ended:
            if mine in self._calls:
                self._over(mine)
                assert mine.result is not None, "it has ended"
                mine.then(mine.result)

    async def _watch(self) -> None:
        """As long as calls are waited for: see to it that none waits for one that hangs."""
        try:
            while self._calls:
                ends = self._ends
                await trio.sleep(_LONG)
                self._deliver()
                self._engage(at_once=self._ends == ends)
        finally:
            self._is_watched = False

    def _over(self, call: _Call) -> None:
        self._calls.remove(call)
        call.lookout.under_way -= 1
        if not self._calls and self._closed:
            self._none_left.set()

    def abandon(self) -> None:
        """Let go of calls that hang: their callers get `BackendError`, and no call comes any more.

        What the calls use stays as it is until the program ends, as they may still go on.
        """
        if self._calls:
            self._closed = self.given_up = True
            with self._lock:
                self._queue.clear()
            for mine in list(self._calls):
                self._over(mine)
                error = BackendError(f"{self._name} was given up while a call hung")
                mine.then(outcome.Error(error))

    async def close(self, last: Callable[[], object] | None = None) -> None:
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
            if last is not None and not self.given_up:
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
