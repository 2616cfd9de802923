"""Commands that wait for storage: what is done for them until it is known how they end.

The executor of a connection begins them when it has room for what they read.  Storage that goes on
by itself needs no task for one; all others have one each.  What answers a command is not done here
but handed over: the executor does it in a turn of its connection.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from trioscsi.errors import BackendError
from trioscsi.scsi import Procedure, Read, Refusal, Write
from trioscsi.scsi.blocks.transfer import whole_blocks
from trioscsi.server.storage import UnitStorage

if TYPE_CHECKING:
    from trioscsi.backends import Buffer
    from trioscsi.protocol import Task
    from trioscsi.scsi import Plan
    from trioscsi.server.endings import Endings
    from trioscsi.server.interventions import Interventions
    from trioscsi.server.jobs import Jobs
    from trioscsi.server.keeper import Keeper
    from trioscsi.server.stock import Stock
    from trioscsi.server.storage import Unit
    from trioscsi.server.task_sets import TaskSets


class Errands:
    """Performs the plans of one target that could not be done at once.

    An answer waits too while an allegiance holds its command up: see `TaskSets.goes_on`.
    """

    def __init__(
        self,
        units: Stock,
        jobs: Jobs,
        keeper: Keeper,
        task_sets: TaskSets,
        endings: Endings,
        interventions: Interventions,
    ) -> None:
        self._units, self._by_field = units, units.by_field
        self._jobs, self._keeper = jobs, keeper
        self._task_sets, self._watched = task_sets, task_sets.watched
        self._endings, self._interventions = endings, interventions

    def begin(self, task: Task, plan: Plan, ended: Callable[[Callable[[], None]], None]) -> bool:
        """Let storage perform a plan that could not be done at once, if it needs no task for that.

        ``ended`` is called with what answers the task then; if not, `run` has to be used.
        """
        unit, expected = self._by_field[task.lun], 0
        data: Buffer | None = None

        def then(error: BackendError | None) -> None:
            unit.waiting.pop(task, None)
            if error is None and data is not None and len(data) != expected:
                error = unit.supervised.wrong_length("begin_read", data, expected)
            if error is None:
                answer = partial(task.connection.answers.finish, task, data or b"")
            else:
                answer = partial(self._endings.storage_failed, task, plan, error)
            ended(partial(self._task_sets.goes_on, task, answer) if self._watched else answer)

        if type(plan) is Read:
            expected = plan.blocks * unit.logical.block_size
            data = unit.begin_read(plan.lba, plan.blocks, then)
            return data is not None
        if type(plan) is Write and not plan.fua and unit.waiting.get(task) is unit.overtaken:
            written = whole_blocks(task.data, unit.logical.block_size)
            return unit.begin_write(plan.lba, written, then, task)
        return False

    async def run(self, task: Task, plan: Plan) -> Callable[[], None]:
        """Perform a plan that has to wait for storage; returns what answers its task."""
        unit = self._by_field[task.lun]
        try:
            answer = await self._run(task, plan, unit)
        finally:
            unit.waiting.pop(task, None)
        return partial(self._task_sets.goes_on, task, answer) if self._watched else answer

    async def _run(self, task: Task, plan: Plan, unit: Unit) -> Callable[[], None]:
        storage = UnitStorage(
            unit,
            self._units.unit_of,
            self._jobs,
            self._keeper,
            partial(self._interventions.abort, task),
            self._interventions.divert,
            owner=task,
            epoch=unit.waiting.get(task),
        )
        finish, end = task.connection.answers.finish, self._endings.end
        try:
            match plan:
                case Read():
                    data = await storage.read(plan.lba, plan.blocks)
                    return partial(finish, task, data)
                case Write():
                    data = whole_blocks(memoryview(task.data), unit.logical.block_size)
                    await storage.write(plan.lba, data)
                    if plan.fua:
                        await storage.flush()
                    return partial(finish, task)
                case Procedure():
                    outcome = await plan.perform(storage, memoryview(task.data))
                    return partial(end, task, outcome)
                case _:
                    raise AssertionError(f"{plan} does not wait")
        except Refusal as refusal:
            if isinstance(refusal.__cause__, BackendError):
                self._endings.tell(refusal.__cause__)
            return partial(end, task, refusal.plan)
        except BackendError as error:
            return partial(self._endings.storage_failed, task, plan, error)
