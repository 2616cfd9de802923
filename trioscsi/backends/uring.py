"""Transfers that the kernel carries out by itself, where it has io_uring."""

from __future__ import annotations

import errno
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count

import attrs
import outcome
import trio

from trioscsi.backends.base import Buffer, Then
from trioscsi.backends.lookout import Lookout, lookout
from trioscsi.backends.ring import DATASYNC, FSYNC, LONGEST, READ, WRITE, Pinned, Ring
from trioscsi.backends.sparse import cut_off
from trioscsi.backends.threads import failure
from trioscsi.errors import BackendError

log = logging.getLogger("trioscsi")

_PLACES = 128  # operations of one disk that are under way at the same time
_AGAIN = (errno.EAGAIN, errno.EINTR)


@attrs.define(eq=False)
class _Transfer:
    """What the kernel does, in one operation or, if that ends short, in several."""

    code: int
    descriptor: int
    then: Then
    buffer: Pinned | None = None
    length: int = 0
    offset: int = 0
    """Of what is still to be done, in the file."""
    done: int = 0


class Uring:
    """The transfers of one disk that may have to wait for the device.

    They are as calls in `Threads` are: one that is under way cannot be called off, so its task
    stays until it is over, or until all are given up. `begin_read` and `begin_write` need no task.
    """

    def __init__(self, name: str, ring: Ring, *, width: int) -> None:
        """``name``: what errors begin with; ``width``: how many operations may run at once."""
        self._name = name
        self._ring = ring
        self._width = width
        self._numbers = count()
        self._under_way: dict[int, _Transfer] = {}
        self._waiting: deque[_Transfer] = deque()
        """Those for which there is no place yet."""
        self._lookout: Lookout | None = None
        """Who looks out for what has ended."""
        self._submits = False
        """Whether what is queued is about to be submitted."""
        self._closed = self._given_up = False
        self._none_left = trio.Event()
        """Set as soon as nothing is under way, if all is to be closed."""

    def begin_read(self, descriptor: int, buffer: memoryview, offset: int, then: Then) -> None:
        """Fill ``buffer``; it is an error if the file has been cut off.

        Raises `BackendError` after `close`.
        """
        self._begin(_Transfer(READ, descriptor, then, Pinned(buffer), len(buffer), offset))

    def begin_write(self, descriptor: int, data: Buffer, offset: int, then: Then) -> None:
        """Write all of ``data``. Raises `BackendError` after `close`."""
        self._begin(_Transfer(WRITE, descriptor, then, Pinned(data), len(data), offset))

    async def read(self, descriptor: int, buffer: memoryview, offset: int) -> None:
        """As `begin_read`, and wait for it. Raises `BackendError`."""
        await self._carry_out(READ, descriptor, buffer, offset)

    async def write(self, descriptor: int, data: Buffer, offset: int) -> None:
        """As `begin_write`, and wait for it. Raises `BackendError`."""
        await self._carry_out(WRITE, descriptor, data, offset)

    async def sync(self, descriptor: int) -> None:
        """Make durable what was written before this. Raises `BackendError`."""
        await self._carry_out(FSYNC, descriptor)

    def abandon(self) -> None:
        """As `Threads.abandon`. Buffers that the kernel still uses are never let go of."""
        if not self._under_way:
            return
        self._closed = self._given_up = True
        kept, self._under_way = self._under_way, {}
        if self._lookout is not None:
            self._lookout.under_way -= len(kept)
        for transfer in kept.values():
            transfer.then(self._hung())
        while self._waiting:
            self._end(self._waiting.popleft(), self._hung())
        self._none_left.set()

    async def close(self, last: Callable[[], Awaitable[object]]) -> None:
        """As `Threads.close`, with a ``last`` that is waited for."""
        if self._closed:
            return
        self._closed = True
        with trio.CancelScope(shield=True):
            if self._under_way:
                await self._none_left.wait()
            if not self._given_up:
                if self._lookout is not None and self._lookout is lookout():
                    self._lookout.unwatch(self._ring.descriptor)
                self._ring.close()
                await last()

    async def _carry_out(
        self, code: int, descriptor: int, data: Buffer | None = None, offset: int = 0
    ) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        task = trio.lowlevel.current_task()

        def then(error: BackendError | None) -> None:
            result = outcome.Value(None) if error is None else outcome.Error(error)
            trio.lowlevel.reschedule(task, result)

        def call_off(_raise: object) -> trio.lowlevel.Abort:
            if transfer not in self._waiting:
                return trio.lowlevel.Abort.FAILED
            self._waiting.remove(transfer)
            if transfer.buffer is not None:
                transfer.buffer.release()
            return trio.lowlevel.Abort.SUCCEEDED

        transfer = _Transfer(code, descriptor, then, offset=offset)
        if data is not None:
            transfer.buffer, transfer.length = Pinned(data), len(data)
        self._begin(transfer)
        await trio.lowlevel.wait_task_rescheduled(call_off)

    def _begin(self, transfer: _Transfer) -> None:
        if self._closed:
            if transfer.buffer is not None:
                transfer.buffer.release()
            raise BackendError(f"{self._name} is closed")
        if self._lookout is not (here := lookout()):  # a run of trio may have ended meanwhile
            self._lookout, self._submits = here, False
            here.under_way += len(self._under_way)
            here.watch(self._ring.descriptor, self._take_results)
        self._waiting.append(transfer)
        self._take_places()

    def _take_places(self) -> None:
        """Begin those that wait, in their order, as far as there is place."""
        while self._waiting and len(self._under_way) < self._width:
            self._put(self._waiting.popleft())

    def _put(self, transfer: _Transfer) -> None:
        """Queue the next operation of a transfer, to be submitted soon."""
        address, flags = 0, DATASYNC if transfer.code == FSYNC else 0
        if transfer.buffer is not None:
            address = transfer.buffer.address + transfer.done
        length = min(transfer.length - transfer.done, LONGEST)
        number = next(self._numbers)
        is_alone = not self._under_way
        self._under_way[number] = transfer
        assert self._lookout is not None, "each operation is begun by somebody"
        self._lookout.under_way += 1
        self._ring.put(
            number,
            transfer.code,
            transfer.descriptor,
            transfer.offset + transfer.done,
            address,
            length,
            flags,
        )
        if self._submits:
            return
        if is_alone:
            self._submit()
        else:
            # The kernel has something to do. What else is begun meanwhile goes with this one: to
            # call the kernel takes more than all the rest here.
            self._submits = True
            self._lookout.soon(self._submit)

    def _submit(self) -> None:
        """Have the kernel begin what is queued."""
        self._submits = False
        if self._given_up:
            return
        try:
            self._ring.submit()
        except OSError as error:
            assert self._lookout is not None, "what is queued was begun by somebody"
            result = -(error.errno or errno.EIO)
            for number in self._ring.withdraw():
                self._lookout.soon(partial(self._has_ended, number, result))

    def _take_results(self) -> None:
        for number, result in self._ring.take():
            self._has_ended(number, result)

    def _has_ended(self, number: int, result: int) -> None:
        transfer = self._under_way.pop(number, None)
        if transfer is None:  # it was given up
            return
        assert self._lookout is not None, "each operation was begun by somebody"
        self._lookout.under_way -= 1
        error: OSError | None = None
        if -result in _AGAIN:
            self._put(transfer)
            return
        if result < 0:
            error = OSError(-result, os.strerror(-result))
        elif transfer.length:
            transfer.done += result
            if not result:
                error = cut_off(transfer.offset + transfer.done)
            elif transfer.done < transfer.length:
                self._put(transfer)
                return
        self._end(transfer, None if error is None else failure(self._name, error))
        self._take_places()  # whoever was told of the end may have begun something already
        if self._closed and not self._under_way:
            self._none_left.set()

    def _end(self, transfer: _Transfer, error: BackendError | None) -> None:
        if transfer.buffer is not None:
            transfer.buffer.release()
        transfer.then(error)

    def _hung(self) -> BackendError:
        return BackendError(f"{self._name} was given up while a call hung")


def open_uring(name: str) -> Uring | None:
    """A way for the transfers of one disk, or None where the system has none of this kind."""
    try:
        ring = Ring(_PLACES)
    except OSError as error:
        log.debug("%s: threads instead of io_uring: %s", name, error.strerror)
        return None
    return Uring(name, ring, width=_PLACES)
