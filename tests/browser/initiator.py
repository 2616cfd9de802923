"""An initiator that does one thing after the other, when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import trio

from trioscsi.errors import SessionLost
from trioscsi.initiator import commands
from trioscsi.initiator.client import Session, connect
from trioscsi.initiator.requests import Task
from trioscsi.lun import encode
from trioscsi.pdu import TaskFunction

Result = TypeVar("Result")
_PATIENCE = 30


class Initiator:
    """A session in a thread of its own; logs out at the end."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._ready = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="initiator")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_PATIENCE)
        if self._fault is not None:
            raise self._fault
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread.is_alive():
            self.log_out()

    def do(self, what: Callable[[Session], Awaitable[Result]]) -> Result:
        """Have something done, and wait until it is."""
        return trio.from_thread.run(what, self._session, trio_token=self._token)

    def begin_read(self, lba: int, blocks: int, *, lun: int) -> Task:
        """Begin a read, and do not wait for it."""
        task = Task(lun=encode(lun), cdb=commands.read(lba, blocks), expected_in=blocks * 512)

        async def read() -> None:
            with suppress(SessionLost):  # it is going to be aborted
                await self._session.do(task)

        trio.from_thread.run_sync(self._nursery.start_soon, read, trio_token=self._token)
        return task

    def abort(self, task: Task, *, lun: int) -> Any:
        """Have a command aborted."""
        return self.do(lambda session: session.manage(TaskFunction.ABORT_TASK, lun=lun, about=task))

    def log_out(self) -> None:
        """End the session by agreement."""
        trio.from_thread.run_sync(self._done.set, trio_token=self._token)
        self._thread.join(_PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            trio.run(self._live)
        except BaseException as error:  # noqa: BLE001 - handed over to the test
            self._fault = error
        finally:
            self._ready.set()

    async def _live(self) -> None:
        self._done = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        async with (
            connect(self._url, name=self._name) as self._session,
            trio.open_nursery() as self._nursery,
        ):
            self._ready.set()
            await self._done.wait()
