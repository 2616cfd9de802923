"""Connections that have failed while their session goes on (RFC 7143 sections 7.1.4.3 and 7.14).

At error recovery level 0 a connection takes its session with it.  From level 1 on another
connection logs the lost one out, and sends again the commands that the target may not have.  At
level 2 all others are reassigned to it; and if no connection is left, a new one with the same CID
takes the place of the lost one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.initiator.events import ConnectionWanted
from trioscsi.initiator.reception import rewind
from trioscsi.initiator.requests import LogoutWish, Management, Mark, Request, Task
from trioscsi.initiator.retries import unacknowledged
from trioscsi.initiator.rules import Rule
from trioscsi.pdu import LogoutReason, LogoutResult, TaskFunction, TaskResult
from trioscsi.serial import less

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection
    from trioscsi.initiator.session import InitiatorSession

_CONNECTION_RECOVERY = 2
"""The error recovery level that has it (section 7.1.5)."""


@attrs.define(eq=False)
class Wreck:
    """What is left of a connection that has failed."""

    connection: InitiatorConnection
    tasks: list[Task]
    """Commands that may go on by another connection."""
    holes: list[int]
    """CmdSNs that the target may not have, of requests that cannot go on."""


class Rescue:
    """Brings commands of lost connections to others."""

    def __init__(self, session: InitiatorSession) -> None:
        self._session = session
        self._wrecks: dict[InitiatorConnection, Wreck] = {}
        self._wanted: InitiatorConnection | None = None
        """The connection that the driver is asked to bring back."""
        self._stranded: list[InitiatorConnection] = []
        """Others, which it will log out once it is back."""
        self.hopeless = False
        """Whether the session is given up: the target has broken the protocol, or nothing helps."""

    @property
    def under_way(self) -> bool:
        """Whether the session may get a connection again that it does not have now."""
        return bool(self._wrecks) and not self.hopeless

    @property
    def level(self) -> int:
        """The error recovery level of the session."""
        return self._session.parameters.error_recovery_level

    def begin(self, connection: InitiatorConnection) -> None:
        """A connection has failed."""
        session = self._session
        others = self._others(connection)
        if not self._possible(connection, others):
            self.hopeless = self.hopeless or not others
            session.end_all(connection.reason, connection)
            for wreck in list(self._wrecks):
                if self.hopeless:
                    self.end(wreck)
            if others:
                session.drop(f"{connection.reason}: its session ends with it")
            return
        self._wrecks[connection] = self._salvage(connection)
        wait = connection.wait if session.rules.keep(Rule.TIME2WAIT) else 0
        if others:
            when = session.now + wait
            session.deadlines.set((connection, "log out"), when, lambda: self._log_out(connection))
        else:
            self._want(connection, wait)

    def take_over(self, connection: InitiatorConnection, wait: int) -> None:
        """A connection was logged out for recovery: others go on with its commands."""
        others = self._others(connection)
        if self.level >= _CONNECTION_RECOVERY and others:
            wreck = self._salvage(connection)
            for task in wreck.tasks:
                task.connection = None
            self._go_on_after(wait, wreck, others[0])

    def end(self, connection: InitiatorConnection) -> None:
        """No time is left, or no way: what was to be rescued is lost."""
        wreck = self._wrecks.pop(connection, None)
        if self._wanted is connection:
            self._wanted = None
        self._session.deadlines.cancel((connection, "log out"))
        for task in [] if wreck is None else wreck.tasks:
            self._session.end(task, connection.reason, orphaned=True)

    def login_began(self, connection: InitiatorConnection) -> None:
        """A connection that is to take the place of another logs in (transition M2)."""
        connection.clean_up("logout_started")

    def login_failed(self, connection: InitiatorConnection) -> None:
        """It came to nothing (transition M3)."""
        connection.clean_up("logout_failed")

    def login_succeeded(self, old: InitiatorConnection, new: InitiatorConnection) -> None:
        """It is there: the other is logged out by that (transition M4)."""
        wreck = self._wrecks.pop(old, None)
        self._wanted = None
        old.clean_up("logout_succeeded")
        if wreck is not None:
            self._go_on(wreck, new)
        stranded, self._stranded = self._stranded, []
        for connection in stranded:
            self._log_out(connection)

    # How it is done.

    def _others(self, connection: InitiatorConnection) -> list[InitiatorConnection]:
        return [each for each in self._session.others(connection) if each.serves]

    def _possible(self, connection: InitiatorConnection, others: list[InitiatorConnection]) -> bool:
        session = self._session
        if self.hopeless or session.closing or not self.level:
            return False
        return bool(others) or (
            self.level >= _CONNECTION_RECOVERY and session.reconnects and connection.retain > 0
        )

    def _salvage(self, connection: InitiatorConnection) -> Wreck:
        """End the requests that cannot go on elsewhere; the others are what is left."""
        session = self._session
        unknown = unacknowledged(session, connection)
        tasks, holes = [], []
        for request in list(session.requests.values()):
            if request.connection is not connection:
                continue
            if isinstance(request, Task) and self._lasts(request, unknown):
                tasks.append(request)
                continue
            if not request.immediate and not less(request.cmd_sn, session.numbers.expected):
                holes.append(request.cmd_sn)
            session.end(request, connection.reason, orphaned=True)
        return Wreck(connection, tasks, holes)

    def _lasts(self, task: Task, unknown: list[Task]) -> bool:
        # Immediate commands are never recovered (section 7.14).
        return task in unknown or (not task.immediate and self.level >= _CONNECTION_RECOVERY)

    def _want(self, connection: InitiatorConnection, wait: int) -> None:
        self._wanted = connection
        event = ConnectionWanted(connection, wait, connection.retain)
        self._session.events.append(event)

    def _log_out(self, connection: InitiatorConnection) -> None:
        """Have another connection log out the one that has failed."""
        session, others = self._session, self._others(connection)
        if not others:
            if not self._possible(connection, []):
                self._give_up(connection)
            elif self._wanted is None:
                self._want(connection, 0)
            else:
                self._stranded.append(connection)
            return
        by = others[0]
        recovering = self.level >= _CONNECTION_RECOVERY
        reason = LogoutReason.REMOVE_FOR_RECOVERY if recovering else LogoutReason.CLOSE_CONNECTION
        # It must not wait for a command that was lost with the connection.
        wish = LogoutWish(reason=reason, cid=connection.cid, immediate=True)
        wish.then = lambda: self._logged_out(connection, wish, by)
        connection.clean_up("logout_started")
        when = session.now + session.limits.logout_time
        session.deadlines.set(wish, when, lambda: session.end(wish, "the logout was not answered"))
        session.submit(wish, by)

    def _logged_out(
        self, connection: InitiatorConnection, wish: LogoutWish, by: InitiatorConnection
    ) -> None:
        session = self._session
        session.deadlines.cancel(wish)
        if wish.lost or wish.result != LogoutResult.SUCCESS:
            connection.clean_up("logout_failed")
            self._give_up(connection)
            return
        wreck = self._wrecks.pop(connection, None)
        connection.clean_up("logout_succeeded")
        if wreck is None:
            return
        # At level 2 the target says how long tasks have to wait (section 11.15.3).
        wait = wish.time2wait if self.level >= _CONNECTION_RECOVERY else 0
        self._go_on_after(wait, wreck, by)

    def _go_on_after(self, wait: int, wreck: Wreck, by: InitiatorConnection) -> None:
        session = self._session
        if wait and session.rules.keep(Rule.TIME2WAIT):
            name = wreck.connection, "go on"
            session.deadlines.set(name, session.now + wait, lambda: self._go_on(wreck, by))
        else:
            self._go_on(wreck, by)

    def _give_up(self, connection: InitiatorConnection) -> None:
        """What does not work is escalated to session recovery (section 7.1.4.4)."""
        self.end(connection)
        self._session.drop(f"{connection.reason}, and it could not be logged out")

    def _go_on(self, wreck: Wreck, by: InitiatorConnection) -> None:
        """Send again what the target does not have, and have the rest reassigned."""
        session = self._session
        if not by.serves:
            others = self._others(wreck.connection)
            if not others:
                for task in wreck.tasks:
                    session.end(task, wreck.connection.reason, orphaned=True)
                return
            by = others[0]
        for cmd_sn in wreck.holes:
            if not less(cmd_sn, session.numbers.expected):
                by.plug(cmd_sn)
        for task in wreck.tasks:
            if task.over:
                continue
            if not less(task.cmd_sn, session.numbers.expected):
                task.connection = by
                by.retry(task)
            elif self.level >= _CONNECTION_RECOVERY and session.rules.keep(Rule.REASSIGN_TASKS):
                self._reassign(task, by)
            else:
                session.end(task, wreck.connection.reason, orphaned=True)
        session.flush()

    def _reassign(self, task: Task, by: InitiatorConnection) -> None:
        """Move a command to another connection (section 7.2.2)."""
        session = self._session
        # What came behind a hole is sent again, and so is the status.
        if task.data_out:
            task.renumbered = True
            rewind(task)
        else:
            task.received -= task.numbers.forget_ahead()
            task.data_ins = task.numbers.next
            parameters = session.parameters
            if parameters.data_pdu_in_order and parameters.data_sequence_in_order:
                task.highest = task.received
            task.mark = Mark(task.data_sn, task.data_ins, task.received, task.highest)
        task.last, task.awaited, task.sequence = None, None, 0
        task.snack_tag, task.recut = 0, False
        request = Management(
            function=TaskFunction.TASK_REASSIGN, lun=task.lun, about=task, immediate=True
        )
        request.then = lambda: self._reassigned(request, task, by)
        session.submit(request, by)

    def _reassigned(self, request: Request, task: Task, by: InitiatorConnection) -> None:
        if task.over:
            return
        result = request.result if isinstance(request, Management) else None
        if request.lost or result != TaskResult.COMPLETE:
            self._session.end(task, f"it could not be reassigned: {result!s}", orphaned=True)
        else:
            task.connection = by
            by.adopt(task)
