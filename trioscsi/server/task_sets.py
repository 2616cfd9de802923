"""The task sets of all units of a target, and what task management asks about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from trioscsi.pdu import TaskAttribute
from trioscsi.protocol import Session, Task, Units
from trioscsi.scsi import Nexus, Outcome, Refused, Status
from trioscsi.scsi.cdb import naca
from trioscsi.server.storage import Unit
from trioscsi.server.task_set import Member, TaskSet

_ONE, _MORE_THAN_ONE = 1, 2
"""UADE DEPTH: how many unit attentions are pending."""
_ALL = 1
"""QERR: a CHECK CONDITION aborts the commands of all nexuses, not of its own alone."""


_SOON = 1
"""When to come again if there is no room for a command, in tenths of a second: others end."""


class TaskSets(Units):
    """Looks at the order of commands where there is one; ``watched`` are the units that have it.

    ``start`` performs a command whose turn has come, ``refuse`` answers one that may not come in.
    At most ``most`` commands of one unit wait, for others or for storage.
    """

    def __init__(
        self,
        by_field: Mapping[int, Unit],
        nexuses: Mapping[Session, Nexus],
        start: Callable[[Task], None],
        refuse: Callable[[Task, Outcome], None],
        most: int,
    ) -> None:
        self._by_field, self._nexuses = by_field, nexuses
        self._start, self._refuse = start, refuse
        self._most = most
        self.watched: dict[Unit, TaskSet] = {}
        self._emptied: dict[Unit, trio.Event] = {}

    # What task management asks.

    def has(self, lun: int) -> bool:
        """See `Units.has`."""
        return lun in self._by_field

    def shares_tasks(self, lun: int) -> bool:
        """See `Units.shares_tasks`."""
        return not self._by_field[lun].logical.modes.tst

    def tells_of_aborts(self, lun: int) -> bool:
        """See `Units.tells_of_aborts`."""
        unit = self._by_field.get(lun)
        return unit is not None and bool(unit.logical.modes.tas)

    def clear_aca(self, lun: int, session: Session) -> None:
        """See `Units.clear_aca`."""
        self.clear(self._by_field[lun], session)

    def attention(self, lun: int, session: Session) -> int | None:
        """See `Units.attention`: UADE DEPTH and sense key, ASC and ASCQ (SAM-5 section 7.10)."""
        nexus, number = self._nexuses.get(session), self._by_field[lun].logical.number
        # Who asks together with its login has no nexus yet, and has not waited as it should.
        sense = None if nexus is None else nexus.first(number)
        if nexus is None or sense is None:
            return None
        depth = _MORE_THAN_ONE if len(nexus.pending[number]) > 1 else _ONE
        return (depth << 4 | sense.key) << 16 | sense.code

    # Commands.

    def holds(self, task: Task) -> bool:
        """Whether a command that has come is not to be performed now: it waits, or is refused."""
        unit = self._by_field.get(task.lun)
        if unit is None:
            return False
        tasks = self.watched.get(unit)
        if tasks is not None and tasks.has_begun(task):
            return False
        if tasks is None:
            if task.attributes <= TaskAttribute.SIMPLE:
                return False
            tasks = self._watch(unit)
        member = Member(task, session_of(task))
        refusal = tasks.refusal(member) or self.refusal(task, unit)
        if refusal is None:
            tasks.enter(member)
        else:
            member.machine.is_refused()
            self._refuse(task, refusal)
        return True

    def refusal(self, task: Task, unit: Unit) -> Outcome | None:
        """TASK SET FULL if too many commands wait already; BUSY to who has none of them."""
        tasks = self.watched.get(unit)
        waiting = len(unit.waiting) + (0 if tasks is None else tasks.waiting)
        if waiting < self._most:
            return None
        has_others = any(
            other is not task and self.is_in_set(other, unit) for other in session_of(task).tasks
        )
        return Refused(Status.TASK_SET_FULL if has_others else Status.BUSY, _SOON)

    def settle(self) -> None:
        """See whose turn has come now that others have ended; to be called after each turn."""
        for unit, tasks in list(self.watched.items()):
            tasks.settle()
            if unit in self._emptied:
                if not tasks.members:
                    self._emptied[unit].set()
            elif tasks.plain:
                del self.watched[unit]

    def goes_on(self, task: Task, resume: Callable[[], None]) -> None:
        """A command's data has come, or its answer is known: ``resume``, now or later."""
        unit = self._by_field.get(task.lun)
        tasks = None if unit is None else self.watched.get(unit)
        if tasks is None:
            resume()
        else:
            tasks.goes_on(task, resume)

    def failed(self, task: Task) -> None:
        """A command got CHECK CONDITION: what becomes of the others (SAM-5 section 5.9, QERR)."""
        unit = self._by_field.get(task.lun)
        if unit is None:
            return
        session, modes = session_of(task), unit.logical.modes
        if naca(task.cdb):
            self._watch(unit).establish(session)
        elif unit in self.watched and task.attributes == TaskAttribute.ACA:
            self.watched[unit].clear(session)
        if modes.qerr:
            everybody = modes.qerr == _ALL and not modes.tst
            session.node.end_tasks(
                lambda other: other is not task and self.is_in_set(other, unit),
                session,
                session.node.sessions if everybody else [session],
            )

    # Events of units and sessions.

    def reset(self, unit: Unit) -> None:
        """A unit was reset."""
        if unit in self.watched:
            self.watched[unit].reset()

    def clear(self, unit: Unit, session: Session) -> None:
        """An allegiance of this session ends, if it has one."""
        if unit in self.watched:
            self.watched[unit].clear(session)

    async def emptied(self, unit: Unit) -> None:
        """Wait until no command of a unit is under way; no allegiance holds them up any more."""
        event = self._emptied[unit] = trio.Event()
        try:
            self._watch(unit).reset()
            self.settle()
            await event.wait()
        finally:
            del self._emptied[unit]

    def lost(self, session: Session) -> None:
        """A nexus is no more."""
        for tasks in self.watched.values():
            tasks.clear(session)

    def _watch(self, unit: Unit) -> TaskSet:
        tasks = self.watched.get(unit)
        if tasks is None:
            running = [
                Member(task, session)
                for session in self._nexuses
                for task in session.tasks
                if self.is_in_set(task, unit)
            ]
            tasks = self.watched[unit] = TaskSet(unit.logical, running, self._start, _abort)
        return tasks

    def is_in_set(self, task: Task, unit: Unit) -> bool:
        """Whether a command of a session has come to this unit, and has not ended."""
        if task.over or self._by_field.get(task.lun) is not unit:
            return False
        tasks = self.watched.get(unit)
        return task.plan is not None or (tasks is not None and task in tasks.members)


def session_of(task: Task) -> Session:
    """The session that a command came in."""
    session = task.connection.session
    assert session is not None, "commands come in sessions"
    return session


def _abort(session: Session, tasks: list[Task]) -> None:
    session.abort(tasks)
