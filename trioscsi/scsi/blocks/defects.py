"""Blocks that went bad: READ DEFECT DATA and REASSIGN BLOCKS (SBC-3 section 5).

Storage below sees to its own defects and shows none, so both lists of them are empty.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, WRITE_PROTECTED
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Procedure, Receive, Refusal, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage

_WHICH_LISTS = {
    "plistv": bits(1, 4),
    "glistv": bits(1, 3),
    "defect_list_format": bits(1, 2, 0),
}
DEFECT_DATA_10 = layout(4, **_WHICH_LISTS, defect_list_length=span(2, 3))
DEFECT_DATA_12 = layout(
    8, **_WHICH_LISTS, generation_code=span(2, 3), defect_list_length=span(4, 7)
)

SHORT_REASSIGN_HEADER = layout(4, reassign_lba_length=span(2, 3))
LONG_REASSIGN_HEADER = layout(4, reassign_lba_length=span(0, 3))

_NO_FORMAT = 0b111
_MOST = 65_536
"""Bytes of a list of blocks to reassign."""


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


@attrs.define
class Reassign(Procedure):
    """Give these blocks another place: those that cannot be read are written anew, as zeroes.

    Those that can be read are well where they are.
    """

    blocks: Sequence[int]

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        for lba in self.blocks:
            async with storage.exclusive(lba, 1) as alone:
                try:
                    await alone.read(lba, 1)
                except BackendError:
                    await alone.zero(lba, 1)
        return Done()


@decoded
def reassign_blocks(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """REASSIGN BLOCKS."""
    if unit.write_protected:
        raise Refusal(WRITE_PROTECTED)
    return Receive(_MOST, partial(_reassign, unit, cdb), open_ended=True)


def _reassign(unit: LogicalUnit, cdb: Cdb, data: bytes) -> Plan:
    header = LONG_REASSIGN_HEADER if cdb["longlist"] else SHORT_REASSIGN_HEADER
    if len(data) < header.length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    length, size = header.decode(data)["reassign_lba_length"], 8 if cdb["longlba"] else 4
    if length > len(data) - header.length or length % size:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    places = range(header.length, header.length + length, size)
    blocks = [int.from_bytes(data[place : place + size], "big") for place in places]
    for lba in blocks:
        unit.check_lba(lba, 1)
    return Reassign(blocks) if blocks else Done()


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
        0x07,
        "REASSIGN BLOCKS",
        cdb_layout(6, longlba=bits(1, 1), longlist=bits(1, 0)),
        reassign_blocks,
        medium=True,
        access=Access.WRITE,
    ),
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
