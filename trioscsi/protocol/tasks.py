"""SCSI commands under way in a session (RFC 7143 sections 4.2.1 and 11.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from trioscsi.machines import task as task_machine
from trioscsi.pdu import Buffer

if TYPE_CHECKING:
    from trioscsi.protocol.bursts import Incoming
    from trioscsi.protocol.connection import TargetConnection

OVER = frozenset(
    state.name for state in (task_machine.DRAINING, task_machine.RESPONDED, task_machine.ABORTED)
)
"""The states of tasks that have ended; `Task.over` tells those who do not ask at each command."""


@attrs.define(eq=False)
class Task:
    """One SCSI command.

    What the device server needs is ``lun``, ``cdb`` and, for a write, ``data`` once it is complete;
    the rest is iSCSI's.  ``data`` that came with the command is a view which is valid only until
    the connection receives again: `own_data` makes it last.
    """

    connection: TargetConnection
    lun: int
    """The 64-bit LUN field."""
    itt: int
    cmd_sn: int
    immediate: bool
    attributes: int
    cdb: Buffer
    expected_out: int
    """Bytes that the initiator means to send."""
    expected_in: int
    """Bytes that the initiator means to receive."""
    data: Buffer
    machine: task_machine.Inputs = attrs.field(factory=task_machine.machine.start)
    incoming: Incoming | None = None
    data_sn: int = 0
    """The next DataSN or R2TSN: the two share one counter (section 4.2.2.4)."""
    answer: Callable[[], None] | None = None
    """Sends the status that is known already, once announced data has come."""
    taken: int = 0
    """Bytes of data that the device server takes, or would if the initiator sent so many."""
    counted: bool = False
    """Whether the task takes a place of the command window."""
    reserved: int = 0
    """Bytes of the session's write buffers that the task has taken."""
    plan: Any = None
    """What the device server has decided: its own to use."""
    in_hand: bool = False
    """Whether the device server has the task, so that its end must be waited for."""

    @property
    def over(self) -> bool:
        """Whether the task has ended, so that nobody waits for the device server any more."""
        return self.machine.state in OVER

    def own_data(self) -> None:
        """Copy data that would not outlive the next receive."""
        if type(self.data) is memoryview and self.incoming is None:
            self.data = self.connection.keep(self.data)


@attrs.define(eq=False)
class TaskSet:
    """The tasks of one session by Initiator Task Tag."""

    by_itt: dict[int, Task] = attrs.field(factory=dict)
    immediate: int = 0
    """How many of them came as immediate commands."""
    get: Callable[[int], Task | None] = attrs.field(init=False)
    """The task with this tag, if it is under way."""

    def __attrs_post_init__(self) -> None:
        self.get = self.by_itt.get

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self.by_itt.values()))

    def __len__(self) -> int:
        return len(self.by_itt)

    def add(self, task: Task) -> None:
        """Put a new task into the set."""
        self.by_itt[task.itt] = task
        if task.immediate:
            self.immediate += 1

    def remove(self, task: Task) -> None:
        """Take a task out of the set."""
        if self.by_itt.get(task.itt) is task:
            del self.by_itt[task.itt]
            if task.immediate:
                self.immediate -= 1


@attrs.define(eq=False)
class Dying:
    """Tasks that were ended while the device server had them, and that it still has.

    A write that is under way in a thread cannot be stopped; whoever promised that a task is gone
    waits here until it has let go, or until he has waited for too long.
    """

    _tasks: dict[Task, None] = attrs.field(factory=dict)
    _waiting: list[tuple[set[Task], Callable[[], None]]] = attrs.field(factory=list)

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._tasks))

    def add(self, task: Task) -> None:
        """The device server has to let go of this task."""
        self._tasks[task] = None

    def when_gone(self, tasks: Iterable[Task], then: Callable[[], None]) -> bool:
        """Call ``then`` as soon as none of ``tasks`` is left here; whether that was at once."""
        left = {task for task in tasks if task.in_hand}
        if left:
            self._waiting.append((left, then))
        else:
            then()
        return not left

    def give_up(self, then: Callable[[], None]) -> None:
        """Call what waits, although not all that it waits for is gone."""
        self._waiting = [entry for entry in self._waiting if entry[1] is not then]
        then()

    def released(self, task: Task) -> None:
        """The device server does not touch the disk for this task any more."""
        task.in_hand = False
        del self._tasks[task]
        for entry in list(self._waiting):
            tasks, then = entry
            if task in tasks:
                tasks.discard(task)
                if not tasks:
                    self._waiting.remove(entry)
                    then()
