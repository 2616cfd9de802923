"""POPULATE TOKEN and WRITE USING TOKEN (SBC-3 section 5): copies that pass from host to host."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import TRANSFER_TIMEOUT, Access, Command, decoded
from trioscsi.scsi.complaints import (
    PARAMETER_LIST_LENGTH_ERROR,
    WRITE_PROTECTED,
    invalid_parameter,
    out_of_range,
)
from trioscsi.scsi.copy import bounds, token
from trioscsi.scsi.copy.mover import Place, Trouble, move
from trioscsi.scsi.copy.operation import Operation, Units
from trioscsi.scsi.copy.runner import Copy
from trioscsi.scsi.copy.token import DELETED, TOKEN, Range, RodType, Token
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Failed, Receive, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.layout import Layout
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan
    from trioscsi.scsi.storage import Storage

POPULATE, WRITE = 0x10, 0x11

POPULATE_LIST = layout(
    16,
    populate_token_data_length=span(0, 1),
    rtv=bits(2, 1),
    immed=bits(2, 0),
    inactivity_timeout=span(4, 7),
    rod_type=span(8, 11),
    block_device_range_descriptor_length=span(14, 15),
)
WRITE_LIST = layout(
    536,
    write_using_token_data_length=span(0, 1),
    del_tkn=bits(2, 1),
    immed=bits(2, 0),
    offset_into_rod=span(8, 15),
    rod_token=span(16, 527),
    block_device_range_descriptor_length=span(534, 535),
)
RANGE = layout(16, logical_block_address=span(0, 7), number_of_logical_blocks=span(8, 11))


@attrs.define(kw_only=True)
class PopulateToken(Copy):
    """Make a token that stands for these blocks, as they are now."""

    ranges: tuple[Range, ...]
    timeout: int

    def begin(self) -> Operation:
        """See `Copy.begin`."""
        return Operation(POPULATE, Units.LOGICAL_BLOCKS)

    async def copy(self, storage: Storage, operation: Operation) -> None:
        """See `Copy.copy`."""
        made = self.unit.tokens.make(self.unit, self.ranges, self.timeout)
        made.watch(storage)
        operation.token = made.data
        operation.transferred = sum(each.blocks for each in self.ranges)


@attrs.define(kw_only=True)
class WriteUsingToken(Copy):
    """Write to these blocks what a token stands for, from ``offset`` bytes on; None: zeroes."""

    ranges: tuple[Range, ...]
    token: Token | None
    offset: int = 0
    delete: bool = False

    def begin(self) -> Operation:
        """See `Copy.begin`."""
        return Operation(WRITE, Units.LOGICAL_BLOCKS)

    async def copy(self, storage: Storage, operation: Operation) -> None:
        """See `Copy.copy`."""

        done = 0

        def moved(count: int) -> None:
            nonlocal done
            done += count
            operation.transferred = done // self.unit.block_size

        try:
            if self.token is None:
                await self._zero(storage, operation, moved)
            else:
                await self._write(self.token, storage, operation, moved)
        except Trouble as trouble:
            raise Refusal(trouble.sense) from trouble.error

    async def _zero(
        self, storage: Storage, operation: Operation, moved: Callable[[int], None]
    ) -> None:
        block_size = self.unit.block_size
        for each in self.ranges:
            for lba in range(each.lba, each.lba + each.blocks, bounds.HOLES // block_size):
                count = min(each.lba + each.blocks - lba, bounds.HOLES // block_size) * block_size
                operation.check()
                await Place(self.unit, storage, lba * block_size).zero(count)
                moved(count)

    async def _write(
        self, used: Token, storage: Storage, operation: Operation, moved: Callable[[int], None]
    ) -> None:
        def check() -> None:
            operation.check()
            used.check()

        used.check()
        used.users += 1
        try:
            source = storage.of(used.unit)
            for at, start, count in self._pieces(used):
                await move(
                    Place(used.unit, source, start),
                    Place(self.unit, storage, at),
                    count,
                    check,
                    moved,
                )
        finally:
            used.users -= 1
            used.used = used.unit.clock()
        if self.delete:
            used.finish(DELETED)

    def _pieces(self, used: Token) -> Iterator[tuple[int, int, int]]:
        """Where to write, where to read, and how many bytes: what lies together on both sides."""
        sources = _bytes(used.ranges, used.unit.block_size, self.offset)
        start, left = 0, 0
        for at, count in _bytes(self.ranges, self.unit.block_size, 0):
            while count:
                if not left:
                    start, left = next(sources)
                some = min(count, left)
                yield at, start, some
                at, count, start, left = at + some, count - some, start + some, left - some


def _bytes(ranges: tuple[Range, ...], block_size: int, skip: int) -> Iterator[tuple[int, int]]:
    """Where ranges begin and how long they are, in bytes, without the first ``skip`` of them."""
    for each in ranges:
        length = each.blocks * block_size
        if skip < length:
            yield each.lba * block_size + skip, length - skip
        skip = max(skip - length, 0)


def _list(cdb: Cdb, header: Layout, then: Callable[[bytes], Plan]) -> Plan:
    """Take a parameter list of range descriptors; ``then`` gets it whole."""
    length = cdb["parameter_list_length"]
    if not header.length <= length <= header.length + bounds.RANGES * RANGE.length:
        return Failed(PARAMETER_LIST_LENGTH_ERROR)

    def received(data: bytes) -> Plan:
        return Failed(PARAMETER_LIST_LENGTH_ERROR) if len(data) < length else then(data)

    return Receive(length, received)


def _ranges(unit: LogicalUnit, header: Layout, data: bytes) -> tuple[Range, ...]:
    """The ranges of a parameter list. Raises Refusal unless they are blocks, each named once."""
    fields = header.decode(data)
    length = fields["block_device_range_descriptor_length"]
    place = header.length - 2
    if not length or length % RANGE.length:
        raise Refusal(invalid_parameter(place, 7))
    # The data length counts what follows it, up to the end of the descriptors.
    if fields[next(iter(header.fields))] != place + length or len(data) < header.length + length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    ranges: list[Range] = []
    for start in range(header.length, header.length + length, RANGE.length):
        found = RANGE.decode(data[start : start + RANGE.length])
        each = Range(found["logical_block_address"], found["number_of_logical_blocks"])
        if each.lba + each.blocks > unit.blocks:
            raise Refusal(out_of_range(max(each.lba, unit.blocks)))
        if any(_overlap(each, other) for other in ranges):
            raise Refusal(invalid_parameter(start, 7))
        if each.blocks:
            ranges.append(each)
    if sum(each.blocks for each in ranges) * unit.block_size > bounds.TOKEN_TRANSFER:
        raise Refusal(invalid_parameter(place, 7))
    return tuple(ranges)


def _overlap(one: Range, other: Range) -> bool:
    return one.lba < other.lba + other.blocks and other.lba < one.lba + one.blocks


@decoded
def populate_token(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """POPULATE TOKEN; it takes no time, so that IMMED has nothing to change."""
    return _list(cdb, POPULATE_LIST, partial(_populate, unit, nexus, cdb["list_identifier"]))


def _populate(unit: LogicalUnit, nexus: Nexus, list_id: int, data: bytes) -> Plan:
    fields = POPULATE_LIST.decode(data)
    kinds = RodType.POINT_IN_TIME, RodType.CHANGE_VULNERABLE, RodType.ANY_POINT_IN_TIME
    if fields["rtv"] and fields["rod_type"] not in kinds:
        raise Refusal(invalid_parameter(8, 7))
    if fields["inactivity_timeout"] > bounds.MAXIMUM_INACTIVITY:
        raise Refusal(invalid_parameter(4, 7))
    return PopulateToken(
        unit=unit,
        nexus=nexus,
        list_id=list_id,
        ranges=_ranges(unit, POPULATE_LIST, data),
        timeout=fields["inactivity_timeout"] or bounds.INACTIVITY,
    )


@decoded
def write_using_token(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """WRITE USING TOKEN."""
    if unit.write_protected:
        raise Refusal(WRITE_PROTECTED)
    return _list(cdb, WRITE_LIST, partial(_write, unit, nexus, cdb["list_identifier"]))


def _write(unit: LogicalUnit, nexus: Nexus, list_id: int, data: bytes) -> Plan:
    fields = WRITE_LIST.decode(data)
    ranges = _ranges(unit, WRITE_LIST, data)
    wire = data[16 : 16 + TOKEN.length]
    plan = WriteUsingToken(
        unit=unit,
        nexus=nexus,
        list_id=list_id,
        immed=bool(fields["immed"]),
        ranges=ranges,
        token=None,
        delete=bool(fields["del_tkn"]),
    )
    if token.is_zero(wire):
        return plan
    used = token.find(unit, wire)
    offset = fields["offset_into_rod"] * used.unit.block_size
    if offset + sum(each.blocks for each in ranges) * unit.block_size > used.length:
        raise Refusal(invalid_parameter(8, 7))
    return attrs.evolve(plan, token=used, offset=offset)


_CDB = cdb_layout(
    16,
    service_action=bits(1, 4, 0),
    list_identifier=span(6, 9),
    parameter_list_length=span(10, 13),
    group_number=bits(14, 4, 0),
)

COMMANDS = (
    Command(
        0x83,
        "POPULATE TOKEN",
        _CDB,
        populate_token,
        service_action=POPULATE,
        medium=True,
        access=Access.READ,
        timeout=TRANSFER_TIMEOUT,
    ),
    Command(
        0x83,
        "WRITE USING TOKEN",
        _CDB,
        write_using_token,
        service_action=WRITE,
        medium=True,
        access=Access.WRITE,
        timeout=TRANSFER_TIMEOUT,
    ),
)
