"""Who is told when a descriptor becomes readable, without a task that waits for it.

A task waits for all descriptors together, unless somebody takes its place for a while: a server
looks at what has come more often than trio does, and to wake a task takes it longer than a
transfer may take the kernel.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import trio

_MOST = 64


class Lookout:
    """The descriptors of one run of trio that somebody waits for: see `lookout`."""

    def __init__(self) -> None:
        self.under_way = 0
        """How many operations there are whose end a descriptor will tell of."""
        self.awake = False
        """Whether who has taken the place of the task is about to call `settle`."""
        self.due: list[Callable[[], None]] = []
        """What `settle` has to call."""
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[], None]] = {}
        self._lock = Lock()
        self._bell: int | None = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """What threads ring, as long as the run goes on."""
        self._told: list[Callable[[], None]] = []
        self.watch(self._bell, self._answer)
        self._taken = 0
        self._free = trio.Event()
        self._sleep = trio.CancelScope()
        trio.lowlevel.spawn_system_task(self._run, name="lookout")

    def fileno(self) -> int:
        """A descriptor that is readable while any of those that are watched is."""
        return self._epoll.fileno()

    def watch(self, descriptor: int, call: Callable[[], None]) -> None:
        """Have ``call`` called whenever the descriptor is readable; it must not raise anything."""
        self._calls[descriptor] = call
        self._epoll.register(descriptor, select.EPOLLIN)

    def unwatch(self, descriptor: int) -> None:
        """Forget a descriptor, before it is closed."""
        del self._calls[descriptor]
        self._epoll.unregister(descriptor)

    def soon(self, call: Callable[[], None]) -> None:
        """Have something called before anybody waits."""
        if self.awake:
            self.due.append(call)
        else:
            trio.lowlevel.current_trio_token().run_sync_soon(call)

    def tell(self, call: Callable[[], None]) -> None:
        """In any thread: have something called in the loop, unless the run has ended."""
        with self._lock:
            if self._bell is not None:
                self._told.append(call)
                os.eventfd_write(self._bell, 1)

    def _answer(self) -> None:
        with self._lock:
            told, self._told = self._told, []
            if self._bell is not None:
                os.eventfd_read(self._bell)
        for call in told:
            call()

    @trio.lowlevel.enable_ki_protection
    def look(self) -> None:
        """Call for each descriptor that is readable."""
        for descriptor, _ in self._epoll.poll(0, _MOST):
            call = self._calls.get(descriptor)
            if call is not None:
                call()

    @trio.lowlevel.enable_ki_protection
    def settle(self) -> None:
        """Do what is due `soon`."""
        due, self.due = self.due, []
        for call in due:
            call()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Whoever enters this calls `look` whenever `fileno` is readable, until he leaves it."""
        self._taken += 1
        self._sleep.cancel()
        try:
            yield
        finally:
            self._taken -= 1
            self._free.set()

    async def _run(self) -> None:
        try:
            while True:
                while self._taken:
                    self._free = trio.Event()
                    await self._free.wait()
                with trio.CancelScope() as self._sleep:
                    await trio.lowlevel.wait_readable(self._epoll.fileno())
                    self.look()
        finally:
            with self._lock:
                assert self._bell is not None, "a run ends once"
                os.close(self._bell)
                self._bell = None
            self._epoll.close()


_lookout: trio.lowlevel.RunVar[Lookout] = trio.lowlevel.RunVar("lookout")


def lookout() -> Lookout:
    """The one of this run of trio."""
    try:
        return _lookout.get()
    except LookupError:
        made = Lookout()
        _lookout.set(made)
        return made
