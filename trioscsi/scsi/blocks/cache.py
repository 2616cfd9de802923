"""SYNCHRONIZE CACHE of both lengths (SBC-3 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.blocks.transfer import GROUP_10, GROUP_16
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import TRANSFER_TIMEOUT, Access, Command, decoded
from trioscsi.scsi.immediate import Immediate
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Procedure

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage


@attrs.define
class Flush(Procedure):
    """Make all that was written durable."""

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        await storage.flush()
        return Done()


def flush(unit: LogicalUnit, nexus: Nexus, *, immed: int) -> Plan:
    """What makes a unit's cache durable, if it has one; after the answer with ``immed``."""
    if not unit.write_cache:
        return Done()
    return Immediate(Flush(), unit, nexus) if immed else Flush()


@decoded
def synchronize_cache(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """SYNCHRONIZE CACHE; whatever blocks it names, storage can only flush them all."""
    unit.check_lba(cdb["logical_block_address"], cdb["number_of_logical_blocks"])
    return flush(unit, nexus, immed=cdb["immed"])


_IMMED = bits(1, 1)

SYNCHRONIZE_CACHE_10 = cdb_layout(
    10,
    None,
    GROUP_10,
    immed=_IMMED,
    logical_block_address=span(2, 5),
    number_of_logical_blocks=span(7, 8),
)
SYNCHRONIZE_CACHE_16 = cdb_layout(
    16,
    None,
    GROUP_16,
    immed=_IMMED,
    logical_block_address=span(2, 9),
    number_of_logical_blocks=span(10, 13),
)

COMMANDS = tuple(
    Command(
        opcode,
        f"SYNCHRONIZE CACHE({layout.length})",
        layout,
        synchronize_cache,
        medium=True,
        access=Access.WRITE,
        timeout=TRANSFER_TIMEOUT,
    )
    for opcode, layout in ((0x35, SYNCHRONIZE_CACHE_10), (0x91, SYNCHRONIZE_CACHE_16))
)
