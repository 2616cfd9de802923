"""Commands that end because of what others do: a reservation is preempted, a medium is worked on.

Whoever sent them has not asked for it, and none of them may change anything afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import trio

from trioscsi.server.task_sets import session_of

if TYPE_CHECKING:
    from trioscsi.protocol import Event, Session, Task
    from trioscsi.scsi import Nexus, Plan
    from trioscsi.server.storage import Unit
    from trioscsi.server.task_sets import TaskSets


class Interventions:
    """Ends commands of one target; ``handle`` does what the protocol asks for as they end."""

    def __init__(
        self,
        by_field: Mapping[int, Unit],
        nexuses: Mapping[Session, Nexus],
        task_sets: TaskSets,
        handle: Callable[[Iterable[Event]], None],
    ) -> None:
        self._by_field, self._nexuses = by_field, nexuses
        self._task_sets = task_sets
        self._handle = handle

    def divert(self, unit: Unit, fate: Callable[[Task], Plan | None]) -> None:
        """Let commands that wait for their data end otherwise, where ``fate`` says how."""
        for session in self._nexuses:
            for task in session.tasks:
                waits = task.plan is not None and not task.in_hand and not task.over
                if not waits or self._by_field.get(task.lun) is not unit:
                    continue
                plan = fate(task)
                if plan is not None:
                    task.plan = plan
                    task.connection.refuse_data(task)
                    self._handle(session.node.take_events())

    async def abort(self, asking: Task, unit: Unit, nexuses: Collection[Nexus]) -> None:
        """End what these nexuses have under way at a unit, but for the task that asks for it.

        Returns when storage has let go of all of it, or does not for too long.
        """
        by = session_of(asking)
        node, gone = by.node, trio.Event()
        sessions = [session for session, nexus in self._nexuses.items() if nexus in nexuses]

        def is_theirs(task: Task) -> bool:
            here = self._by_field.get(task.lun) is unit
            return here and task is not asking and task.connection.session in sessions

        node.end_tasks(is_theirs, by, sessions)
        for session in sessions:
            self._task_sets.clear(unit, session)
        self._handle(node.take_events())
        dying = [task for task in node.dying if is_theirs(task)]
        node.when_gone(dying, gone.set, trio.current_time())
        await gone.wait()
