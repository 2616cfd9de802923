"""READ CAPACITY of both lengths (SBC-3 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import Field, bits, layout, span
from trioscsi.scsi.plan import Reply

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

CAPACITY_10 = layout(8, returned_logical_block_address=span(0, 3), block_length=span(4, 7))
CAPACITY_16 = layout(
    32,
    returned_logical_block_address=span(0, 7),
    block_length=span(8, 11),
    rc_basis=bits(12, 5, 4),
    p_type=bits(12, 3, 1),
    prot_en=bits(12, 0),
    p_i_exponent=bits(13, 7, 4),
    logical_blocks_per_physical_block_exponent=bits(13, 3, 0),
    lbpme=bits(14, 7),
    lbprz=bits(14, 6),
    lowest_aligned_logical_block_address=Field(14, 5, 14),
)


@decoded
def read_capacity_10(unit: LogicalUnit, _cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ CAPACITY(10) (SBC-3 section 5); a medium too large for it has FFFFFFFFh."""
    last = min(unit.blocks - 1, 0xFFFFFFFF)
    return Reply(
        CAPACITY_10.encode(returned_logical_block_address=last, block_length=unit.block_size)
    )


@decoded
def read_capacity_16(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ CAPACITY(16) (SBC-3 section 5)."""
    data = CAPACITY_16.encode(
        returned_logical_block_address=unit.blocks - 1,
        block_length=unit.block_size,
        logical_blocks_per_physical_block_exponent=unit.blocks_per_physical_block.bit_length() - 1,
        lbpme=unit.thin,
        lbprz=unit.thin,
    )
    return Reply(data[: cdb["allocation_length"]])


COMMANDS = (
    Command(
        0x25,
        "READ CAPACITY(10)",
        cdb_layout(10),
        read_capacity_10,
        medium=True,
        access=Access.ALWAYS,
    ),
    Command(
        0x9E,
        "READ CAPACITY(16)",
        cdb_layout(16, service_action=bits(1, 4, 0), allocation_length=span(10, 13)),
        read_capacity_16,
        service_action=0x10,
        medium=True,
        access=Access.ALWAYS,
    ),
)
