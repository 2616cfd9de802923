"""WRITE ATOMIC (SBC-4 section 5): all blocks are written, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.blocks.transfer import GROUP_16, blocks_to_write
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Procedure

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage


@attrs.define
class WriteAtomic(Procedure):
    """Replace the ``blocks`` from ``lba`` on by the data, all or none, whatever happens.

    Nobody else reads some old and some new ones. ``fua``: durably.
    """

    exact = True
    lba: int
    blocks: int
    fua: bool
    data_out: int

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        if not self.blocks:
            return Done()
        async with storage.exclusive(self.lba, self.blocks) as alone:
            await alone.write_atomic(self.lba, data)
        if self.fua:
            await storage.flush()
        return Done()


@decoded
def write_atomic(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """WRITE ATOMIC(16); what is atomic as a whole is so between any boundaries too."""
    lba, blocks = blocks_to_write(unit, cdb, "transfer_length")
    if blocks > unit.maximum_atomic_blocks:
        raise cdb.refusal("transfer_length")
    if cdb["atomic_boundary"] > unit.maximum_atomic_blocks:
        raise cdb.refusal("atomic_boundary")
    unit.counters.wrote(blocks)
    return WriteAtomic(lba, blocks, bool(cdb["fua"]), blocks * unit.block_size)


def is_atomic(unit: LogicalUnit) -> bool:
    """Whether the unit has the command."""
    return unit.atomic


WRITE_ATOMIC_16 = cdb_layout(
    16,
    {"wrprotect": bits(1, 7, 5)},
    GROUP_16,
    dpo=bits(1, 4),
    fua=bits(1, 3),
    logical_block_address=span(2, 9),
    atomic_boundary=span(10, 11),
    transfer_length=span(12, 13),
)

COMMANDS = (
    Command(
        0x9C,
        "WRITE ATOMIC(16)",
        WRITE_ATOMIC_16,
        write_atomic,
        medium=True,
        access=Access.WRITE,
        needs=is_atomic,
    ),
)
