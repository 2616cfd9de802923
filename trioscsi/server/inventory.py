"""The units of a target while they come, go and change their size, in use or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from trioscsi.errors import UsageError
from trioscsi.scsi import AdditionalSense, Failed, Plan, Write
from trioscsi.scsi.complaints import out_of_range, unit_attention

if TYPE_CHECKING:
    from trioscsi.backends import BlockDevice
    from trioscsi.protocol import Node, Task
    from trioscsi.server.perform import Performer
    from trioscsi.server.storage import Unit


class Inventory:
    """Changes the units of one target, and lets all its initiators know.

    They hear of it by a unit attention and, with ``told``, by an Asynchronous Message too (RFC 7143
    section 11.9.1, event 0).
    """

    def __init__(self, performer: Performer, node: Node, *, told: bool) -> None:
        self._performer, self._node, self._told = performer, node, told
        self._one_at_a_time = trio.Lock()

    def add(self, unit: Unit) -> None:
        """A new unit; raises UsageError if its LUN is taken."""
        self._performer.units.add(unit)
        self._tell(unit, AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED)

    async def remove(self, number: int, grace: float) -> BlockDevice:
        """Take a unit away, and give its disk back once no command uses it any more.

        Commands that come from now on find no unit.  Those that are under way, and the work that
        others have left behind, have ``grace`` seconds to end; then they get TASK ABORTED status,
        and it is cut off.  A copy from another unit fails.  Raises UsageError if there is no unit.
        """
        performer, node = self._performer, self._node
        unit = performer.units.withdraw(number)
        self._tell(unit, AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED)
        with trio.move_on_after(grace):
            await performer.task_sets.emptied(unit)
            await performer.jobs.over(unit)
        for session in node.sessions:
            tasks = [task for task in session.tasks if performer.task_sets.is_in_set(task, unit)]
            session.abort(tasks, told=True)
        performer.attend(node)
        gone = trio.Event()
        node.dying.when_gone([task for task in node.dying if _is_at(task, unit)], gone.set)
        await gone.wait()
        await performer.jobs.stop(unit)
        await unit.withdraw()
        performer.forget(unit)
        return unit.backend

    async def resize(self, number: int, blocks: int) -> None:
        """Give a unit, and the disk behind it, another capacity.

        Raises UsageError if there is no such unit, if its disk cannot be resized, or if no disk has
        that many blocks, and BackendError if storage fails; then nothing has changed.
        """
        unit = self._performer.units.unit(number)
        resize = unit.can.resize
        if resize is None:
            raise UsageError(f"the disk of LUN {number} cannot be resized")
        async with self._one_at_a_time:
            await self._change(unit, blocks, lambda: resize(blocks))

    async def rescan(self) -> None:
        """Look whether disks have another size than they had, and let that be their capacity.

        Raises BackendError if storage cannot be asked, and UsageError if it is empty by now.
        """
        async with self._one_at_a_time:
            for unit in self._performer.units:
                if unit.can.measure is not None:
                    await self._change(unit, await unit.can.measure(), trio.lowlevel.checkpoint)

    async def _change(
        self, unit: Unit, blocks: int, change: Callable[[], Awaitable[object]]
    ) -> None:
        logical = unit.logical
        before = logical.blocks
        if blocks > before:
            await change()
        elif blocks < before:
            logical.blocks = blocks  # from now on, nothing beyond the end is begun
            try:
                self._refuse_data_beyond(unit)
                unit.ranges.changing(blocks, before - blocks)
                async with unit.ranges.hold(blocks, before - blocks, exclusive=True):
                    await change()
            except BaseException:
                logical.blocks = before
                raise
        if blocks != before:
            self._performer.target.resize(logical.number, blocks)
            self._tell(unit, AdditionalSense.CAPACITY_DATA_HAS_CHANGED)

    def _refuse_data_beyond(self, unit: Unit) -> None:
        """Writes that still wait for their data were looked at when the disk was larger."""
        end = unit.logical.blocks

        def fate(task: Task) -> Plan | None:
            plan = task.plan
            if type(plan) is not Write or plan.lba + plan.blocks <= end:
                return None
            return Failed(out_of_range(max(plan.lba, end)))

        self._performer.interventions.divert(unit, fate)
        self._performer.attend(self._node)

    def _tell(self, unit: Unit, code: AdditionalSense) -> None:
        if self._told:
            descriptor = bool(unit.logical.modes.d_sense)
            sense = unit_attention(code).encode(descriptor=descriptor)
            for session in self._node.sessions:
                session.notify(unit.fields[0], sense)


def _is_at(task: Task, unit: Unit) -> bool:
    return task.lun in unit.fields
