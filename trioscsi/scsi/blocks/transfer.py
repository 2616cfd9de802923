"""READ and WRITE of all lengths (SBC-3 section 5).

This is the path of every block that is served: one precompiled ``struct`` and one test for all
that must be zero; only when that fails is the layout asked which bit it was.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import cdb_layout, cdb_layout_32
from trioscsi.scsi.command import VARIABLE_LENGTH, Access, Command, decoded
from trioscsi.scsi.complaints import WRITE_PROTECTED
from trioscsi.scsi.layout import Field, bits, span
from trioscsi.scsi.plan import Read, Refusal, Write

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
def read_32(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ(32)."""
    lba, blocks = blocks_of(unit, cdb, "transfer_length")
    unit.counters.read(blocks)
    return Read(lba, blocks, fua=bool(cdb["fua"]))


@decoded
def write_32(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """WRITE(32)."""
    lba, blocks = blocks_to_write(unit, cdb, "transfer_length")
    unit.counters.wrote(blocks)
    return Write(lba, blocks, bool(cdb["fua"]), blocks * unit.block_size)


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


def blocks_of(unit: LogicalUnit, cdb: Cdb, length: str) -> tuple[int, int]:
    """The first block of a command, and how many: it is the field ``length`` that says.

    Raises Refusal if there are not so many, or the command may not have so many.
    """
    lba, blocks = cdb["logical_block_address"], cdb[length]
    unit.check_lba(lba, blocks)
    if blocks > unit.maximum_blocks:
        raise cdb.refusal(length)
    return lba, blocks


def blocks_to_write(unit: LogicalUnit, cdb: Cdb, length: str) -> tuple[int, int]:
    """As `blocks_of`, of a command that writes."""
    if unit.write_protected:
        raise Refusal(WRITE_PROTECTED)
    return blocks_of(unit, cdb, length)


def whole_blocks(data: Bytes, block_size: int) -> Bytes:
    """The data that came with a command, less a last block that came only in part.

    That happens when the initiator expected to send less than its CDB says; the residual tells it.
    """
    rest = len(data) % block_size
    return memoryview(data)[:-rest] if rest else data


def _out_of_bounds(unit: LogicalUnit, lba: int, blocks: int, layout: CdbLayout) -> Refusal:
    """The medium has not these blocks, or they are more than MAXIMUM TRANSFER LENGTH allows."""
    unit.check_lba(lba, blocks)
    return layout.refusal("transfer_length")


_FLAGS = {"dpo": bits(1, 4), "fua": bits(1, 3)}
_PROTECT = bits(1, 7, 5)
GROUP_10, GROUP_12, GROUP_16 = ({"group_number": bits(byte, 4, 0)} for byte in (6, 10, 14))
EXPECTED_TAGS = {
    "expected_initial_logical_block_reference_tag": span(20, 23),
    "expected_logical_block_application_tag": span(24, 25),
    "logical_block_application_tag_mask": span(26, 27),
}
"""What a CDB of 32 bytes says about protection information, of which there is none here."""

TRANSFER_6 = cdb_layout(6, logical_block_address=Field(1, 4, 21), transfer_length=span(4))
TRANSFER_10 = cdb_layout(
    10,
    {"protect": _PROTECT},
    GROUP_10,
    logical_block_address=span(2, 5),
    transfer_length=span(7, 8),
    **_FLAGS,
)
TRANSFER_12 = cdb_layout(
    12,
    {"protect": _PROTECT},
    GROUP_12,
    logical_block_address=span(2, 5),
    transfer_length=span(6, 9),
    **_FLAGS,
)
TRANSFER_16 = cdb_layout(
    16,
    {"protect": _PROTECT},
    GROUP_16,
    logical_block_address=span(2, 9),
    transfer_length=span(10, 13),
    **_FLAGS,
)
TRANSFER_32 = cdb_layout_32(
    {"protect": bits(10, 7, 5)},
    EXPECTED_TAGS,
    dpo=bits(10, 4),
    fua=bits(10, 3),
    logical_block_address=span(12, 19),
    transfer_length=span(28, 31),
)

COMMANDS = (
    Command(0x08, "READ(6)", TRANSFER_6, read_6, medium=True, access=Access.READ),
    Command(0x0A, "WRITE(6)", TRANSFER_6, write_6, medium=True, access=Access.WRITE),
    Command(0x28, "READ(10)", TRANSFER_10, read, medium=True, access=Access.READ),
    Command(0x2A, "WRITE(10)", TRANSFER_10, write, medium=True, access=Access.WRITE),
    Command(
        VARIABLE_LENGTH,
        "READ(32)",
        TRANSFER_32,
        read_32,
        service_action=0x09,
        medium=True,
        access=Access.READ,
    ),
    Command(
        VARIABLE_LENGTH,
        "WRITE(32)",
        TRANSFER_32,
        write_32,
        service_action=0x0B,
        medium=True,
        access=Access.WRITE,
    ),
    Command(0x88, "READ(16)", TRANSFER_16, read, medium=True, access=Access.READ),
    Command(0x8A, "WRITE(16)", TRANSFER_16, write, medium=True, access=Access.WRITE),
    Command(0xA8, "READ(12)", TRANSFER_12, read, medium=True, access=Access.READ),
    Command(0xAA, "WRITE(12)", TRANSFER_12, write, medium=True, access=Access.WRITE),
)
