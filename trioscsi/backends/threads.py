"""Calls that block, run in threads."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import trio

from trioscsi.backends.base import BlockDevice, Buffer
from trioscsi.backends.wrappers import NOT_WAITING, Method, Wrapper
from trioscsi.errors import BackendError, OutOfSpace

T = TypeVar("T")

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Threads:
    """The threads of one disk.

    A call under way cannot be called off: if its task is cancelled, the task stays until the call
    is over, so that the call has its buffer for itself.
    """

    def __init__(self, name: str, *, width: int) -> None:
        """``name``: what errors begin with; ``width``: how many calls may run at once."""
        self._name = name
        self._width = width
        self._limiter = trio.CapacityLimiter(width)
        self._closed = False

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Run ``call(*args)``.

        Raises `BackendError` for its OSError (`OutOfSpace` where that is it), and after `close`.
        """
        if self._closed:
            raise BackendError(f"{self._name} is closed")
        return await self._run(call, *args, limiter=self._limiter)

    async def _run(
        self, call: Callable[..., T], *args: object, limiter: trio.CapacityLimiter | None
    ) -> T:
        try:
            return await trio.to_thread.run_sync(call, *args, limiter=limiter)
        except OSError as error:
            kind = OutOfSpace if error.errno in _FULL else BackendError
            raise kind(f"{self._name}: {error.strerror or error}") from error

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
            await self._run(last, limiter=None)


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
