"""Where the layers meet: commands from the protocol, plans from SCSI, blocks from a backend.

A command that can be done at once is done at once, in the turn that read its PDU; one that has to
wait for storage is an errand, and handed to the executor of its conversation (a hand-over costs
more than most commands do).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from trioscsi.errors import BackendError
from trioscsi.pdu import TaskAttribute
from trioscsi.protocol import (
    CommandsCleared,
    Event,
    Node,
    Session,
    SessionBegan,
    SessionEnded,
    TargetConnection,
    Task,
    TasksAborted,
    TasksCleared,
    UnitReset,
)
from trioscsi.protocol.bursts import Incoming
from trioscsi.protocol.tasks import OVER
from trioscsi.scsi import (
    AccessState,
    AdditionalSense,
    Failed,
    Nexus,
    Outcome,
    Plan,
    Procedure,
    Read,
    Receive,
    Sense,
    SenseKey,
    Write,
)
from trioscsi.scsi.blocks.transfer import whole_blocks
from trioscsi.server.endings import Endings
from trioscsi.server.errands import Errands
from trioscsi.server.interventions import Interventions
from trioscsi.server.jobs import Jobs
from trioscsi.server.keeper import Keeper
from trioscsi.server.nexus import nexus_of
from trioscsi.server.remarks import tell_of_end, tell_of_login
from trioscsi.server.stock import Stock
from trioscsi.server.storage import Unit
from trioscsi.server.task_sets import TaskSets

_SMALL = 65_536
"""Bytes that a read may always add to what its peer has still to read: a turn has few of them."""

_SIMPLE = int(TaskAttribute.SIMPLE)


class Executor(Protocol):
    """What runs the commands of one connection that have to wait."""

    peer: str
    """Where the initiator is: ``host:port``."""

    def start(self, task: Task, plan: Plan) -> None:
        """Use `Errands.begin` or `Errands.run` for this task, as soon as possible."""

    def has_room(self, task: Task) -> bool:
        """Whether the data that this command reads may join what the peer has still to read."""

    def cancel(self, task: Task) -> bool:
        """Stop what `start` began, and release the task when nothing of it is left.

        Whether that is later, because storage has it.
        """

    def fail(self, fault: Exception) -> None:
        """End the connection: a fault of ours has come up in a command of it."""


class Performer:
    """Executes the commands of one target."""

    def __init__(
        self,
        name: str,
        units: Iterable[Unit],
        jobs: Jobs,
        keeper: Keeper,
        port_groups: Mapping[int, AccessState] | None = None,
        *,
        most_waiting: int = 4096,
    ) -> None:
        self.jobs, self._keeper = jobs, keeper
        self.units = Stock(name, units, port_groups)
        self.target = self.units.target
        self.executors: dict[TargetConnection, Executor] = {}
        nexuses: dict[Session, Nexus] = {}
        by_field = self.units.by_field
        self._nexuses, self._by_field = nexuses, by_field
        # Endings and task sets need each other.
        self._endings = Endings(name, by_field, nexuses, lambda task: self.task_sets.failed(task))
        self.task_sets = TaskSets(
            by_field,
            nexuses,
            lambda task: self.handle([task]),  # perhaps while it is the turn of another
            self._endings.end,
            most_waiting,
        )
        self._watched = self.task_sets.watched
        self.interventions = Interventions(by_field, nexuses, self.task_sets, self.handle)
        self.errands = Errands(
            self.units, jobs, keeper, self.task_sets, self._endings, self.interventions
        )

    def forget(self, unit: Unit) -> None:
        """A unit that the target has no more is not used by any command either."""
        self.units.forget(unit)
        for nexus in self._nexuses.values():
            nexus.forget(unit.logical.number)

    def abandon(self) -> None:
        """Give up what storage does not let go of: see `Abilities.abandon`."""
        self.units.abandon()
        self._keeper.abandon()

    def attend(self, node: Node) -> None:
        """Do what the protocol asks for, and what can be done now that it was."""
        while True:
            while node.events:
                self.handle(node.take_events())
            if not self._watched:
                return
            self.task_sets.settle()
            if not node.events:
                return

    def handle(self, events: Iterable[Event]) -> None:
        """Do what the protocol asks for."""
        for event in events:
            if type(event) is not Task:
                _HANDLERS[type(event)](self, event)
            elif event.machine.state in OVER:
                # Aborted by a later PDU of the same turn: it was not begun.
                event.connection.release(event)
            else:
                try:
                    self._take(event)
                except Exception as error:  # noqa: BLE001 - it is not whose turn it is that fails
                    self.executors[event.connection].fail(error)

    # Events.

    def _take(self, task: Task) -> None:
        """It is our turn with a task."""
        incoming = task.incoming
        if incoming is not None and (task.plan is not None or incoming.fault is not None):
            self._go_on(task, incoming)
            return
        if (task.attributes > _SIMPLE or self._watched) and self.task_sets.holds(task):
            return
        session = task.connection.session
        assert session is not None, "commands come in sessions"
        unit, nexus = self._by_field.get(task.lun), self._nexuses[session]
        if unit is not None and unit.present:
            plan = unit.logical.execute(task.cdb, nexus)
        else:
            plan = self.target.execute(None, task.cdb, nexus)
        task.plan = plan
        wanted = plan.data_out
        if wanted != task.expected_out and isinstance(plan, Procedure) and plan.exact:
            plan, wanted = Failed(plan.inexact()), 0
            task.plan = plan
        if not wanted or task.connection.writes.want(task, wanted, self._window):
            self._perform(task, plan)

    def _go_on(self, task: Task, incoming: Incoming) -> None:
        """What a task has waited for is here, or the transfer failed."""
        if incoming.fault is not None:
            asc, ascq = incoming.fault.value
            sense = Sense(SenseKey.ABORTED_COMMAND, asc << 8 | ascq)
            self.task_sets.goes_on(task, partial(self._endings.end, task, Failed(sense)))
        elif self._watched:
            self.task_sets.goes_on(task, partial(self._perform, task, task.plan))
        else:
            self._perform(task, task.plan)

    def _tasks_aborted(self, event: TasksAborted) -> None:
        in_hand = dict.fromkeys(task for task in event.tasks if task.in_hand)
        for unit in self.units:
            unit.ranges.isolate(in_hand)
        for task in in_hand:
            executor = self.executors.get(task.connection)
            if executor is None:
                task.connection.release(task)
            elif executor.cancel(task):
                continue  # what storage does not let go of still counts
            if task.lun in self._by_field:
                self._by_field[task.lun].waiting.pop(task, None)

    def _unit_reset(self, event: UnitReset) -> None:
        units = self.units if event.lun is None else [self._by_field[event.lun]]
        for unit in units:
            if unit.present:
                self.target.reset(unit.logical.number)
            self.task_sets.reset(unit)

    def _commands_cleared(self, event: CommandsCleared) -> None:
        nexus, unit = self._nexuses.get(event.session), self._by_field.get(event.lun)
        if nexus is not None and unit is not None:
            code = AdditionalSense.COMMANDS_CLEARED_BY_ANOTHER_INITIATOR
            nexus.establish(unit.logical.number, code)

    def _session_began(self, event: SessionBegan) -> None:
        session = event.session
        tell_of_login(session, self.executors[event.connection].peer)
        if session.normal:
            nexus = self._nexuses[session] = nexus_of(session)
            self.target.attach(nexus)

    def _session_ended(self, event: SessionEnded) -> None:
        tell_of_end(event.session, event.cause)
        nexus = self._nexuses.pop(event.session, None)
        if nexus is not None:
            self.target.detach(nexus)
            self.task_sets.lost(event.session)

    def _tasks_cleared(self, event: TasksCleared) -> None:
        nexus = self._nexuses.get(event.session)
        if nexus is not None:
            code = AdditionalSense.SOME_COMMANDS_CLEARED_BY_ISCSI_PROTOCOL_EVENT
            for unit in self.units:
                nexus.establish(unit.logical.number, code)

    # Plans, done at once where nothing has to wait.

    def _perform(self, task: Task, plan: Plan) -> None:
        perform = _PLANS.get(type(plan))
        try:
            if perform is None:
                if isinstance(plan, Outcome):
                    self._endings.end(task, plan)
                else:
                    self._wait(task, plan)
            elif not perform(self, task, plan):
                self._wait(task, plan)
        except BackendError as error:
            self._endings.storage_failed(task, plan, error)

    def _wait(self, task: Task, plan: Plan) -> None:
        """Hand over a plan that has to wait for storage, unless too many do."""
        unit = self._by_field[task.lun]
        refusal = self.task_sets.refusal(task, unit)
        if refusal is not None:
            self._endings.end(task, refusal)
            return
        unit.waiting[task] = unit.overtaken
        task.own_data()
        self.executors[task.connection].start(task, plan)

    def _receive(self, task: Task, plan: Receive) -> bool:
        if plan.open_ended:
            task.taken = len(task.data)
        self._perform(task, plan.received(bytes(task.data)))
        return True

    def _read_now(self, task: Task, plan: Read) -> bool:
        if not plan.blocks:
            task.connection.answers.finish(task)
            return True
        unit = self._by_field[task.lun]
        read_now = unit.can.read_now
        if read_now is None:
            return False
        expected = task.expected_in
        if expected > _SMALL and not self.executors[task.connection].has_room(task):
            return False
        if unit.ranges.exclusive and unit.ranges.taken(plan.lba, plan.blocks):
            return False
        try:
            data = read_now(plan.lba, plan.blocks)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the backend's
            raise unit.supervised.fault("read_now", error) from None
        if data is None:
            return False
        # Nearly all initiators expect what they ask for, and that is known already.
        if len(data) != expected:
            expected = plan.blocks * unit.logical.block_size
            if len(data) != expected:
                raise unit.supervised.wrong_length("read_now", data, expected)
        task.connection.answers.finish(task, data)
        return True

    def _write_now(self, task: Task, plan: Write) -> bool:
        unit = self._by_field[task.lun]
        data = whole_blocks(task.data, unit.logical.block_size)
        if len(data):
            write_now = unit.can.write_now
            wants_flush = plan.fua and unit.can.flush is not None
            if wants_flush or write_now is None:
                return False
            if unit.ranges.exclusive and unit.ranges.taken(plan.lba, plan.blocks, writing=True):
                return False
            try:
                if not write_now(plan.lba, data):
                    return False
            except Exception as error:  # noqa: BLE001 - as above
                raise unit.supervised.fault("write_now", error) from None
        task.connection.answers.finish(task)
        return True

    def _window(self, task: Task) -> memoryview | None:
        """The blocks that a command is going to write, if they can be written as data comes."""
        plan = task.plan
        if type(plan) is not Write or plan.data_out > task.expected_out:
            return None
        unit = self._by_field[task.lun]
        if unit.can.window is None or unit.ranges.exclusive:
            return None
        try:
            return unit.can.window(plan.lba, plan.blocks)
        except Exception as error:  # noqa: BLE001 - as above
            unit.supervised.fault("window", error)
            return None  # it will be said of the write itself


_HANDLERS: dict[type, Callable[[Performer, Any], None]] = {
    TasksAborted: Performer._tasks_aborted,
    UnitReset: Performer._unit_reset,
    CommandsCleared: Performer._commands_cleared,
    SessionBegan: Performer._session_began,
    SessionEnded: Performer._session_ended,
    TasksCleared: Performer._tasks_cleared,
}


_PLANS: dict[type, Callable[[Performer, Task, Any], bool]] = {
    Receive: Performer._receive,
    Read: Performer._read_now,
    Write: Performer._write_now,
}
