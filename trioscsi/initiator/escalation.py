"""Commands that are not answered in time, and what is done about them (RFC 7143 section 7.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.initiator.requests import Management, Task
from trioscsi.initiator.rules import Rule
from trioscsi.machines._automat import Effects
from trioscsi.machines.initiator import escalation as machine
from trioscsi.machines.initiator.escalation import Effect
from trioscsi.pdu import TaskFunction, TaskResult

if TYPE_CHECKING:
    from trioscsi.initiator.session import InitiatorSession

_ENDED = (TaskResult.COMPLETE, TaskResult.NO_TASK)


class Escalation:
    """One command that somebody waits for, for so many seconds."""

    def __init__(self, session: InitiatorSession, task: Task, seconds: float) -> None:
        self._session = session
        self._task = task
        self._seconds = seconds
        self._machine = machine.machine.start(session.watcher)
        task.then = self._answered
        self._wait(seconds)

    @property
    def _reason(self) -> str:
        return f"no answer to the command in {self._seconds:g} seconds"

    def _wait(self, seconds: float) -> None:
        self._session.deadlines.set(self, self._session.now + seconds, self._timed_out)

    def _answered(self) -> None:
        self._session.deadlines.cancel(self)
        if self._machine.hears("answered"):
            self._do(self._machine.answered())

    def _timed_out(self) -> None:
        if self._task in self._session.waiting:
            self._session.waiting.remove(self._task)
            self._session.end(self._task, self._reason)
        elif self._session.rules.keep(Rule.ABORT_LATE_COMMANDS):
            self._do(self._machine.timed_out())

    def _do(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Effect.SEND_ABORT:
                    self._ask(TaskFunction.ABORT_TASK)
                case Effect.SEND_RESET:
                    self._ask(TaskFunction.LOGICAL_UNIT_RESET)
                case Effect.DROP_SESSION:
                    # It has had its time: it is not sent anew with the others.
                    self._session.abandon(self._task, self._reason)
                    self._session.drop("neither a command nor its end was answered")

    def _ask(self, function: TaskFunction) -> None:
        task = self._task
        request = Management(function=function, lun=task.lun, about=task, immediate=True)
        request.reason = f"{self._reason}: aborted"
        request.then = lambda: self._take(request)
        self._wait(self._session.limits.management_time)
        self._session.submit(request, task.connection)

    def _take(self, request: Management) -> None:
        """A function is over: it has ended the command, or could not."""
        if request.lost or request.result not in _ENDED:
            if self._machine.hears("function_failed") and not self._task.over:
                self._do(self._machine.function_failed())
        elif self._machine.hears("function_done"):
            self._do(self._machine.function_done())
            self._session.deadlines.cancel(self)
