"""Whose bytes have come: one wait for all connections, instead of one wake-up of a task for each.

To wake a task costs trio about as much as ten commands cost this server.  So the readers share one
epoll of their own, which trio watches as a single file: when it becomes readable, all connections
that have something to say get a turn, by plain calls.

All of it is done on one processor.  Two processes with one shared disk did 0.8 to 1.7 times the
work of one, on two processors that they shared with their clients; and reservations, unit
attentions, task sets and the sessions that logins reinstate would have to live in a third one for
them.  That is not worth it.  Neither is compiling: Cython over the same source executed 2% more
instructions a command, and mypyc 3% less, as most of a command is attributes of values that attrs
has made, which mypyc leaves as they are.  An interpreter built with optimizations, as Debian's is,
takes a quarter less time.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from contextlib import suppress
from time import perf_counter
from typing import Protocol

import trio

from trioscsi.backends.lookout import Lookout, lookout

_MOST = 64
"""Connections that get their turn between two looks at what has come."""

_PATIENCE = 0.001
"""Seconds for which a busy reactor waits for more by itself, rather than through trio.

It is the longest that anything else in the process waits for it; an idle one never makes wait.
"""

_LONG_ALONE = 100
"""Rounds with one busy connection after which it may take longer turns again."""

_TOGETHER = 32
"""Connections whose turns are taken together, one part after the other."""

_LOOKS = 300
"""How often to look for more before going to sleep: some 220 microseconds in all."""

_WORTH_LOOKING = 100e-6
"""Seconds of sleep that looking would have been better than."""

_PASSES = 8
"""How often to let others in before going to sleep: some 100 microseconds in all."""

_MOST_SKIPPED = 63
"""Attempts that are left out at most, one after the other."""


class Talker(Protocol):
    """A connection, as the reactor sees it.

    Its turn has three parts, and each part is that of several connections before the next one is.
    An interpreter that does the same again takes half of the time, as its processor foresees what
    comes; and a peer that talks on many connections is woken by the first answer, and finds the
    others when it is awake.  To wake it for each of them would cost as much as a command does.
    """

    def hear(self, now: float) -> bool:
        """Take what has come by this time, at most a turn of it; whether more is there already."""

    def act(self) -> None:
        """Do what was asked for."""

    def answer(self) -> None:
        """Send the answers."""


class Owing(Protocol):
    """Who has something to send that was not asked for in a turn of its own."""

    def report(self) -> None:
        """Send it."""


class Completions:
    """Ends of what storage does by itself: who has an answer to send for one sends all together."""

    def __init__(self) -> None:
        self._telling = False
        self._owing: dict[Owing, None] = {}

    def tell(self, watch: Lookout) -> None:
        """Tell of all that has ended."""
        self._telling = True
        try:
            watch.look()
        finally:
            self._telling = False

    def answer(self) -> None:
        """Let those send their answers who have any."""
        owing, self._owing = self._owing, {}
        for each in owing:
            each.report()

    def collects_from(self, owing: Owing) -> bool:
        """Whether `Owing.report` will be called, as what is owed comes of such an end."""
        if self._telling:
            self._owing[owing] = None
        return self._telling


class _Attempts:
    """Whether to try what may come to nothing: less and less often where it does."""

    def __init__(self) -> None:
        self._to_skip = self._to_skip_next = 0

    def is_due(self) -> bool:
        """Whether to try it now."""
        if not self._to_skip:
            return True
        self._to_skip -= 1
        return False

    def made(self, *, paid: bool) -> None:
        """It was tried."""
        self._to_skip = 0 if paid else self._to_skip_next
        self._to_skip_next = 0 if paid else min(2 * self._to_skip + 1, _MOST_SKIPPED)


class Reactor:
    """Gives turns to connections while there is something to read.

    ``elsewhere`` counts what is under way outside of turns (commands that wait for storage, answers
    that wait for a socket). As long as there is more of it than the `Lookout` will tell of, other
    tasks are let in after each round.
    """

    def __init__(self) -> None:
        self.elsewhere = 0
        self.completions = Completions()
        self.crowded = False
        """Whether several connections were busy of late: then turns are to be short."""
        self._nudged = False
        self._looks_pay = False
        self._sleeps, self._passes = _Attempts(), _Attempts()
        self._rounds_alone = _LONG_ALONE
        self._sleep = trio.CancelScope()
        self._epoll = select.epoll()
        self._talkers: dict[int, Talker] = {}
        self._again: set[int] = set()
        """Those whose last turn left something over."""

    def add(self, sock: socket.socket, talker: Talker) -> None:
        """Give a connection its turn whenever there is something to read."""
        self._talkers[sock.fileno()] = talker
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def pause(self, sock: socket.socket) -> None:
        """Give a connection no turns until it is resumed: it has to wait for something else.

        It is taken out altogether, as an epoll tells of lost connections whether asked or not.
        """
        self._epoll.unregister(sock.fileno())
        self._again.discard(sock.fileno())

    def resume(self, sock: socket.socket) -> None:
        """Give a connection turns again, the first one at once: its last may have left something.

        No byte may come any more that would tell of it.
        """
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._again.add(sock.fileno())
        self._sleep.cancel()

    def nudge(self) -> None:
        """Another task has something to do now: let it in after this round."""
        self._nudged = True

    def remove(self, sock: socket.socket) -> None:
        """Forget a connection, paused or not; to be called before its socket is closed."""
        del self._talkers[sock.fileno()]
        self._again.discard(sock.fileno())
        with suppress(FileNotFoundError):
            self._epoll.unregister(sock.fileno())

    async def run(self) -> None:
        """Give turns until cancelled."""
        watch = lookout()
        self._epoll.register(watch.fileno(), select.EPOLLIN)
        with watch.taken():
            while True:
                with trio.CancelScope() as self._sleep:
                    await trio.lowlevel.wait_readable(self._epoll.fileno())
                watch.awake = True
                try:
                    await self._while_busy(watch)
                finally:
                    watch.awake = False
                    watch.settle()

    async def _while_busy(self, watch: Lookout) -> None:
        """Give turns until there is nothing to read any more."""
        what_time, completions = trio.lowlevel.current_clock().current_time, watch.fileno()
        now = rested = what_time()
        while True:
            if watch.due:
                watch.settle()
            ready = self._epoll.poll(0, _MOST)
            if not ready and not self._again:
                ready = await self._stay_awake(watch)
            again, self._again = self._again, set()
            if not ready and not again:
                return
            # Who says little does not wait for the answers to who has said much.
            fresh = [fd for fd, _ in ready if fd not in again]
            if some_ended := completions in fresh:
                fresh.remove(completions)
                self.completions.tell(watch)  # before anything new is heard, and may be acted on
            self._rounds_alone = self._rounds_alone + 1 if len(fresh) + len(again) <= 1 else 0
            self.crowded = self._rounds_alone < _LONG_ALONE
            self._give_turns(fresh, now)
            if again:
                self._give_turns(again, now)
            if some_ended:
                self.completions.answer()
            now = what_time()
            if self._needs_others(watch) or self._nudged or now - rested > _PATIENCE:
                self._nudged = False
                await trio.lowlevel.checkpoint()
                now = rested = what_time()

    async def _stay_awake(self, watch: Lookout) -> list[tuple[int, int]]:
        """Wait for more without going to sleep, where that may pay."""
        ready: list[tuple[int, int]] = []
        if self._needs_others(watch) and self._passes.is_due():
            ready = await self._stand_by(watch)
        if not ready and not self._again and not self._needs_others(watch):
            ready = self._linger()
        return ready

    def _needs_others(self, watch: Lookout) -> bool:
        """Whether something is under way that other tasks are needed for."""
        return self.elsewhere > watch.under_way

    async def _stand_by(self, watch: Lookout) -> list[tuple[int, int]]:
        """Let others in without going to sleep, while their work goes on that may end soon.

        Storage that needs no longer than this is waited for as by itself: to sleep and to be woken
        takes longer than its work.
        """
        ready: list[tuple[int, int]] = []
        for _ in range(_PASSES):
            await trio.lowlevel.checkpoint()
            ready = self._epoll.poll(0, _MOST)
            if ready or not self._needs_others(watch):
                break
        self._passes.made(paid=bool(ready) or not self._needs_others(watch))
        return ready

    def _linger(self) -> list[tuple[int, int]]:
        """Wait for more without going to sleep, or sleep for a moment without going to trio.

        A sleeping thread takes longer to wake than a peer takes to answer.  So it stays awake for
        that long, as long as this has paid the last time.  It sleeps less and less often where
        nothing comes of it: all peers may be slow, or be in this process and have to wait for it.
        """
        poll = self._epoll.poll
        if self._looks_pay:
            for _ in range(_LOOKS):
                if ready := poll(0, _MOST):
                    return ready
            self._looks_pay = False
        if not self._sleeps.is_due():
            return []
        begin = perf_counter()
        ready = poll(_PATIENCE, _MOST)
        self._looks_pay = bool(ready) and perf_counter() - begin < _WORTH_LOOKING
        self._sleeps.made(paid=bool(ready))
        return ready

    def _give_turns(self, fds: Iterable[int], now: float) -> None:
        talkers: list[Talker] = []
        for fd in fds:
            talker = self._talkers.get(fd)
            if talker is None:
                continue
            talkers.append(talker)
            if talker.hear(now):
                self._again.add(fd)
            if len(talkers) == _TOGETHER:
                self._end_turns(talkers)
                talkers = []
        self._end_turns(talkers)

    def _end_turns(self, talkers: Iterable[Talker]) -> None:
        for talker in talkers:
            talker.act()
        for talker in talkers:
            talker.answer()
