"""What all copies have in common: they are listed, can be cancelled, and may go on later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.copy.operation import INSUFFICIENT_RESOURCES, Cancelled, State
from trioscsi.scsi.plan import Done, Failed, Procedure, Refusal, Refused, Status

if TYPE_CHECKING:
    from trioscsi.scsi.copy.operation import Operation
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome
    from trioscsi.scsi.storage import Storage


@attrs.define(kw_only=True)
class Copy(Procedure):
    """A copy under a list identifier, or under none; with ``immed`` it goes on after GOOD status.

    Subclasses say what is copied.
    """

    unit: LogicalUnit
    nexus: Nexus
    list_id: int | None
    immed: bool = False

    def begin(self) -> Operation:
        """The operation that this is going to be."""
        raise NotImplementedError

    async def copy(self, storage: Storage, operation: Operation) -> None:
        """Do it. Raises Refusal for what ends it early."""
        raise NotImplementedError

    def success(self) -> Done:
        """How the command ends when it is done."""
        return Done()

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        operation, copies = self.begin(), self.unit.copies
        copies.begin(self.nexus, self.list_id, operation)

        async def job() -> None:
            try:
                await self._run(storage, operation)
            except Refusal as refusal:
                # The initiator asks for the sense data; the log gets what storage said.
                if isinstance(refusal.__cause__, BackendError):
                    raise refusal.__cause__ from None
            finally:
                copies.ended(operation)

        if self.immed:
            operation.state = State.IN_BACKGROUND
            if not storage.later(job):
                copies.ended(operation)
                return operation.end(Failed(INSUFFICIENT_RESOURCES))
            return Done()
        try:
            return await self._run(storage, operation)
        finally:
            copies.ended(operation)

    async def _run(self, storage: Storage, operation: Operation) -> Outcome:
        try:
            await self.copy(storage, operation)
        except Refusal as refusal:
            operation.end(refusal.plan)
            raise
        except Cancelled:
            operation.terminate()
            return Refused(Status.TASK_ABORTED)
        return operation.end(self.success())
