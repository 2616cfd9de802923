"""READ and WRITE of all lengths (SBC-3 section 5).

This is the path of every block that is served: one precompiled ``struct`` and one test for all
that must be zero; only when that fails is the layout asked which bit it was.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import Field, bits, span
from trioscsi.scsi.plan import Read, Refusal, Write
from trioscsi.scsi.sense import WRITE_PROTECTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from trioscsi.scsi.cdb import Bytes, Cdb, CdbLayout
    from trioscsi.scsi.command import Perform
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

    Decode = Callable[[Bytes], tuple[int, int, int]]

_DPO, _FUA = 0x10, 0x08
_ZERO = 0xFF & ~(_DPO | _FUA)

# The flags of byte 1, the logical block address and the transfer length.
_STRUCTS = {
    10: struct.Struct(">xBI1xH"),
    12: struct.Struct(">xBII"),
    16: struct.Struct(">xBQI"),
}


def read(layout: CdbLayout) -> Perform:
    """READ(10), (12) and (16)."""
    decode: Decode = _STRUCTS[layout.length].unpack_from
    group, control = layout.record.fields["group_number"].byte, layout.length - 1

    def run(unit: LogicalUnit, cdb: Bytes, _nexus: Nexus) -> Plan:
        flags, lba, blocks = decode(cdb)
        if flags & _ZERO or cdb[group] or cdb[control]:
            layout.check(cdb)
        if lba + (blocks or 1) > unit.blocks or blocks > unit.maximum_blocks:
            raise _out_of_bounds(unit, lba, blocks, layout)
        counters = unit.counters
        counters.reads += 1
        counters.blocks_read += blocks
        return Read(lba, blocks, flags & _FUA != 0)

    return run


def write(layout: CdbLayout) -> Perform:
    """WRITE(10), (12) and (16)."""
    decode: Decode = _STRUCTS[layout.length].unpack_from
    group, control = layout.record.fields["group_number"].byte, layout.length - 1

    def run(unit: LogicalUnit, cdb: Bytes, _nexus: Nexus) -> Plan:
        flags, lba, blocks = decode(cdb)
        if flags & _ZERO or cdb[group] or cdb[control]:
            layout.check(cdb)
        if unit.write_protected:
            raise Refusal(WRITE_PROTECTED)
        if lba + (blocks or 1) > unit.blocks or blocks > unit.maximum_blocks:
            raise _out_of_bounds(unit, lba, blocks, layout)
        counters = unit.counters
        counters.writes += 1
        counters.blocks_written += blocks
        return Write(lba, blocks, flags & _FUA != 0, blocks * unit.block_size)

    return run


@decoded
def read_6(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ(6), where a transfer length of zero is 256 blocks."""
    lba, blocks = _range_6(unit, cdb)
    unit.counters.read(blocks)
    return Read(lba, blocks, fua=False)


@decoded
def write_6(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """WRITE(6), where a transfer length of zero is 256 blocks."""
    if unit.write_protected:
        raise Refusal(WRITE_PROTECTED)
    lba, blocks = _range_6(unit, cdb)
    unit.counters.wrote(blocks)
    return Write(lba, blocks, fua=False, data_out=blocks * unit.block_size)


def _range_6(unit: LogicalUnit, cdb: Cdb) -> tuple[int, int]:
    lba, blocks = cdb["logical_block_address"], cdb["transfer_length"] or 256
    if lba + blocks > unit.blocks or blocks > unit.maximum_blocks:
        raise _out_of_bounds(unit, lba, blocks, cdb.layout)
    return lba, blocks


def _out_of_bounds(unit: LogicalUnit, lba: int, blocks: int, layout: CdbLayout) -> Refusal:
    """The medium has not these blocks, or they are more than MAXIMUM TRANSFER LENGTH allows."""
    unit.check_lba(lba, blocks)
    return layout.refusal("transfer_length")


_FLAGS = {"dpo": bits(1, 4), "fua": bits(1, 3)}
_PROTECT = bits(1, 7, 5)

TRANSFER_6 = cdb_layout(6, logical_block_address=Field(1, 4, 21), transfer_length=span(4))
TRANSFER_10 = cdb_layout(
    10,
    {"protect": _PROTECT, "group_number": bits(6, 4, 0)},
    logical_block_address=span(2, 5),
    transfer_length=span(7, 8),
    **_FLAGS,
)
TRANSFER_12 = cdb_layout(
    12,
    {"protect": _PROTECT, "group_number": bits(10, 4, 0)},
    logical_block_address=span(2, 5),
    transfer_length=span(6, 9),
    **_FLAGS,
)
TRANSFER_16 = cdb_layout(
    16,
    {"protect": _PROTECT, "group_number": bits(14, 4, 0)},
    logical_block_address=span(2, 9),
    transfer_length=span(10, 13),
    **_FLAGS,
)

COMMANDS = (
    Command(0x08, "READ(6)", TRANSFER_6, read_6, medium=True, access=Access.READ),
    Command(0x0A, "WRITE(6)", TRANSFER_6, write_6, medium=True, access=Access.WRITE),
    Command(0x28, "READ(10)", TRANSFER_10, read, medium=True, access=Access.READ),
    Command(0x2A, "WRITE(10)", TRANSFER_10, write, medium=True, access=Access.WRITE),
    Command(0x88, "READ(16)", TRANSFER_16, read, medium=True, access=Access.READ),
    Command(0x8A, "WRITE(16)", TRANSFER_16, write, medium=True, access=Access.WRITE),
    Command(0xA8, "READ(12)", TRANSFER_12, read, medium=True, access=Access.READ),
    Command(0xAA, "WRITE(12)", TRANSFER_12, write, medium=True, access=Access.WRITE),
)
