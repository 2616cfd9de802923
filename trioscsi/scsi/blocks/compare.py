"""COMPARE AND WRITE (SBC-3 section 5): the lock of clustered file systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.blocks.transfer import GROUP_16
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import WRITE_PROTECTED, invalid_field, miscompare
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Failed, Procedure, Refusal

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.sense import Sense
    from trioscsi.scsi.storage import Storage


@attrs.define
class CompareAndWrite(Procedure):
    """Write the second half of the data if the first is what the ``blocks`` from ``lba`` on hold.

    Nobody else reads or writes them in between. ``fua``: durably.
    """

    exact = True
    lba: int
    blocks: int
    fua: bool
    data_out: int

    def inexact(self) -> Sense:
        """See `Procedure.inexact`: the field is so small that it wraps."""
        return invalid_field(13, 7)

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        if not self.blocks:
            return Done()
        half = len(data) // 2
        offset = await storage.compare_and_write(self.lba, data[:half], data[half:])
        if offset is not None:
            return Failed(miscompare(offset))
        if self.fua:
            await storage.flush()
        return Done()


@decoded
def compare_and_write(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """COMPARE AND WRITE."""
    if unit.write_protected:
        raise Refusal(WRITE_PROTECTED)
    lba, blocks = cdb["logical_block_address"], cdb["number_of_logical_blocks"]
    unit.check_lba(lba, blocks)
    if blocks > unit.maximum_compared_blocks:
        raise cdb.refusal("number_of_logical_blocks")
    unit.counters.wrote(blocks)
    return CompareAndWrite(lba, blocks, bool(cdb["fua"]), 2 * blocks * unit.block_size)


COMPARE_AND_WRITE = cdb_layout(
    16,
    {"wrprotect": bits(1, 7, 5)},
    GROUP_16,
    dpo=bits(1, 4),
    fua=bits(1, 3),
    logical_block_address=span(2, 9),
    number_of_logical_blocks=span(13),
)

COMMANDS = (
    Command(
        0x89,
        "COMPARE AND WRITE",
        COMPARE_AND_WRITE,
        compare_and_write,
        medium=True,
        access=Access.WRITE,
    ),
)
