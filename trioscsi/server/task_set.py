"""The order of a unit's commands, while they have one (SAM-5 chapter 8 and section 5.9).

Commands with SIMPLE attribute have no order among them: that is what QUEUE ALGORITHM MODIFIER 1 in
the Control mode page says.  They may end as storage answers, those on the same blocks too, and
whoever needs one after the other waits for the answer or says ORDERED.  So as long as all commands
of a unit are SIMPLE nobody looks at its task set.  It is looked at

- from the arrival of an ORDERED, HEAD OF QUEUE or ACA command until there are SIMPLE ones alone
  again, none of which waits;
- from a CHECK CONDITION for a command with NACA until its auto contingent allegiance is cleared.

The promise, which holds within a task set (of all nexuses, or of one each: TST):

- an ORDERED command begins after all that came before it have ended;
- a SIMPLE one begins after the ORDERED ones before it, and all HEAD OF QUEUE ones, have ended;
- a HEAD OF QUEUE one begins at once;
- while there is an allegiance, nothing begins but one ACA command of the nexus that has it, and
  nothing ends that was begun before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from trioscsi.machines import task_state as machine
from trioscsi.machines.task_state import Effect
from trioscsi.pdu import TaskAttribute
from trioscsi.protocol import Session, Task
from trioscsi.scsi import Failed, LogicalUnit, Outcome, Refused, Status
from trioscsi.scsi.cdb import is_preempt_and_abort, naca
from trioscsi.scsi.complaints import INVALID_MESSAGE, invalid_data_out

_WAITING = (machine.ARRIVED.name, machine.DORMANT.name)


@attrs.define(eq=False)
class Member:
    """A command in a task set that is looked at."""

    task: Task
    session: Session
    machine: machine.Inputs = attrs.field(factory=machine.machine.start)
    exempt: bool = False
    """Whether it may be performed in spite of an allegiance."""
    resume: Callable[[], None] | None = None
    """What is to be done when the allegiance is cleared that blocks it."""

    @property
    def attribute(self) -> int:
        """SIMPLE stands for UNTAGGED too."""
        return self.task.attributes or TaskAttribute.SIMPLE

    @property
    def waits(self) -> bool:
        """Whether it has not been begun."""
        return self.machine.state in _WAITING


class TaskSet:
    """The commands of one unit in the order in which they came; ``running`` have begun already.

    ``start`` performs a command, ``abort`` ends some of a session's without status.
    """

    def __init__(
        self,
        unit: LogicalUnit,
        running: Iterable[Member],
        start: Callable[[Task], None],
        abort: Callable[[Session, list[Task]], None],
    ) -> None:
        self._unit = unit
        self._start = start
        self._abort = abort
        self._faulted: dict[Session, None] = {}
        """Who has an allegiance: with one task set for all, one at most."""
        self.members: dict[Task, Member] = {}
        for member in running:
            member.machine.found_running()
            self.members[member.task] = member

    @property
    def waiting(self) -> int:
        """How many commands have not been begun."""
        return sum(member.waits for member in self.members.values())

    @property
    def plain(self) -> bool:
        """Whether nobody has to look at it any more."""
        return not self._faulted and all(
            member.attribute == TaskAttribute.SIMPLE and not member.waits
            for member in self.members.values()
        )

    # Commands.

    def has_begun(self, task: Task) -> bool:
        """Whether this command's turn has come already."""
        member = self.members.get(task)
        return member is not None and not member.waits

    def refusal(self, member: Member) -> Outcome | None:
        """Why a command that has come may not enter (SAM-5 sections 5.9.3 to 5.9.5 and 8.6)."""
        session, attribute, cdb = member.session, member.attribute, member.task.cdb
        if attribute > TaskAttribute.ACA:
            return Failed(invalid_data_out())
        if session in self._faulted:
            member.exempt = attribute == TaskAttribute.ACA and not self._aca_commands(session)
            return None if member.exempt else Refused(Status.ACA_ACTIVE)
        if self._faulted and self._shared:
            member.exempt = is_preempt_and_abort(cdb)
            if member.exempt:
                return None
            return Refused(Status.ACA_ACTIVE if naca(cdb) else Status.BUSY)
        return Failed(INVALID_MESSAGE) if attribute == TaskAttribute.ACA else None

    def enter(self, member: Member) -> None:
        """A command comes in, and is performed as soon as it is its turn."""
        self.members[member.task] = member
        self.settle()

    def settle(self) -> None:
        """Forget the commands that have ended, and perform those whose turn has come."""
        urgent = self._count_urgent()
        before: Counter[Session | None] = Counter()
        ordered: Counter[Session | None] = Counter()
        for member in list(self.members.values()):
            scope = self._scope(member)
            if member.waits and not member.task.over:
                match member.attribute:
                    case TaskAttribute.SIMPLE:
                        first = not urgent[scope] and not ordered[scope]
                    case TaskAttribute.ORDERED:
                        first = not urgent[scope] and not before[scope]
                    case _:
                        first = True
                self._place(member, member.exempt or (first and not self._holds_up(member)))
            if member.task.over:
                self._remove(member)
            else:
                before[scope] += 1
                ordered[scope] += member.attribute == TaskAttribute.ORDERED

    def _count_urgent(self) -> Counter[Session | None]:
        return Counter(
            self._scope(member)
            for member in self.members.values()
            if member.attribute == TaskAttribute.HEAD_OF_QUEUE and not member.task.over
        )

    def _place(self, member: Member, first: bool) -> None:
        running = member.machine
        if running.state == machine.DORMANT.name:
            if first:
                self._do(member, running.turn_came())
        elif first:
            self._do(member, running.is_first())
        else:
            member.task.own_data()
            self._do(member, running.is_behind())

    def _remove(self, member: Member) -> None:
        if self.members.pop(member.task, None) is not None:
            member.machine.over()

    def goes_on(self, task: Task, resume: Callable[[], None]) -> None:
        """A command's data has come, or its answer is known: ``resume``, now or later."""
        member = self.members.get(task)
        if member is None or task.over:
            resume()
        else:
            member.resume = resume
            self._do(member, member.machine.went_on())

    # Allegiances.

    def establish(self, session: Session) -> None:
        """A command of this session has failed that had NACA (SAM-5 section 5.9.2)."""
        self._faulted[session] = None
        for member in self.members.values():
            if self._holds_up(member) and member.machine.hears("allegiance_established"):
                member.machine.allegiance_established()

    def clear(self, session: Session) -> None:
        """The allegiance of this session ends, if it has one; its ACA command ends with it."""
        if session not in self._faulted:
            return
        del self._faulted[session]
        self._abort(session, self._aca_commands(session))
        self._unblock()

    def reset(self) -> None:
        """No allegiance outlives a reset."""
        self._faulted.clear()
        self._unblock()

    def _unblock(self) -> None:
        for member in list(self.members.values()):
            if member.machine.state == machine.BLOCKED.name and not self._holds_up(member):
                self._do(member, member.machine.allegiance_cleared())

    def _aca_commands(self, session: Session) -> list[Task]:
        return [
            member.task
            for member in self.members.values()
            if member.session is session
            and member.attribute == TaskAttribute.ACA
            and not member.task.over
        ]

    def _holds_up(self, member: Member) -> bool:
        """Whether an allegiance keeps this command from beginning or ending."""
        if member.exempt:
            return False
        return bool(self._faulted) if self._shared else member.session in self._faulted

    @property
    def _shared(self) -> bool:
        return not self._unit.modes.tst

    def _scope(self, member: Member) -> Session | None:
        """Which task set of the unit it is in."""
        return None if self._shared else member.session

    def _do(self, member: Member, effects: Iterable[Any]) -> None:
        for effect in effects:
            match effect:
                case Effect.START:
                    self._start(member.task)
                case Effect.GO_ON:
                    resume, member.resume = member.resume, None
                    if resume is not None and not member.task.over:
                        resume()
