"""Commands that are answered before they are done: those with the IMMED bit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.complaints import deferred, storage_failure
from trioscsi.scsi.plan import Done, Failed, Procedure, Refusal, only_block

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome
    from trioscsi.scsi.sense import Sense
    from trioscsi.scsi.storage import Storage


@attrs.define
class Immediate(Procedure):
    """Answer, and take the steps of ``procedure`` afterwards.

    What then goes wrong is a deferred error, which the next command of ``nexus`` for ``unit``
    reports (SPC-4 section 4.5.7).
    """

    procedure: Procedure
    unit: LogicalUnit
    nexus: Nexus

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        # The data belong to the command, and that ends now.
        if storage.later(partial(self._go_on, storage, memoryview(bytes(data)))):
            return Done()
        return await self.procedure.perform(storage, data)

    async def _go_on(self, storage: Storage, data: memoryview) -> None:
        try:
            outcome = await self.procedure.perform(storage, data)
        except Refusal as refusal:
            outcome = refusal.plan
        except BackendError as error:
            procedure = self.procedure
            lba = only_block(procedure)
            sense = storage_failure(error, reading=procedure.reads, lba=lba)
            self.unit.storage_failed(procedure, sense)
            self._report(sense)
            raise
        if isinstance(outcome, Failed):
            self._report(outcome.sense)

    def _report(self, sense: Sense) -> None:
        self.nexus.establish(self.unit.number, deferred(sense))
