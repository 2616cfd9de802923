"""Disks that others have written: what they do wrong is a failure of storage, of one command."""

from __future__ import annotations

import inspect
import logging
from typing import Any

from trioscsi.backends import BlockDevice, Buffer, Wrapper
from trioscsi.backends.threads import failure
from trioscsi.backends.wrappers import NOT_WAITING, PAST_ALL, Method
from trioscsi.errors import BackendError, BackendFault, UsageError

log = logging.getLogger("trioscsi")

_LEFT_ALONE = (*NOT_WAITING, "close", "abandon")
"""Methods that nothing is put around: callers who do not wait, or do not perform commands."""

_TRACEBACKS = 16
"""How many are logged of one disk: as many kinds of faults as anybody will look at."""


class Supervised(Wrapper):
    """Raises nothing but `BackendError` where commands use it, and returns whole blocks.

    Raises UsageError too where the size of the disk is at issue. Who calls `read_now` and its like
    asks `fault` and `wrong_length` himself.
    """

    def __init__(self, disk: BlockDevice) -> None:
        self.name = name_of(disk)
        self._told: set[tuple[str, type]] = set()
        super().__init__(disk)
        for name in PAST_ALL:
            method = getattr(disk, name, None)
            if method is not None:
                setattr(self, name, method)

    def around(self, name: str, method: Method) -> Method | None:
        """The same, and what it raises is an error of storage."""
        if name in _LEFT_ALONE:
            return method
        mere = (BackendError, UsageError) if name in ("resize", "measure") else BackendError

        async def supervised(*args: Any) -> Any:
            try:
                return await method(*args)
            except mere:
                raise
            except Exception as error:
                raise self.fault(name, error) from error

        async def read(lba: int, blocks: int) -> Buffer:
            try:
                found = await method(lba, blocks)
                data = found if isinstance(found, Buffer) else memoryview(found).cast("B")
            except BackendError:
                raise
            except Exception as error:
                raise self.fault(name, error) from error
            expected = blocks * self.disk.block_size
            if len(data) != expected:
                raise self.wrong_length(name, data, expected)
            return data

        return read if name == "read" else supervised

    def fault(self, name: str, error: Exception) -> BackendError:
        """What an error of the method ``name`` is to a command.

        If it is a mistake in the program, its traceback is logged, once of each kind.
        """
        if isinstance(error, BackendError):
            return error
        where = f"{self.name}.{name}"
        if isinstance(error, OSError):
            return failure(where, error)
        kind = name, type(error)
        if kind not in self._told and len(self._told) < _TRACEBACKS:
            self._told.add(kind)
            log.error("%s has a fault of its own", where, exc_info=error)
        return BackendFault(f"{where}: {type(error).__name__}: {error}")

    def wrong_length(self, name: str, data: Buffer, expected: int) -> BackendError:
        """What it is to a command that a method has read too much or too little."""
        return BackendError(f"{self.name}.{name} returned {len(data)} bytes instead of {expected}")


def check(disk: BlockDevice, *, read_only: bool) -> None:
    """Raise UsageError for a disk that cannot be read, or not be written though it is to be.

    A ``write`` that is not async is not found here: there is no trying it.
    """
    for name in ("read",) if read_only else ("read", "write"):
        method = getattr(disk, name, None)
        # Who inherits from `BlockDevice` has its methods, and they do nothing.
        if method is None or _function(method) is getattr(BlockDevice, name):
            why = "" if name == "read" else ", and is not read_only"
            raise UsageError(f"{name_of(disk)} has no method {name}{why}")
    if not _can_be_awaited(disk.read):
        raise UsageError(
            f"{name_of(disk)}.read is not async: define it so, or let trioscsi.in_thread call it"
        )


def _can_be_awaited(read: Method) -> bool:
    """Whether what a method returns can be awaited, as far as that can be known.

    A function that is not async may return what another one does, so it is tried: a coroutine that
    is closed has done nothing yet.
    """
    function = _function(read)
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        return True
    try:
        found = read(0, 1)
    except Exception:  # noqa: BLE001 - while it is served it may do better
        return True
    if inspect.iscoroutine(found):
        found.close()
    return inspect.isawaitable(found)


def _function(method: Method) -> object:
    return getattr(method, "__func__", method)


def name_of(disk: BlockDevice) -> str:
    """The class of a disk, without what is put around it."""
    while isinstance(disk, Wrapper):
        disk = disk.disk
    return type(disk).__name__
