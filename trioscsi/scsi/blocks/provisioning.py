"""Blocks that need no storage: UNMAP and GET LBA STATUS (SBC-3 sections 4.7 and 5)."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import ADDITIONAL_CDB_LENGTH, Cdb, cdb_layout
from trioscsi.scsi.command import VARIABLE_LENGTH, Access, Command, decoded
from trioscsi.scsi.complaints import (
    PARAMETER_LIST_LENGTH_ERROR,
    WRITE_PROTECTED,
    invalid_parameter,
    out_of_range,
)
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Procedure, Receive, Refusal, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage

UNMAP_HEADER = layout(8, unmap_data_length=span(0, 1), block_descriptor_data_length=span(2, 3))
UNMAP_DESCRIPTOR = layout(
    16, unmap_logical_block_address=span(0, 7), number_of_logical_blocks=span(8, 11)
)
LBA_STATUS_HEADER = layout(
    8, parameter_data_length=span(0, 3), completion_condition=bits(7, 3, 1), rtp=bits(7, 0)
)
LBA_STATUS_DESCRIPTOR = layout(
    16,
    lba_status_logical_block_address=span(0, 7),
    number_of_logical_blocks=span(8, 11),
    provisioning_status=bits(12, 3, 0),
    additional_status=span(13),
)

_DEALLOCATED, _MAPPED = 1, 3
_MAPPED_OR_UNKNOWN = 0
"""What the first report type, the only one of SBC-3, has in place of ``_MAPPED``."""
_ENOUGH = 4096
"""LBA status descriptors of one answer; whoever wants to know more asks for the LBAs after it."""
_LARGEST_EXTENT = 2**32 - 1
_FULL, _SCANNED, _END_OF_MEDIUM = 1, 2, 3
"""Why there is no further descriptor: no room, or no more blocks to look at."""

_ALL = 0x00
_REPORTS: dict[int, tuple[bool, ...]] = {
    _ALL: (True, False),
    0x01: (True, False),  # all, and none with status zero
    0x02: (True,),  # mapped
    0x03: (False,),  # deallocated
    0x04: (),  # anchored
    0x10: (),  # those that may not be readable
}
"""Which extents a report type is about (SBC-4): mapped ones, others, or none."""


@attrs.define
class Unmap(Procedure):
    """Give the space of these ranges back, each a first block and a number of them."""

    ranges: Sequence[tuple[int, int]]

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        for lba, blocks in self.ranges:
            await storage.unmap(lba, blocks)
        return Done()


def is_thin(unit: LogicalUnit) -> bool:
    """Whether a unit has the commands that only those have whose blocks need no storage."""
    return unit.thin


@decoded
def unmap(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """UNMAP (SBC-3 section 5)."""
    if unit.write_protected:
        raise Refusal(WRITE_PROTECTED)
    length = cdb["parameter_list_length"]
    return Receive(length, partial(_unmap, unit)) if length else Done()


def _unmap(unit: LogicalUnit, data: bytes) -> Plan:
    ranges = unmap_ranges(unit, data)
    return Unmap(ranges) if ranges else Done()


def unmap_ranges(unit: LogicalUnit, data: bytes) -> list[tuple[int, int]]:
    """The ranges of an UNMAP parameter list, joined where one follows upon the other; descriptors
    cut off are ignored, and so are those of no blocks. Raises Refusal before anything is unmapped.
    """
    if len(data) < UNMAP_HEADER.length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    said = UNMAP_HEADER.decode(data)["block_descriptor_data_length"]
    size = UNMAP_DESCRIPTOR.length
    count = min(said, len(data) - UNMAP_HEADER.length) // size
    if count > unit.maximum_unmap_descriptors:
        raise Refusal(invalid_parameter(2, 7))
    ranges: list[tuple[int, int]] = []
    total = 0
    for place in range(UNMAP_HEADER.length, UNMAP_HEADER.length + count * size, size):
        fields = UNMAP_DESCRIPTOR.decode(data[place:])
        lba, blocks = fields["unmap_logical_block_address"], fields["number_of_logical_blocks"]
        if lba + blocks > unit.blocks:
            raise Refusal(out_of_range(max(lba, unit.blocks)))
        total += blocks
        if total * unit.block_size > unit.maximum_unmap:
            raise Refusal(invalid_parameter(place + 8, 7))
        if ranges and sum(ranges[-1]) == lba:
            first, before = ranges.pop()
            lba, blocks = first, before + blocks
        if blocks:
            ranges.append((lba, blocks))
    return ranges


@attrs.define
class LbaStatus(Procedure):
    """Say which blocks from ``lba`` to ``end`` are stored: the extents that ``report_type`` is
    about, as many as find room in ``allocation_length`` bytes.

    ``complete`` is why there are no more if all have been looked at.
    """

    reads = True
    lba: int
    end: int
    report_type: int
    allocation_length: int
    complete: int = _END_OF_MEDIUM

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        room = (self.allocation_length - LBA_STATUS_HEADER.length) // LBA_STATUS_DESCRIPTOR.length
        most = min(max(room, 1), _ENOUGH)
        descriptors: list[bytes] = []
        async with aclosing(self._extents(storage)) as extents:
            async for lba, blocks, mapped in extents:
                descriptors.append(self._descriptor(lba, blocks, mapped=mapped))
                if len(descriptors) == most:
                    full = lba + blocks < self.end
                    return self._reply(descriptors, _FULL if full else self.complete)
        return self._reply(descriptors, self.complete)

    async def _extents(self, storage: Storage) -> AsyncGenerator[tuple[int, int, bool], None]:
        """The extents to tell of, each no larger than a descriptor can say."""
        wanted, lba = _REPORTS[self.report_type], self.lba
        while lba < self.end:
            for extent in await storage.extents(lba, self.end - lba):
                lba = extent.lba + extent.blocks
                if extent.mapped in wanted:
                    for first in range(extent.lba, lba, _LARGEST_EXTENT):
                        yield first, min(lba - first, _LARGEST_EXTENT), extent.mapped

    def _descriptor(self, lba: int, blocks: int, *, mapped: bool) -> bytes:
        stored = _MAPPED_OR_UNKNOWN if self.report_type == _ALL else _MAPPED
        return LBA_STATUS_DESCRIPTOR.encode(
            lba_status_logical_block_address=lba,
            number_of_logical_blocks=blocks,
            provisioning_status=stored if mapped else _DEALLOCATED,
        )

    def _reply(self, descriptors: Sequence[bytes], condition: int) -> Outcome:
        body = b"".join(descriptors)
        head = LBA_STATUS_HEADER.encode(
            parameter_data_length=LBA_STATUS_HEADER.length - 4 + len(body),
            completion_condition=condition,
            rtp=1,  # report types are not passed over, not even the first one
        )
        return Reply((head + body)[: self.allocation_length])


@decoded
def get_lba_status(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """GET LBA STATUS of both lengths (SBC-4 section 5); the longer one bounds the search too."""
    if cdb["report_type"] not in _REPORTS:
        raise cdb.refusal("report_type")
    lba = cdb["starting_logical_block_address"]
    unit.check_lba(lba, 1)
    end = lba + (cdb.values.get("scan_length") or unit.blocks)
    complete = _SCANNED if end < unit.blocks else _END_OF_MEDIUM
    end = min(end, unit.blocks)
    return LbaStatus(lba, end, cdb["report_type"], cdb["allocation_length"], complete)


COMMANDS = (
    Command(
        0x42,
        "UNMAP",
        cdb_layout(
            10,
            {"anchor": bits(1, 0)},
            {"group_number": bits(6, 4, 0)},
            parameter_list_length=span(7, 8),
        ),
        unmap,
        medium=True,
        access=Access.WRITE,
        needs=is_thin,
    ),
    Command(
        0x9E,
        "GET LBA STATUS(16)",
        cdb_layout(
            16,
            service_action=bits(1, 4, 0),
            starting_logical_block_address=span(2, 9),
            allocation_length=span(10, 13),
            report_type=span(14),
        ),
        get_lba_status,
        service_action=0x12,
        medium=True,
        access=Access.READ,
    ),
    Command(
        VARIABLE_LENGTH,
        "GET LBA STATUS(32)",
        cdb_layout(
            32,
            {"element_identifier": span(24, 27)},  # there are no elements
            service_action=span(8, 9),
            **{ADDITIONAL_CDB_LENGTH: span(7)},
            report_type=span(10),
            starting_logical_block_address=span(12, 19),
            scan_length=span(20, 23),
            allocation_length=span(28, 31),
        ),
        get_lba_status,
        service_action=0x12,
        medium=True,
        access=Access.READ,
    ),
)
