"""Blocks that went bad: READ DEFECT DATA and REASSIGN BLOCKS (SBC-3 section 5).

Storage below sees to its own defects and shows none, so both lists of them are empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Reply

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

_WHICH_LISTS = {
    "plistv": bits(1, 4),
    "glistv": bits(1, 3),
    "defect_list_format": bits(1, 2, 0),
}
DEFECT_DATA_10 = layout(4, **_WHICH_LISTS, defect_list_length=span(2, 3))
DEFECT_DATA_12 = layout(
    8, **_WHICH_LISTS, generation_code=span(2, 3), defect_list_length=span(4, 7)
)

_NO_FORMAT = 0b111


@decoded
def read_defect_data(_unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ DEFECT DATA of both lengths: none, in whatever format."""
    if cdb["defect_list_format"] == _NO_FORMAT:
        raise cdb.refusal("defect_list_format")
    header = DEFECT_DATA_10 if cdb.layout.length == 10 else DEFECT_DATA_12
    data = header.encode(
        plistv=cdb["req_plist"],
        glistv=cdb["req_glist"],
        defect_list_format=cdb["defect_list_format"],
    )
    return Reply(data[: cdb["allocation_length"]])


READ_DEFECT_DATA_10 = cdb_layout(
    10,
    req_plist=bits(2, 4),
    req_glist=bits(2, 3),
    defect_list_format=bits(2, 2, 0),
    allocation_length=span(7, 8),
)
READ_DEFECT_DATA_12 = cdb_layout(
    12,
    req_plist=bits(1, 4),
    req_glist=bits(1, 3),
    defect_list_format=bits(1, 2, 0),
    address_descriptor_index=span(2, 5),
    allocation_length=span(6, 9),
)

COMMANDS = (
    Command(
        0x37,
        "READ DEFECT DATA(10)",
        READ_DEFECT_DATA_10,
        read_defect_data,
        medium=True,
        access=Access.READ,
    ),
    Command(
        0xB7,
        "READ DEFECT DATA(12)",
        READ_DEFECT_DATA_12,
        read_defect_data,
        medium=True,
        access=Access.READ,
    ),
)
