"""Commands that the target does not acknowledge, sent once more (RFC 7143 section 7.2.1).

What was lost on its way leaves a hole in the target's row of CmdSN, and all that comes later waits
for it.  Where error recovery was agreed the command is sent again as it was, with the same CmdSN
and task tag, by the same connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trioscsi.initiator.requests import Task
from trioscsi.initiator.rules import Rule
from trioscsi.serial import less

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection
    from trioscsi.initiator.full_feature import FullFeature
    from trioscsi.initiator.session import InitiatorSession

_TRIES = 3


class Retries:
    """Sends the commands of one connection, and again those that do not arrive."""

    def __init__(self, full_feature: FullFeature) -> None:
        self._full_feature = full_feature
        self._connection = full_feature.connection
        self._session = full_feature.session
        self._watching = False
        self._missed: int | None = None
        """The CmdSN that the target waited for at the last look."""

    def send(self, task: Task, *pdus: Any) -> None:
        """Send a command and the data that follow it unasked; keep them while they may be lost."""
        if self._connection.parameters.error_recovery_level and not task.immediate:
            task.sent = list(pdus)
            self._watch()
        for pdu in pdus:
            self._full_feature.send_data(pdu)

    def again(self, task: Task) -> None:
        """Send a command again as it was."""
        task.retries += 1
        for pdu in task.sent:
            self._full_feature.send_data(pdu)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            when = self._connection.now + self._connection.limits.retry_time
            self._connection.deadlines.set("retry", when, self._look)

    def _look(self) -> None:
        """Send what the target still waits for, if it did so at the last look."""
        self._watching = False
        waiting = unacknowledged(self._session, self._connection)
        missed, self._missed = self._missed, self._session.numbers.expected
        if waiting:
            self._watch()
        if missed != self._missed or not self._session.rules.keep(Rule.RETRY_COMMANDS):
            return
        for task in waiting:
            if task.cmd_sn != missed:
                continue
            if task.retries >= _TRIES:
                self._connection.give_up("a command is not acknowledged however often it is sent")
            else:
                self.again(task)


def unacknowledged(session: InitiatorSession, connection: InitiatorConnection) -> list[Task]:
    """The commands of a connection that the target may not have, by its ExpCmdSN."""
    expected = session.numbers.expected
    return [
        request
        for request in session.requests.values()
        if isinstance(request, Task)
        and request.sent
        and request.connection is connection
        and not less(request.cmd_sn, expected)
    ]
