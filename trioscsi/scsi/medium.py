"""VERIFY, SYNCHRONIZE CACHE and READ CAPACITY: commands on the medium that move no blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Command, decoded
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Compare, Flush, Reply, Verify

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
)

_COMPARE: dict[int, Compare] = {0b00: None, 0b01: "blocks", 0b11: "one block"}


@decoded
def verify(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """VERIFY of all lengths (SBC-3 section 5)."""
    if cdb["bytchk"] not in _COMPARE:
        raise cdb.refusal("bytchk")
    lba, blocks = cdb["logical_block_address"], cdb["verification_length"]
    unit.check_lba(lba, blocks)
    if blocks > unit.maximum_blocks:
        raise cdb.refusal("verification_length")
    compare = _COMPARE[cdb["bytchk"]]
    sent = {None: 0, "blocks": blocks, "one block": min(blocks, 1)}[compare]
    return Verify(lba, blocks, compare, sent * unit.block_size)


@decoded
def synchronize_cache(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """SYNCHRONIZE CACHE (SBC-3 section 5); zero blocks reach to the end."""
    lba, blocks = cdb["logical_block_address"], cdb["number_of_logical_blocks"]
    unit.check_lba(lba, blocks)
    return Flush(lba, blocks or unit.blocks - lba, bool(cdb["immed"]))


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
    )
    return Reply(data[: cdb["allocation_length"]])


_VERIFY = {"dpo": bits(1, 4), "bytchk": bits(1, 2, 1)}
_VRPROTECT = bits(1, 7, 5)
_IMMED = bits(1, 1)

VERIFY_10 = cdb_layout(
    10,
    {"vrprotect": _VRPROTECT, "group_number": bits(6, 4, 0)},
    logical_block_address=span(2, 5),
    verification_length=span(7, 8),
    **_VERIFY,
)
VERIFY_12 = cdb_layout(
    12,
    {"vrprotect": _VRPROTECT, "group_number": bits(10, 4, 0)},
    logical_block_address=span(2, 5),
    verification_length=span(6, 9),
    **_VERIFY,
)
VERIFY_16 = cdb_layout(
    16,
    {"vrprotect": _VRPROTECT, "group_number": bits(14, 4, 0)},
    logical_block_address=span(2, 9),
    verification_length=span(10, 13),
    **_VERIFY,
)
SYNCHRONIZE_CACHE_10 = cdb_layout(
    10,
    {"group_number": bits(6, 4, 0)},
    immed=_IMMED,
    logical_block_address=span(2, 5),
    number_of_logical_blocks=span(7, 8),
)
SYNCHRONIZE_CACHE_16 = cdb_layout(
    16,
    {"group_number": bits(14, 4, 0)},
    immed=_IMMED,
    logical_block_address=span(2, 9),
    number_of_logical_blocks=span(10, 13),
)

COMMANDS = (
    Command(0x25, "READ CAPACITY(10)", cdb_layout(10), read_capacity_10, medium=True),
    Command(0x2F, "VERIFY(10)", VERIFY_10, verify, medium=True),
    Command(0x8F, "VERIFY(16)", VERIFY_16, verify, medium=True),
    Command(0xAF, "VERIFY(12)", VERIFY_12, verify, medium=True),
    Command(0x35, "SYNCHRONIZE CACHE(10)", SYNCHRONIZE_CACHE_10, synchronize_cache, medium=True),
    Command(0x91, "SYNCHRONIZE CACHE(16)", SYNCHRONIZE_CACHE_16, synchronize_cache, medium=True),
    Command(
        0x9E,
        "READ CAPACITY(16)",
        cdb_layout(16, service_action=bits(1, 4, 0), allocation_length=span(10, 13)),
        read_capacity_16,
        service_action=0x10,
        medium=True,
    ),
)
