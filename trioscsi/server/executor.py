"""The commands of one connection that have to wait for storage, until they are answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

import trio

from trioscsi.protocol import TargetConnection, Task
from trioscsi.scsi import Plan
from trioscsi.server.errands import Errands
from trioscsi.server.outbox import Outbox
from trioscsi.server.reactor import Reactor


class Talk(Protocol):
    """What the executor needs of the conversation that its commands came in."""

    peer: str

    def end(self, answer: Callable[[], None], *, more: bool) -> None:
        """Call ``answer`` and send what it answers; at once, unless ``more`` may be about to."""

    def fail(self, fault: Exception) -> None:
        """See `trioscsi.server.perform.Executor`."""


class CommandExecutor:
    """Runs what storage makes wait: see `trioscsi.server.perform.Executor`."""

    def __init__(
        self, connection: TargetConnection, outbox: Outbox, reactor: Reactor, talk: Talk
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._reactor = reactor
        self._talk = talk
        self.peer = talk.peer
        self.errands: Errands | None = None
        """What performs them, once the connection has a session."""
        self.nursery: trio.Nursery | None = None
        """Where those run that need a task of their own, as long as there is a conversation."""
        self._waiting: deque[tuple[Task, Plan]] = deque()
        self._running: dict[Task, trio.CancelScope | None] = {}
        """Those that have begun; None: storage performs them by itself."""
        self._reading = 0
        """Bytes that these will add to what the peer has to read."""

    def start(self, task: Task, plan: Plan) -> None:
        """See `trioscsi.server.perform.Executor`."""
        self._waiting.append((task, plan))
        self.go_on()

    def has_room(self, task: Task) -> bool:
        """See `trioscsi.server.perform.Executor`."""
        return self._outbox.has_room(task.expected_in, self._reading)

    def cancel(self, task: Task) -> bool:
        """See `trioscsi.server.perform.Executor`."""
        if task in self._running:
            scope = self._running[task]
            if scope is not None:
                scope.cancel()
            return True
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not task)
        self._connection.release(task)
        return False

    def fail(self, fault: Exception) -> None:
        """See `trioscsi.server.perform.Executor`."""
        self._talk.fail(fault)

    def go_on(self) -> None:
        """Begin the commands that wait, in their order, as far as what they read has room."""
        while self._waiting and self.has_room(self._waiting[0][0]):
            task, plan = self._waiting.popleft()
            assert self.errands is not None, "commands come from a session"
            assert self.nursery is not None, "commands come in conversations"
            self._running[task] = None
            self._reading += task.expected_in
            self._reactor.elsewhere += 1
            if not self.errands.begin(task, plan, partial(self._end, task)):
                scope = self._running[task] = trio.CancelScope()
                name = f"command 0x{task.itt:08x} from {self.peer}"
                self.nursery.start_soon(self._run, task, plan, scope, name=name)

    async def _run(self, task: Task, plan: Plan, scope: trio.CancelScope) -> None:
        assert self.errands is not None, "commands come from a session"
        answer: Callable[[], None] | None = None
        try:
            with scope:
                answer = await self.errands.run(task, plan)
        finally:
            if answer is None:
                # Cancelled: the task was aborted, or the whole conversation ends.
                answer = partial(self._connection.release, task)
                if not task.over:
                    self._connection.drop("a command was cancelled")
            self._end(task, answer)

    def _end(self, task: Task, answer: Callable[[], None]) -> None:
        del self._running[task]
        self._reading -= task.expected_in
        self._reactor.elsewhere -= 1
        self._talk.end(answer, more=bool(self._running))
