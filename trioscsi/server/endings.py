"""How commands end that use no storage, or that it has failed: what an `Outcome` is on the wire.

A command that is refused before it has begun, one whose steps are done and one whose disk is broken
end in the same few ways, and whoever knows that one is over comes here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from trioscsi.scsi import Done, Failed, Met, Procedure, Read, Refused, Reply, Sense, Status
from trioscsi.scsi.complaints import storage_failure
from trioscsi.scsi.plan import only_block
from trioscsi.server.task_sets import session_of

if TYPE_CHECKING:
    from trioscsi.errors import BackendError
    from trioscsi.protocol import Session, Task
    from trioscsi.scsi import Nexus, Outcome, Plan
    from trioscsi.server.storage import Unit

log = logging.getLogger("trioscsi")


class Endings:
    """Ends the commands of one target; ``failed`` is told of those that get CHECK CONDITION."""

    def __init__(
        self,
        name: str,
        by_field: Mapping[int, Unit],
        nexuses: Mapping[Session, Nexus],
        failed: Callable[[Task], None],
    ) -> None:
        self._name = name
        self._by_field, self._nexuses = by_field, nexuses
        self._has_failed = failed

    def end(self, task: Task, outcome: Outcome) -> None:
        """Answer a command that has come to this."""
        _OUTCOMES[type(outcome)](self, task, outcome)

    def storage_failed(self, task: Task, plan: Plan, error: BackendError) -> None:
        """End a command because of its storage: the log, the unit and the initiator hear of it."""
        self.tell(error)
        reading = isinstance(plan, Read) or (isinstance(plan, Procedure) and plan.reads)
        sense = storage_failure(error, reading=reading, lba=only_block(plan))
        self._by_field[task.lun].logical.storage_failed(plan, sense)
        self._check_condition(task, sense)

    def tell(self, error: BackendError) -> None:
        """Let the log say that storage has failed."""
        log.error("%s: storage failed: %s", self._name, error)

    # Outcomes.

    def _done(self, task: Task, outcome: Done) -> None:
        sense = b"" if outcome.sense is None else self._encoded(task, outcome.sense)
        task.connection.answers.finish(task, sense=sense)

    def _met(self, task: Task, outcome: Met) -> None:
        task.connection.answers.finish(task, status=Status.CONDITION_MET)

    def _reply(self, task: Task, outcome: Reply) -> None:
        task.connection.answers.finish(task, outcome.data)

    def _failed(self, task: Task, outcome: Failed) -> None:
        self._check_condition(task, outcome.sense)

    def _refused(self, task: Task, outcome: Refused) -> None:
        unit = self._by_field.get(task.lun)
        if unit is not None:
            unit.logical.refused(outcome.status, self._nexuses[session_of(task)])
        task.connection.answers.refuse(task, outcome.status, outcome.retry_after)

    def _check_condition(self, task: Task, sense: Sense) -> None:
        counts = not task.over
        sense_data = self._encoded(task, sense)
        task.connection.answers.finish(task, b"", Status.CHECK_CONDITION, sense_data)
        if counts:
            self._has_failed(task)

    def _encoded(self, task: Task, sense: Sense) -> bytes:
        unit = self._by_field.get(task.lun)
        return sense.encode(descriptor=unit is not None and bool(unit.logical.modes.d_sense))


_OUTCOMES: dict[type, Callable[[Endings, Task, Any], None]] = {
    Done: Endings._done,
    Met: Endings._met,
    Reply: Endings._reply,
    Failed: Endings._failed,
    Refused: Endings._refused,
}
