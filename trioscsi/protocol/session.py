"""A session: what its connections share (RFC 7143 sections 4.2.2, 6.3 and 8.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import attrs

from trioscsi.machines import session as session_machine
from trioscsi.machines._automat import Effects, Transition
from trioscsi.machines.coupling import When, Whom, couplings
from trioscsi.machines.session import Effect
from trioscsi.protocol.events import SessionBegan, SessionEnded, TasksAborted, TasksCleared
from trioscsi.protocol.numbering import CommandOrder
from trioscsi.protocol.tasks import TaskSet
from trioscsi.protocol.view import EVERYTHING, NOWHERE, View
from trioscsi.serial import MODULUS
from trioscsi.text import Parameters

if TYPE_CHECKING:
    from trioscsi.protocol.connection import TargetConnection
    from trioscsi.protocol.node import Nexus, Node
    from trioscsi.protocol.tasks import Task


@attrs.define(eq=False)
class Session:
    """One session at the target, from the login of its first connection on."""

    node: Node
    initiator_name: str
    isid: bytes
    parameters: Parameters
    order: CommandOrder
    portal_group: int
    """The tag of the portal group in which it lives (section 4.2.7.1)."""
    portal: str = attrs.field(default="", init=False)
    """The address by which a discovery session has come; of no interest to a normal one."""
    view: View = EVERYTHING
    """Which units it sees, and how it calls them."""
    replaces: Session | None = None
    """The session whose place this one takes when its login has ended (section 6.3.5)."""
    tsih: int = 0
    """0 until the first login has ended (section 11.12.6)."""
    proven_name: str | None = attrs.field(default=None, init=False)
    """What the initiator has proven to be called (CHAP_N), if it had to: on all connections."""
    connections: list[TargetConnection] = attrs.field(factory=list, init=False)
    """Those that log in, are in full feature phase, or wait for cleanup."""
    tasks: TaskSet = attrs.field(factory=TaskSet, init=False)
    write_buffers: int = attrs.field(default=0, init=False)
    """Bytes of write data that tasks have asked for."""
    waiting: deque[Task] = attrs.field(factory=deque, init=False)
    """Tasks that may not ask for their data before others have given back their buffers."""
    machine: session_machine.Inputs = attrs.field(init=False)
    _coupled: TargetConnection | None = attrs.field(default=None, init=False)
    """The connection whose transitions are being told to others, or were last."""
    _cause: str = attrs.field(default="", init=False)
    """What the machine has heard last."""

    def __attrs_post_init__(self) -> None:
        self.machine = session_machine.machine.start(self._watch)

    @property
    def nexus(self) -> Nexus:
        """The two SCSI ports: initiator name and ISID, and the target's portal group.

        A discovery session has its like at each portal (section 7.4.2.1).
        """
        return self.initiator_name, self.isid, self.portal or self.portal_group

    @property
    def normal(self) -> bool:
        """Whether this session does I/O; otherwise it is a discovery session."""
        return self.parameters.session_type == "Normal"

    @property
    def state(self) -> str:
        """The RFC's name for the session's state (section 8.3.2)."""
        return self.machine.state

    def _watch(self, transition: Transition) -> None:
        """Tell of a transition who watches the node, or else the connection that is behind it."""
        self._cause = transition.cause
        watcher = self.node.watcher
        if watcher is None and self._coupled is not None:
            watcher = self._coupled.watcher
        if watcher is not None:
            watcher(transition)

    def couple(self, connection: TargetConnection, transition: Transition) -> None:
        """Feed the machines that a transition of a connection is coupled to."""
        before, self._coupled = self._coupled, connection
        for row in couplings(transition.machine, transition.label):
            if not _CONDITIONS[row.when](self, connection):
                continue
            for owner in self._owners(row.whom, connection):
                fed, do = owner.running(row.machine)
                if fed is not None and fed.hears(row.cause):
                    do(getattr(fed, row.cause)())
        # What happens to it later is told to whoever watches the connection that was last.
        self._coupled = before or connection

    def _owners(
        self, whom: Whom, connection: TargetConnection
    ) -> Iterable[Session | TargetConnection]:
        match whom:
            case Whom.SESSION:
                return [self]
            case Whom.OTHERS:
                return [other for other in self.connections if other is not connection]
            case Whom.REPLACED_SESSION:
                return [] if self.replaces is None else [self.replaces]
            case Whom.REPLACED_CONNECTIONS:
                return list(connection.replaces)

    def running(self, name: str) -> tuple[Any, Callable[[Effects], None]]:
        """The machine that couplings know by ``name``, and what does its effects."""
        return self.machine, self._do

    def _do(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Effect.CREATE_NEXUS:
                    assert self._coupled is not None, "a session begins by a connection"
                    self.replaces = None
                    self.node.admit(self)
                    self.node.events.append(SessionBegan(self, self._coupled))
                case Effect.REPORT_NEXUS_LOSS:
                    self.abort(self.tasks)
                    self.node.events.append(SessionEnded(self, self._cause))
                case Effect.FREE_SESSION:
                    self.node.remove(self)

    def abort(self, tasks: Iterable[Task], *, told: bool = False) -> None:
        """End tasks without status; the server lets go of those that it has in hand.

        With ``told`` the initiator gets TASK ABORTED status for those that the server knows of and
        that have no status yet; the others go on.
        """
        in_hand = []
        for task in list(tasks):
            if self.tasks.get(task.itt) is not task or (
                told and not task.machine.hears("terminated")
            ):
                continue
            self.stop_waiting(task)
            if told:
                task.connection.terminate(task)
            else:
                task.machine.aborted()
                self.forget(task)
            if task.in_hand:
                in_hand.append(task)
                self.node.dying.add(task)
        if in_hand:
            self.node.events.append(TasksAborted(in_hand))

    def notify(self, lun: int, sense: bytes) -> None:
        """Tell the initiator of an event at a unit, if it sees that (section 11.9.1, event 0)."""
        connection = self.another()
        if connection is not None and self.view.outward(lun) != NOWHERE:
            connection.notify(lun, sense)

    def another(self, connection: TargetConnection | None = None) -> TargetConnection | None:
        """A connection in full feature phase that is not this one."""
        return next(
            (each for each in self.connections if each.full_feature and each is not connection),
            None,
        )

    def end_silently(self, tasks: Iterable[Task]) -> None:
        """End tasks with no answer: if that opens the window, a NOP-In has to say so (11.4.11)."""
        before = self.order.maximum
        self.abort(tasks)
        connection = self.another()
        if connection is not None and self.order.maximum != before:
            connection.tell_window()

    def forget(self, task: Task) -> None:
        """A task is answered or aborted: its places are free for others."""
        self.tasks.remove(task)
        if task.counted:
            task.counted = False
            order = self.order
            order.maximum = (order.maximum + 1) % MODULUS
        if task.reserved:
            self.write_buffers -= task.reserved
            task.reserved = 0
            self._hand_buffers_on()

    def reserve(self, task: Task, size: int) -> bool:
        """Take ``size`` bytes of the write buffers for a task; False if it has to wait.

        A single task may have as much as it needs, and none overtakes one that waits, so that
        every task gets its turn.
        """
        is_first = not self.waiting or self.waiting[0] is task
        fits = self.write_buffers + size <= self.node.limits.write_buffers
        if self.write_buffers and not (is_first and fits):
            if task not in self.waiting:
                self.waiting.append(task)
            return False
        self.write_buffers += size
        task.reserved = size
        return True

    def stop_waiting(self, task: Task) -> None:
        """A task does not want write buffers any more, if it has waited for some."""
        if task in self.waiting:
            self.waiting.remove(task)

    def _hand_buffers_on(self) -> None:
        """Let waiting tasks ask for their data, as far as the buffers go."""
        while self.waiting:
            task = self.waiting[0]
            task.connection.solicit(task)
            if not task.reserved:
                return
            self.waiting.popleft()

    def clear(self, connection: TargetConnection) -> None:
        """End the tasks of one connection while the session lives on (section 11.14.5)."""
        ended = [task for task in self.tasks if task.connection is connection]
        if ended:
            self.end_silently(ended)
            self.node.events.append(TasksCleared(self))

    def leave(self, connection: TargetConnection) -> None:
        """Nothing is left of a connection."""
        if connection in self.connections:
            self.connections.remove(connection)
            self.clear(connection)

    def drop(self, reason: str) -> None:
        """End the session at once, and do not wait for the initiator to come back."""
        for connection in list(self.connections):
            connection.drop_session(reason)
        self.end_cleanups()

    def end_cleanups(self) -> None:
        """Do not wait any longer for the initiator to come back (section 6.3.6)."""
        for connection in list(self.connections):
            connection.cleanup_timed_out()


_NOT_YET = (session_machine.FREE.name, session_machine.ACTIVE.name)
_FAILED = (session_machine.FAILED.name, session_machine.IN_CONTINUE.name)

_CONDITIONS: dict[When, Callable[[Session, TargetConnection], bool]] = {
    When.ALWAYS: lambda session, connection: True,
    When.LEADING: lambda session, connection: session.state in _NOT_YET,
    When.CONTINUING: lambda session, connection: session.state in _FAILED,
    When.LAST_ATTEMPT: lambda session, connection: (
        session.state == session_machine.IN_CONTINUE.name
        and not any(other.in_login for other in session.connections if other is not connection)
    ),
    When.LAST: lambda session, connection: (
        not any(other.full_feature for other in session.connections if other is not connection)
    ),
    When.LAST_AND_CLEAN: lambda session, connection: (
        not any(other is not connection for other in session.connections)
    ),
    When.SESSION_LOGOUT: lambda session, connection: connection.logout_ends_session,
}
