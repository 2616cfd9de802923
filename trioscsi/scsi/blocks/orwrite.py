"""ORWRITE (SBC-3 section 5): bits are set where the data has them set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.blocks.transfer import GROUP_16, blocks_to_write, whole_blocks
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Procedure

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Buffer, Storage

_AT_ONCE = 262_144
"""Bytes that are or'ed in one step: a few milliseconds, in which nobody else has a turn."""


@attrs.define
class OrWrite(Procedure):
    """Replace the ``blocks`` from ``lba`` on by what they hold, or'ed with the data.

    Nobody else reads or writes them in between. ``fua``: durably.
    """

    lba: int
    blocks: int
    fua: bool
    data_out: int

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        block_size = self.data_out // self.blocks
        mask = whole_blocks(data, block_size)
        blocks = len(mask) // block_size
        if not blocks:
            return Done()
        step = max(_AT_ONCE // block_size, 1)
        async with storage.exclusive(self.lba, blocks) as alone:
            for first in range(0, blocks, step):
                lba, some = self.lba + first, mask[first * block_size :][: step * block_size]
                held = await alone.read(lba, len(some) // block_size)
                await alone.write(lba, either(held, some))
        if self.fua:
            await storage.flush()
        return Done()


def either(left: Buffer, right: Buffer) -> bytes:
    """The bits that are set in one of two buffers of one length, or in both."""
    number = int.from_bytes(left, "big") | int.from_bytes(right, "big")
    return number.to_bytes(len(left), "big")


@decoded
def orwrite(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """ORWRITE(16)."""
    lba, blocks = blocks_to_write(unit, cdb, "transfer_length")
    unit.counters.wrote(blocks)
    if not blocks:
        return Done()
    return OrWrite(lba, blocks, bool(cdb["fua"]), blocks * unit.block_size)


ORWRITE_16 = cdb_layout(
    16,
    {"orprotect": bits(1, 7, 5)},
    GROUP_16,
    dpo=bits(1, 4),
    fua=bits(1, 3),
    logical_block_address=span(2, 9),
    transfer_length=span(10, 13),
)

COMMANDS = (Command(0x8B, "ORWRITE(16)", ORWRITE_16, orwrite, medium=True, access=Access.WRITE),)
