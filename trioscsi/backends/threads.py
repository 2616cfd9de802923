"""Calls that block, run in threads."""

from __future__ import annotations

import errno
from collections.abc import Callable
from math import inf
from typing import Any, Protocol, TypeVar

import trio

from trioscsi.backends.base import BlockDevice, Buffer
from trioscsi.backends.wrappers import NOT_WAITING, Method, Wrapper
from trioscsi.errors import BackendError, OutOfSpace

T = TypeVar("T")

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ANY_NUMBER = trio.CapacityLimiter(inf)


def failure(name: str, error: OSError) -> BackendError:
    """What an error of the system says of the storage ``name``."""
    kind = OutOfSpace if error.errno in _FULL else BackendError
    return kind(f"{name}: {error.strerror or error}")


class Threads:
    """The threads of one disk.

    A call under way cannot be called off: if its task is cancelled, the task stays until the call
    is over, so that the call has its buffer for itself; or until all is given up: see `abandon`.
    """

    def __init__(self, name: str, *, width: int) -> None:
        """``name``: what errors begin with; ``width``: how many calls may run at once."""
        self._name = name
        self._width = width
        self._limiter = trio.CapacityLimiter(width)
        self._closed = False
        self._calls: set[trio.CancelScope] = set()

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Run ``call(*args)``.

        Raises `BackendError` for its OSError (`OutOfSpace` where that is it), and after `close`.
        """
        if self._closed:
            raise BackendError(f"{self._name} is closed")
        place = object()
        try:
            self._limiter.acquire_on_behalf_of_nowait(place)
        except trio.WouldBlock:
            await self._limiter.acquire_on_behalf_of(place)
        try:
            return await self._run(call, *args)
        finally:
            self._limiter.release_on_behalf_of(place)

    async def _run(self, call: Callable[..., T], *args: object) -> T:
        try:
            with trio.CancelScope(shield=True) as scope:
                self._calls.add(scope)
                return await trio.to_thread.run_sync(
                    call, *args, abandon_on_cancel=True, limiter=_ANY_NUMBER
                )
            raise BackendError(f"{self._name} was given up while a call hung")
        except OSError as error:
            raise failure(self._name, error) from error
        finally:
            self._calls.discard(scope)

    def abandon(self) -> None:
        """Let go of calls that hang: their callers get `BackendError`, and no call comes any more.

        What the calls use stays as it is until the program ends, as they may still go on.
        """
        if self._calls:
            self._closed = True
            for scope in list(self._calls):
                scope.cancel()

    async def close(self, last: Callable[[], object]) -> None:
        """Refuse further calls, wait for those under way, then run ``last``; even if cancelled."""
        if self._closed:
            return
        self._closed = True
        # No deadline: what a call uses must not go away under it, and the call ends when the
        # storage answers.
        with trio.CancelScope(shield=True):
            for _ in range(self._width):
                await self._limiter.acquire_on_behalf_of(object())
            await self._run(last)


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
