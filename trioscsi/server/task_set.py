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
_IN_ORDER = (TaskAttribute.SIMPLE, TaskAttribute.ORDERED)


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
        self._urgent: dict[Task, Member] = {}
        """Those of them that are HEAD OF QUEUE."""
        self.waiting = 0
        """How many commands have not been begun."""
        for member in running:
            member.machine.found_running()
            self._add(member)

    @property
    def plain(self) -> bool:
        """Whether nobody has to look at it any more."""
        return not (self._faulted or self.waiting) and all(
            member.attribute == TaskAttribute.SIMPLE for member in self.members.values()
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
        """A command comes in, and is performed if it is its turn."""
        first = self._is_first(member)
        self._add(member)
        self.waiting += 1
        self._place(member, first)
        if member.task.over:
            self._remove(member)

    def _add(self, member: Member) -> None:
        self.members[member.task] = member
        if member.attribute == TaskAttribute.HEAD_OF_QUEUE:
            self._urgent[member.task] = member

    def _is_first(self, member: Member) -> bool:
        """Whether a command that comes has to wait for none of those that are here."""
        if member.exempt or member.attribute not in _IN_ORDER:
            return not self._holds_up(member)
        scope, alone = self._scope(member), member.attribute == TaskAttribute.ORDERED
        return not (
            self._holds_up(member)
            or scope in self._urgent_scopes()
            or any(
                (alone or other.attribute == TaskAttribute.ORDERED)
                and not other.task.over
                and self._scope(other) == scope
                for other in self.members.values()
            )
        )

    def settle(self) -> None:
        """Forget the commands that have ended, and perform those whose turn has come.

        Thousands may wait for one: none that is behind an ORDERED command is looked at.
        """
        for member in [each for each in self.members.values() if each.task.over]:
            self._remove(member)
        for member in list(self._urgent.values()):
            if member.waits and not self._holds_up(member):
                self._place(member, first=True)
        closed = self._urgent_scopes()
        shared = self._shared
        before: set[Session | None] = set()
        for member in list(self.members.values()):
            scope = None if shared else member.session
            if scope in closed:
                if shared:
                    return
                continue
            ordered = member.attribute == TaskAttribute.ORDERED
            its_turn = not (ordered and scope in before) and not self._holds_up(member)
            if its_turn and member.waits and member.attribute in _IN_ORDER:
                self._place(member, first=True)
            if member.task.over:
                self._remove(member)
            else:
                before.add(scope)
                if ordered:
                    closed.add(scope)

    def _urgent_scopes(self) -> set[Session | None]:
        """The task sets in which a HEAD OF QUEUE command goes before all others."""
        return {self._scope(each) for each in self._urgent.values() if not each.task.over}

    def _place(self, member: Member, first: bool) -> None:
        running = member.machine
        if first:
            self.waiting -= 1
            dormant = running.state == machine.DORMANT.name
            self._do(member, running.turn_came() if dormant else running.is_first())
        else:
            member.task.own_data()
            self._do(member, running.is_behind())

    def _remove(self, member: Member) -> None:
        if self.members.pop(member.task, None) is not None:
            self._urgent.pop(member.task, None)
            self.waiting -= member.waits
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
