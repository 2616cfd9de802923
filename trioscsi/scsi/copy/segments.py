"""Performing the segments of EXTENDED COPY (SPC-4 section 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.command import objection
from trioscsi.scsi.complaints import WRITE_PROTECTED, out_of_range
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.descriptors import THIS_UNIT, Kind, Segment
from trioscsi.scsi.copy.mover import Place, Trouble, move
from trioscsi.scsi.inquiry.designation import designators
from trioscsi.scsi.plan import Failed, Refusal, Refused, Status
from trioscsi.scsi.sense import AdditionalSense, FieldPointer, Forwarded, Sense, SenseKey

if TYPE_CHECKING:
    from trioscsi.scsi.copy.descriptors import Target
    from trioscsi.scsi.copy.operation import Operation
    from trioscsi.scsi.copy.parameters import Request
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.storage import Storage

_SOURCE, _DESTINATION = "source_target_descriptor_index", "destination_target_descriptor_index"
_ROLES = {False: _SOURCE, True: _DESTINATION}

_DIRECT_ACCESS = 0x00

# What a copy manager would send to find out whether it may.
_TEST_UNIT_READY, _READ, _WRITE = bytes(16), bytes((0x88, *bytes(15))), bytes((0x8A, *bytes(15)))


class Abort(Exception):
    """A segment cannot be performed, for a reason that is told with its number."""

    def __init__(
        self,
        code: AdditionalSense,
        *,
        pointer: FieldPointer | None = None,
        forwarded: Forwarded | None = None,
    ) -> None:
        super().__init__(code)
        self.code, self.pointer, self.forwarded = code, pointer, forwarded

    def sense(self, segment: int) -> Sense:
        """What the initiator is told."""
        return Sense(
            SenseKey.COPY_ABORTED,
            self.code,
            specific=self.pointer,
            command_specific=segment,
            forwarded=self.forwarded,
        )


@attrs.frozen
class _End:
    """One end of a segment: a unit, and how the initiator described it."""

    place: Place
    pad: bool = False


@attrs.define
class Course:
    """The segments of one request, one after another.

    ``residue`` are bytes that did not fill a block, left by a segment to the next one.
    """

    unit: LogicalUnit
    nexus: Nexus
    request: Request
    operation: Operation
    residue: bytes = b""
    _named: dict[bytes, LogicalUnit] = attrs.field(init=False)
    """The units that this initiator sees, by their designators."""

    @_named.default
    def _seen(self) -> dict[bytes, LogicalUnit]:
        # Whoever knows the name of a unit that it does not see is told what a stranger is.
        units = [each for each in self.unit.fellows.values() if self.nexus.view.sees(each.number)]
        return {name: unit for unit in units for name in designators(unit)}

    async def run(self, storage: Storage) -> None:
        """Perform all segments. Raises Refusal for what ends the copy early."""
        for number, segment in enumerate(self.request.segments):
            try:
                await self._perform(segment, storage)
            except Abort as abort:
                raise Refusal(abort.sense(number)) from None
            except Trouble as trouble:
                said = _forwarded(trouble.sense, writing=trouble.writing)
                raise Refusal(said.sense(number)) from trouble.error
            self.operation.segments = number + 1

    async def _perform(self, segment: Segment, storage: Storage) -> None:
        self.operation.check()
        source = self._end(segment, storage, writing=False)
        match segment.kind:
            case Kind.VERIFY:
                if segment.fields["tur"]:
                    self._ask(source.place.unit, _TEST_UNIT_READY, writing=False)
            case Kind.BLOCK_TO_BLOCK_WITH_OFFSETS:
                await self._copy_bytes(segment, source, self._end(segment, storage, writing=True))
            case _:
                await self._copy_blocks(segment, source, self._end(segment, storage, writing=True))

    # Units.

    def _end(self, segment: Segment, storage: Storage, *, writing: bool) -> _End:
        index = segment.destination if writing else segment.source
        if index == THIS_UNIT:
            return _End(Place(self.unit, storage, 0))
        if index >= len(self.request.targets):
            pointer = segment.pointer(_ROLES[writing])
            raise Abort(AdditionalSense.UNREACHABLE_COPY_TARGET, pointer=pointer)
        target = self.request.targets[index]
        unit = self._unit(target)
        return _End(Place(unit, storage.of(unit), 0), target.pad)

    def _unit(self, target: Target) -> LogicalUnit:
        unit = self._named.get(target.designation)
        if unit is None or self.unit.fellows.get(unit.number) is not unit:
            raise Abort(AdditionalSense.COPY_TARGET_DEVICE_NOT_REACHABLE)
        if not target.device_type == unit.device_type == _DIRECT_ACCESS:
            raise Abort(AdditionalSense.INCORRECT_COPY_TARGET_DEVICE_TYPE)
        if target.block_length not in (0, unit.block_size):
            # Whoever counts in other blocks means other data.
            pointer = FieldPointer(target.place + 29, 7, in_cdb=False)
            raise Abort(AdditionalSense.INVALID_FIELD_IN_PARAMETER_LIST, pointer=pointer)
        return unit

    def _ask(self, unit: LogicalUnit, cdb: bytes, *, writing: bool) -> None:
        """Raise Abort if the unit would not perform this command of the initiator's."""
        plan = objection(unit, cdb, self.nexus)
        if isinstance(plan, Failed):
            raise _forwarded(plan.sense, writing=writing)
        if isinstance(plan, Refused):
            said = Forwarded(writing, plan.status)
            raise Abort(AdditionalSense.THIRD_PARTY_DEVICE_FAILURE, forwarded=said)
        assert plan is None, "a guard refuses, or does nothing"

    def _check(self, place: Place, length: int, *, writing: bool) -> None:
        """Raise Abort if the bytes cannot be read there, or not be written."""
        unit = place.unit
        self._ask(unit, _WRITE if writing else _READ, writing=writing)
        if writing and unit.write_protected:
            raise _forwarded(WRITE_PROTECTED, writing=True)
        if length and place.lba + place.blocks(length) > unit.blocks:
            sense = out_of_range(max(place.lba, unit.blocks))
            said = Forwarded(writing, Status.CHECK_CONDITION, sense)
            raise Abort(AdditionalSense.NO_ADDITIONAL_SENSE_INFORMATION, forwarded=said)

    # Data.

    async def _copy_blocks(self, segment: Segment, source: _End, destination: _End) -> None:
        """Copy a number of blocks: of the source, or with DC set, of the destination."""
        fields = segment.fields
        read_size, write_size = source.place.unit.block_size, destination.place.unit.block_size
        blocks, leftover = fields["block_device_number_of_blocks"], len(self.residue)
        if fields["dc"]:
            writes = blocks * write_size
            reads = -(-max(writes - leftover, 0) // read_size) * read_size
        else:
            reads = blocks * read_size
            writes = (leftover + reads) // write_size * write_size
        if max(reads, writes) > bounds.SEGMENT:
            raise _invalid(segment, "block_device_number_of_blocks")
        rest = leftover + reads - writes
        pads = not fields["dc"] and destination.pad and not segment.cat and rest
        kept = segment.cat or (source.pad if not fields["dc"] else destination.pad)
        dropped = fields["dc"] and source.pad and not segment.cat
        if rest and not (pads or kept or dropped):
            raise Abort(AdditionalSense.UNEXPECTED_INEXACT_SEGMENT)
        start = source.place + fields["source_block_device_logical_block_address"] * read_size
        target = (
            destination.place
            + fields["destination_block_device_logical_block_address"] * write_size
        )
        self._check(start, reads, writing=False)
        self._check(target, writes + (write_size if pads else 0), writing=True)
        if segment.kind is Kind.BLOCK_TO_BLOCK_AND_HOLD:
            await self._hold(start, reads)
        rest_of_source = await self._copy(start, reads, target, writes)
        if pads:
            await (target + writes).write(rest_of_source.ljust(write_size, b"\0"))
        self.residue = b"" if pads or dropped else rest_of_source

    async def _copy_bytes(self, segment: Segment, source: _End, destination: _End) -> None:
        """Copy a number of bytes, from and to wherever in a block they begin."""
        fields, length = segment.fields, segment.fields["number_of_bytes"]
        if length > bounds.SEGMENT:
            raise _invalid(segment, "number_of_bytes")
        places = []
        for end, name in ((source, "source"), (destination, "destination")):
            size = end.place.unit.block_size
            inside = fields[f"{name}_block_device_byte_offset"]
            if inside >= size:
                raise _invalid(segment, f"{name}_block_device_byte_offset")
            lba = fields[f"{name}_block_device_logical_block_address"]
            places.append(end.place + (lba * size + inside))
        start, target = places
        reads = max(length - len(self.residue), 0)
        self._check(start, reads, writing=False)
        self._check(target, length, writing=True)
        self.residue = await self._copy(start, reads, target, length)

    async def _copy(self, start: Place, reads: int, target: Place, writes: int) -> bytes:
        """Write the residue and then what is read; returns the bytes that nobody wants."""
        head = self.residue[:writes]
        direct = writes - len(head)
        # Read before anything is written, as both places may overlap, and the head written last.
        rest = self.residue[len(head) :] + await (start + direct).read(reads - direct)
        await move(start, target + len(head), direct, self.operation.check, self._moved)
        if head:
            await target.write(head)
            self._moved(len(head))
        return rest

    async def _hold(self, start: Place, length: int) -> None:
        """Hold a copy of what is read: so much of its end as there is room for."""
        latest = min(length, bounds.HELD)
        self.operation.discarded |= latest < length
        self.operation.hold(await (start + (length - latest)).read(latest))

    def _moved(self, count: int) -> None:
        self.operation.transferred += count


def _forwarded(sense: Sense, *, writing: bool) -> Abort:
    said = Forwarded(writing, Status.CHECK_CONDITION, sense)
    return Abort(AdditionalSense.THIRD_PARTY_DEVICE_FAILURE, forwarded=said)


def _invalid(segment: Segment, name: str) -> Abort:
    pointer = segment.pointer(name)
    return Abort(AdditionalSense.INVALID_FIELD_IN_PARAMETER_LIST, pointer=pointer)
