"""Descriptors of EXTENDED COPY: between which units, and what (SPC-4 section 6.4)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_parameter
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.layout import Layout, bits, layout, span
from trioscsi.scsi.plan import Refusal
from trioscsi.scsi.sense import AdditionalSense, FieldPointer, Sense, SenseKey

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGET_DESCRIPTOR = layout(
    32,
    descriptor_type_code=span(0),
    lu_id_type=bits(1, 7, 6),
    nul=bits(1, 5),
    peripheral_device_type=bits(1, 4, 0),
    relative_initiator_port_identifier=span(2, 3),
    code_set=bits(4, 3, 0),
    association=bits(5, 5, 4),
    designator_type=bits(5, 3, 0),
    designator_length=span(7),
    pad=bits(28, 2),
    disk_block_length=span(29, 31),
)
_DESIGNATION, _DESIGNATOR_ROOM = 4, 20

_HEADER = {
    "descriptor_type_code": span(0),
    "dc": bits(1, 1),
    "cat": bits(1, 0),
    "descriptor_length": span(2, 3),
    "source_target_descriptor_index": span(4, 5),
    "destination_target_descriptor_index": span(6, 7),
}
_BLOCK_ADDRESSES = {
    "source_block_device_logical_block_address": span(12, 19),
    "destination_block_device_logical_block_address": span(20, 27),
}
BLOCK_TO_BLOCK = layout(
    28, **_HEADER, block_device_number_of_blocks=span(10, 11), **_BLOCK_ADDRESSES
)
BLOCK_TO_BLOCK_WITH_OFFSETS = layout(
    32,
    **_HEADER,
    number_of_bytes=span(8, 11),
    **_BLOCK_ADDRESSES,
    source_block_device_byte_offset=span(28, 29),
    destination_block_device_byte_offset=span(30, 31),
)
VERIFY = layout(12, **_HEADER, tur=bits(8, 0))

IDENTIFICATION = 0xE4
"""The type of the only target descriptors here: those that name a unit as VPD page 83h does."""
THIS_UNIT = 0xFFFF
"""Stands, in place of an index, for the unit that performs the copy."""


class Kind(enum.IntEnum):
    """The types of segment descriptors that there are here."""

    BLOCK_TO_BLOCK = 0x02
    VERIFY = 0x07
    BLOCK_TO_BLOCK_WITH_OFFSETS = 0x0A
    BLOCK_TO_BLOCK_AND_HOLD = 0x0D


SEGMENTS: Mapping[Kind, Layout] = {
    Kind.BLOCK_TO_BLOCK: BLOCK_TO_BLOCK,
    Kind.VERIFY: VERIFY,
    Kind.BLOCK_TO_BLOCK_WITH_OFFSETS: BLOCK_TO_BLOCK_WITH_OFFSETS,
    Kind.BLOCK_TO_BLOCK_AND_HOLD: BLOCK_TO_BLOCK,
}


@attrs.frozen
class Target:
    """A unit to copy from or to.

    ``designation`` is a descriptor of VPD page 83h, ``pad`` says that a block which data fill in
    part is filled up, and data beyond a last whole block are let go. ``place`` is where it stands
    in the parameter list.
    """

    designation: bytes
    device_type: int
    pad: bool
    block_length: int
    place: int


@attrs.frozen
class Segment:
    """One step of a copy, with its fields; ``place`` is where it stands in the parameter list."""

    kind: Kind
    fields: Mapping[str, int]
    place: int

    @property
    def source(self) -> int:
        """The index of the unit that is copied from, or looked at."""
        return self.fields["source_target_descriptor_index"]

    @property
    def destination(self) -> int:
        """The index of the unit that is copied to."""
        return self.fields["destination_target_descriptor_index"]

    @property
    def cat(self) -> bool:
        """Whether data that do not fill a block are left to the next segment."""
        return bool(self.fields["cat"])

    def pointer(self, name: str) -> FieldPointer:
        """Where a field of it stands."""
        field = SEGMENTS[self.kind].fields[name]
        return FieldPointer(self.place + field.byte, field.bit, in_cdb=False)


def parse_targets(data: bytes, place: int) -> tuple[Target, ...]:
    """The target descriptors in ``data``, which stand at ``place`` of their parameter list.

    Raises Refusal for the first that is not understood.
    """
    targets: list[Target] = []
    for start in range(0, len(data), TARGET_DESCRIPTOR.length):
        here = place + start
        if data[start] != IDENTIFICATION:
            raise _refused(AdditionalSense.UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE, here)
        if len(targets) == bounds.TARGET_DESCRIPTORS:
            raise _refused(AdditionalSense.TOO_MANY_TARGET_DESCRIPTORS, here)
        record = data[start : start + TARGET_DESCRIPTOR.length]
        if len(record) < TARGET_DESCRIPTOR.length:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        fields = TARGET_DESCRIPTOR.decode(record)
        if fields["designator_length"] > _DESIGNATOR_ROOM:
            raise Refusal(invalid_parameter(here + 7, 7))
        end = _DESIGNATION + 4 + fields["designator_length"]
        targets.append(
            Target(
                record[_DESIGNATION:end],
                fields["peripheral_device_type"],
                bool(fields["pad"]),
                fields["disk_block_length"],
                here,
            )
        )
    return tuple(targets)


def parse_segments(data: bytes, place: int) -> tuple[Segment, ...]:
    """The segment descriptors in ``data``, which stand at ``place`` of their parameter list.

    Raises Refusal for the first that is not understood.
    """
    segments: list[Segment] = []
    start = 0
    while start < len(data):
        here = place + start
        if data[start] not in [*Kind]:
            raise _refused(AdditionalSense.UNSUPPORTED_SEGMENT_DESCRIPTOR_TYPE_CODE, here)
        if len(segments) == bounds.SEGMENT_DESCRIPTORS:
            raise _refused(AdditionalSense.TOO_MANY_SEGMENT_DESCRIPTORS, here)
        kind = Kind(data[start])
        record = data[start : start + SEGMENTS[kind].length]
        if len(record) < SEGMENTS[kind].length:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        fields = SEGMENTS[kind].decode(record)
        if fields["descriptor_length"] != len(record) - 4:
            raise Refusal(invalid_parameter(here + 2, 7))
        segments.append(Segment(kind, fields, here))
        start += len(record)
    return tuple(segments)


def _refused(code: AdditionalSense, place: int) -> Refusal:
    pointer = FieldPointer(place, 7, in_cdb=False)
    return Refusal(Sense(SenseKey.ILLEGAL_REQUEST, code, specific=pointer))
