"""Where the layers meet: commands from the protocol, plans from SCSI, blocks from a backend.

A command that can be done at once is done at once, in the turn that read its PDU; one that has to
wait for storage is handed to the executor of its conversation (a hand-over costs more than most
commands do).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import attrs

from trioscsi import lun as luns
from trioscsi.backends import Abilities, BlockDevice
from trioscsi.errors import BackendError
from trioscsi.protocol import (
    CommandArrived,
    DataArrived,
    Event,
    NexusCreated,
    NexusLost,
    Session,
    TargetConnection,
    Task,
    TasksAborted,
    TasksCleared,
    TransferFailed,
    UnitReset,
)
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    Flush,
    LogicalUnit,
    Nexus,
    Plan,
    Read,
    Receive,
    Refused,
    Reply,
    ScsiTarget,
    Sense,
    SenseKey,
    Status,
    Verify,
    Write,
)
from trioscsi.scsi.sense import miscompare

log = logging.getLogger("trioscsi")

_SMALL = 65_536
"""Bytes that a read may always add to what its peer has still to read: a turn has few of them."""

_OF_A_TASK = (CommandArrived, DataArrived, TransferFailed)


class Executor(Protocol):
    """What runs the commands of one connection that have to wait."""

    def start(self, task: Task, plan: Plan) -> None:
        """Run `Performer.run` for this task, as soon as possible."""

    def has_room(self, task: Task) -> bool:
        """Whether the data that this command reads may join what the peer has still to read."""

    def cancel(self, task: Task) -> None:
        """Stop what `start` began, and release the task when nothing of it is left."""


@attrs.define(eq=False)
class Unit:
    """A logical unit and the disk behind it."""

    logical: LogicalUnit
    disk: BlockDevice
    can: Abilities = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.can = Abilities.of(self.disk)


class Performer:
    """Executes the commands of one target."""

    def __init__(self, name: str, units: Iterable[Unit]) -> None:
        self._units = {unit.logical.number: unit for unit in units}
        self._by_field = {
            field: unit for number, unit in self._units.items() for field in luns.fields(number)
        }
        self.target = ScsiTarget(name, (unit.logical for unit in self._units.values()))
        self.executors: dict[TargetConnection, Executor] = {}
        self._nexuses: dict[Session, Nexus] = {}

    def has_unit(self, field: int) -> bool:
        """Whether a 64-bit LUN field addresses one of the units."""
        return field in self._by_field

    async def close(self) -> None:
        """Close the disks that can be closed."""
        for unit in self._units.values():
            if unit.can.close is not None:
                await unit.can.close()

    def handle(self, events: Iterable[Event]) -> None:
        """Do what the protocol asks for."""
        for event in events:
            if isinstance(event, _OF_A_TASK) and event.task.aborted:
                # Aborted by a later PDU of the same turn: it was not begun.
                event.task.connection.release(event.task)
            else:
                self._handlers[type(event)](self, event)

    # Events.

    def _command_arrived(self, event: CommandArrived) -> None:
        task = event.task
        session = task.connection.session
        assert session is not None, "commands come in sessions"
        unit = self._by_field.get(task.lun)
        number = None if unit is None else unit.logical.number
        plan = task.plan = self.target.execute(number, task.cdb, self._nexuses[session])
        if not plan.data_out or task.connection.want(task, plan.data_out, self._window):
            self._perform(task, plan)

    def _data_arrived(self, event: DataArrived) -> None:
        self._perform(event.task, event.task.plan)

    def _transfer_failed(self, event: TransferFailed) -> None:
        asc, ascq = event.fault.value
        sense = Sense(SenseKey.ABORTED_COMMAND, asc << 8 | ascq)
        self._check_condition(event.task, sense)

    def _tasks_aborted(self, event: TasksAborted) -> None:
        for task in event.tasks:
            if not task.in_hand:
                continue
            executor = self.executors.get(task.connection)
            if executor is not None:
                executor.cancel(task)
            else:
                task.connection.release(task)

    def _unit_reset(self, event: UnitReset) -> None:
        if event.lun is None:
            self.target.reset_all()
        elif (number := luns.decode(event.lun)) is not None:
            self.target.reset(number)

    def _nexus_created(self, event: NexusCreated) -> None:
        session = event.session
        nexus = Nexus(
            f"{session.initiator_name},i,0x{session.isid.hex()}",
            f"{session.node.name},t,0x{session.node.offer.target_portal_group_tag or 0:04x}",
        )
        self._nexuses[session] = nexus
        self.target.attach(nexus)

    def _nexus_lost(self, event: NexusLost) -> None:
        nexus = self._nexuses.pop(event.session, None)
        if nexus is not None:
            self.target.detach(nexus)

    def _tasks_cleared(self, event: TasksCleared) -> None:
        nexus = self._nexuses.get(event.session)
        if nexus is not None:
            for number in self._units:
                nexus.establish(
                    number, AdditionalSense.SOME_COMMANDS_CLEARED_BY_ISCSI_PROTOCOL_EVENT
                )

    _handlers: dict[type, Callable[[Performer, Any], None]] = {
        CommandArrived: _command_arrived,
        DataArrived: _data_arrived,
        TransferFailed: _transfer_failed,
        TasksAborted: _tasks_aborted,
        UnitReset: _unit_reset,
        NexusCreated: _nexus_created,
        NexusLost: _nexus_lost,
        TasksCleared: _tasks_cleared,
    }

    # Plans, done at once where nothing has to wait.

    def _perform(self, task: Task, plan: Plan) -> None:
        try:
            if not self._plans[type(plan)](self, task, plan):
                task.own_data()
                self.executors[task.connection].start(task, plan)
        except BackendError as error:
            self._storage_failed(task, plan, error)

    def _done(self, task: Task, plan: Done) -> bool:
        task.connection.finish(task)
        return True

    def _reply(self, task: Task, plan: Reply) -> bool:
        task.connection.finish(task, data=plan.data)
        return True

    def _failed(self, task: Task, plan: Failed) -> bool:
        self._check_condition(task, plan.sense)
        return True

    def _refused(self, task: Task, plan: Refused) -> bool:
        task.connection.finish(task, plan.status)
        return True

    def _receive(self, task: Task, plan: Receive) -> bool:
        self._perform(task, plan.then(bytes(task.data)))
        return True

    def _read_now(self, task: Task, plan: Read) -> bool:
        if not plan.blocks:
            task.connection.finish(task)
            return True
        read_now = self._unit(task).can.read_now
        if read_now is None:
            return False
        if task.expected_in > _SMALL and not self.executors[task.connection].has_room(task):
            return False
        data = read_now(plan.lba, plan.blocks)
        if data is None:
            return False
        task.connection.finish(task, data=data)
        return True

    def _write_now(self, task: Task, plan: Write) -> bool:
        unit = self._unit(task)
        data = _whole_blocks(task, unit)
        if len(data):
            write_now = unit.can.write_now
            wants_flush = plan.fua and unit.can.flush is not None
            if wants_flush or write_now is None or not write_now(plan.lba, data):
                return False
        task.connection.finish(task, transferred=plan.data_out)
        return True

    def _window(self, task: Task) -> memoryview | None:
        """The blocks that a command is going to write, if they can be written as data comes."""
        plan = task.plan
        if type(plan) is not Write or plan.data_out > task.expected_out:
            return None
        window = self._unit(task).can.window
        if window is not None:
            with suppress(BackendError):  # it will be said of the write itself
                return window(plan.lba, plan.blocks)
        return None

    def _verify_now(self, task: Task, plan: Verify) -> bool:
        if plan.blocks:
            return False
        task.connection.finish(task)
        return True

    def _flush_now(self, task: Task, plan: Flush) -> bool:
        # With IMMED too: GOOD status after the flush says more than was asked for, never less.
        if self._unit(task).can.flush is not None:
            return False
        task.connection.finish(task)
        return True

    _plans: dict[type, Callable[[Performer, Task, Any], bool]] = {
        Done: _done,
        Reply: _reply,
        Failed: _failed,
        Refused: _refused,
        Receive: _receive,
        Read: _read_now,
        Write: _write_now,
        Verify: _verify_now,
        Flush: _flush_now,
    }

    # Plans that wait for storage.

    async def run(self, task: Task, plan: Plan) -> Callable[[], None]:
        """Perform a plan that could not be done at once; returns what answers its task."""
        finish = task.connection.finish
        try:
            match plan:
                case Read():
                    data = await self._unit(task).disk.read(plan.lba, plan.blocks)
                    return partial(finish, task, data=data)
                case Write():
                    unit = self._unit(task)
                    await unit.disk.write(plan.lba, _whole_blocks(task, unit))
                    if plan.fua:
                        await self._flush(task)
                    return partial(finish, task, transferred=plan.data_out)
                case Verify():
                    return await self._verify(task, plan)
                case _:
                    await self._flush(task)
                    return partial(finish, task)
        except BackendError as error:
            return partial(self._storage_failed, task, plan, error)

    async def _verify(self, task: Task, plan: Verify) -> Callable[[], None]:
        unit = self._unit(task)
        found = memoryview(await unit.disk.read(plan.lba, plan.blocks))
        expected = _whole_blocks(task, unit)
        if plan.compare == "one block":
            expected = memoryview(bytes(expected) * plan.blocks)
        # What the initiator did not send cannot be compared.
        if plan.compare is not None and found[: len(expected)] != expected:
            sense = miscompare(_first_difference(found, expected))
            return partial(self._check_condition, task, sense, transferred=plan.data_out)
        return partial(task.connection.finish, task, transferred=plan.data_out)

    async def _flush(self, task: Task) -> None:
        flush = self._unit(task).can.flush
        if flush is not None:
            await flush()

    # How commands end that fail.

    def _storage_failed(self, task: Task, plan: Plan, error: BackendError) -> None:
        log.error("%s: storage failed: %s", self.target.name, error)
        if isinstance(plan, Read | Verify):
            code = AdditionalSense.UNRECOVERED_READ_ERROR
        else:
            code = AdditionalSense.WRITE_ERROR
        self._check_condition(task, Sense(SenseKey.MEDIUM_ERROR, code))

    def _check_condition(self, task: Task, sense: Sense, *, transferred: int = 0) -> None:
        task.connection.finish(
            task, Status.CHECK_CONDITION, sense=sense.encode(), transferred=transferred
        )

    def _unit(self, task: Task) -> Unit:
        return self._by_field[task.lun]


def _whole_blocks(task: Task, unit: Unit) -> memoryview:
    """The data that came with a command, less a last block that came only in part.

    That happens when the initiator expected to send less than its CDB says; the residual tells it.
    """
    block = unit.logical.block_size
    return memoryview(task.data)[: len(task.data) // block * block]


def _first_difference(left: memoryview, right: memoryview) -> int:
    """The offset of the first byte that differs, found by halving."""
    low, high = 0, min(len(left), len(right))
    while high - low > 1:
        middle = (low + high) // 2
        if left[low:middle] != right[low:middle]:
            high = middle
        else:
            low = middle
    return low
