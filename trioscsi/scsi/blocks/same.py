"""WRITE SAME of all lengths (SBC-3 section 5): one block, written many times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.blocks.transfer import EXPECTED_TAGS, GROUP_10, GROUP_16
from trioscsi.scsi.cdb import Cdb, cdb_layout, cdb_layout_32
from trioscsi.scsi.command import TRANSFER_TIMEOUT, VARIABLE_LENGTH, Access, Command, decoded
from trioscsi.scsi.complaints import WRITE_PROTECTED
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Procedure, Refusal

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage

_AT_ONCE = 2**20
"""Bytes that are written in one step."""


@attrs.define
class WriteSame(Procedure):
    """Write the block that comes, or zeroes if none does, to each of ``blocks`` from ``lba`` on.

    ``unmap``: zeroes need no space, for blocks without it read as zeroes (LBPRZ); whatever else
    comes is written (SBC-4 section 4.7.3.4.4).
    """

    exact = True
    unit: LogicalUnit
    lba: int
    blocks: int
    unmap: bool
    data_out: int

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        block = bytes(data)
        zeroes = block.count(0) == len(block)
        if zeroes and self.unmap:
            await storage.unmap(self.lba, self.blocks)
            return Done()
        self.unit.counters.wrote(self.blocks)
        if zeroes:
            await storage.zero(self.lba, self.blocks)
        else:
            await self._fill(storage, block)
        return Done()

    async def _fill(self, storage: Storage, block: bytes) -> None:
        step = max(_AT_ONCE // len(block), 1)
        pattern = memoryview(block * min(step, self.blocks))
        end = self.lba + self.blocks
        for lba in range(self.lba, end, step):
            await storage.write(lba, pattern[: (end - lba) * len(block)])


@decoded
def write_same(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """WRITE SAME of at least one block: none never means all up to the last (WSNZ)."""
    if unit.write_protected:
        raise Refusal(WRITE_PROTECTED)
    if cdb["unmap"] and not unit.thin:
        raise cdb.refusal("unmap")
    lba, blocks = cdb["logical_block_address"], cdb["number_of_logical_blocks"]
    unit.check_lba(lba, blocks)
    if not 0 < blocks <= unit.maximum_same_blocks:
        raise cdb.refusal("number_of_logical_blocks")
    no_data = cdb.values.get("ndob", 0)
    return WriteSame(unit, lba, blocks, bool(cdb["unmap"]), 0 if no_data else unit.block_size)


# Blocks cannot be anchored here (ANC_SUP of the Logical Block Provisioning VPD page).
_ZERO = {"wrprotect": bits(1, 7, 5), "anchor": bits(1, 4)}

WRITE_SAME_10 = cdb_layout(
    10,
    _ZERO,
    GROUP_10,
    unmap=bits(1, 3),
    logical_block_address=span(2, 5),
    number_of_logical_blocks=span(7, 8),
)
WRITE_SAME_16 = cdb_layout(
    16,
    _ZERO,
    GROUP_16,
    unmap=bits(1, 3),
    ndob=bits(1, 0),
    logical_block_address=span(2, 9),
    number_of_logical_blocks=span(10, 13),
)
WRITE_SAME_32 = cdb_layout_32(
    {"wrprotect": bits(10, 7, 5), "anchor": bits(10, 4)},
    EXPECTED_TAGS,
    unmap=bits(10, 3),
    ndob=bits(10, 0),
    logical_block_address=span(12, 19),
    number_of_logical_blocks=span(28, 31),
)

COMMANDS = tuple(
    Command(
        opcode,
        f"WRITE SAME({layout.length})",
        layout,
        write_same,
        service_action=action,
        medium=True,
        access=Access.WRITE,
        timeout=TRANSFER_TIMEOUT,
    )
    for opcode, action, layout in (
        (0x41, None, WRITE_SAME_10),
        (0x93, None, WRITE_SAME_16),
        (VARIABLE_LENGTH, 0x0D, WRITE_SAME_32),
    )
)
