"""Transfers that the kernel carries out by itself, where it has io_uring."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Awaitable, Callable
from itertools import count

import trio

from trioscsi.backends.base import Buffer
from trioscsi.backends.ring import DATASYNC, FSYNC, LONGEST, READ, WRITE, Pinned, Ring
from trioscsi.backends.sparse import cut_off
from trioscsi.backends.threads import failure
from trioscsi.errors import BackendError

log = logging.getLogger("trioscsi")

_PLACES = 128  # operations of one disk that are under way at the same time
_AGAIN = (errno.EAGAIN, errno.EINTR)


class Uring:
    """The transfers of one disk that may have to wait for the device.

    They are as calls in `Threads` are: one that is under way cannot be called off, so its task
    stays until it is over, or until all are given up. The first task that waits looks out for
    results, for all others too; when it has its own, another one goes on with that.
    """

    def __init__(self, name: str, ring: Ring, *, width: int) -> None:
        """``name``: what errors begin with; ``width``: how many operations may run at once."""
        self._name = name
        self._ring = ring
        self._width = width
        self._places = trio.Semaphore(width)
        self._numbers = count()
        self._under_way: dict[int, _Operation] = {}
        self._lookout: trio.CancelScope | None = None
        self._submits = False
        """Whether a task is about to submit what is queued."""
        self._closed = self._given_up = False

    async def read(self, descriptor: int, buffer: memoryview, offset: int) -> None:
        """Fill ``buffer``. Raises `BackendError`, also where the file has been cut off."""
        await self._run(self._transfer, READ, descriptor, buffer, offset)

    async def write(self, descriptor: int, data: Buffer, offset: int) -> None:
        """Write all of ``data``. Raises `BackendError`."""
        await self._run(self._transfer, WRITE, descriptor, data, offset)

    async def sync(self, descriptor: int) -> None:
        """Make durable what was written before this. Raises `BackendError`."""
        await self._run(self._carry_out, FSYNC, descriptor, 0, 0, 0, DATASYNC)

    def abandon(self) -> None:
        """As `Threads.abandon`. Buffers that the kernel still uses are never let go of."""
        if self._places.value < self._width:
            self._closed = self._given_up = True
            for operation in self._under_way.values():
                operation.wake()
            if self._lookout is not None:
                self._lookout.cancel()

    async def close(self, last: Callable[[], Awaitable[object]]) -> None:
        """As `Threads.close`, with a ``last`` that is waited for."""
        if self._closed:
            return
        self._closed = True
        with trio.CancelScope(shield=True):
            for _ in range(self._width):
                await self._take_place()
            if not self._given_up:
                self._ring.close()
                await last()

    async def _run(self, call: Callable[..., Awaitable[object]], *args: object) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closed:
            raise BackendError(f"{self._name} is closed")
        await self._take_place()
        try:
            self._check()
            await call(*args)
        except OSError as error:
            raise failure(self._name, error) from error
        finally:
            self._places.release()

    async def _take_place(self) -> None:
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            await self._places.acquire()

    async def _transfer(self, code: int, descriptor: int, buffer: Buffer, offset: int) -> None:
        pinned, done = Pinned(buffer), 0
        try:
            while done < len(buffer):
                length = min(len(buffer) - done, LONGEST)
                moved = await self._carry_out(
                    code, descriptor, offset + done, pinned.address + done, length
                )
                if not moved:
                    raise cut_off(offset + done)
                done += moved
        finally:
            if not self._given_up:
                pinned.release()

    # An interrupt of the program must not keep results from those who wait for them.
    @trio.lowlevel.enable_ki_protection
    async def _carry_out(
        self,
        code: int,
        descriptor: int,
        offset: int,
        address: int,
        length: int,
        flags: int = 0,
    ) -> int:
        """What comes of an operation. Raises OSError."""
        result = -errno.EAGAIN
        while -result in _AGAIN:
            self._check()
            number, operation = next(self._numbers), _Operation()
            self._under_way[number] = operation
            self._ring.put(number, code, descriptor, offset, address, length, flags)
            if not self._submits:
                await self._submit()
            result = await self._result(operation)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    async def _submit(self) -> None:
        """Have the kernel begin what is queued: to wake it costs more than all the rest here."""
        if self._lookout is not None:
            # It has something to do, so what other tasks queue in this pass can go with it.
            self._submits = True
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._submits = False
        if self._given_up:
            return
        try:
            self._ring.submit()
        except OSError as error:
            for number in self._ring.withdraw():
                self._under_way.pop(number).end(-(error.errno or errno.EIO))
            await trio.lowlevel.cancel_shielded_checkpoint()  # it may have more room then

    def _check(self) -> None:
        if self._given_up:
            raise BackendError(f"{self._name} was given up while a call hung")

    async def _result(self, operation: _Operation) -> int:
        try:
            while operation.result is None:
                self._check()
                if self._lookout is None:
                    await self._look_out(operation)
                else:
                    await operation.sleep()
            return operation.result
        finally:
            if self._lookout is None:
                self._wake_last()

    async def _look_out(self, operation: _Operation) -> None:
        """Tell all what comes of their operations, until ``operation`` is done."""
        try:
            with trio.CancelScope(shield=True) as self._lookout:
                while operation.result is None:
                    await trio.lowlevel.wait_readable(self._ring.descriptor)
                    for number, result in self._ring.take():
                        self._under_way.pop(number).end(result)
        finally:
            self._lookout = None

    def _wake_last(self) -> None:
        """The operation that was begun last is likely to be looking out the longest."""
        for operation in reversed(self._under_way.values()):
            operation.wake()
            break


class _Operation:
    """What is under way; its task looks out, or sleeps until there is a result."""

    __slots__ = ("_sleeper", "result")

    def __init__(self) -> None:
        self._sleeper: trio.lowlevel.Task | None = None
        self.result: int | None = None

    def end(self, result: int) -> None:
        """What came of it; negative is an error."""
        self.result = result
        self.wake()

    async def sleep(self) -> None:
        """Wait for `wake`, whatever is cancelled."""
        self._sleeper = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)

    def wake(self) -> None:
        """Let its task go on, if it sleeps."""
        if self._sleeper is not None:
            trio.lowlevel.reschedule(self._sleeper)
            self._sleeper = None


def open_uring(name: str) -> Uring | None:
    """A way for the transfers of one disk, or None where the system has none of this kind."""
    try:
        ring = Ring(_PLACES)
    except OSError as error:
        log.debug("%s: threads instead of io_uring: %s", name, error.strerror)
        return None
    return Uring(name, ring, width=_PLACES)
