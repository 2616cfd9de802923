"""The parameter lists of EXTENDED COPY(LID1) and (LID4) (SPC-4 sections 6.4 and 6.5)."""

from __future__ import annotations

import enum

import attrs

from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_parameter
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.descriptors import (
    TARGET_DESCRIPTOR,
    Segment,
    Target,
    parse_segments,
    parse_targets,
)
from trioscsi.scsi.layout import Layout, bits, layout, span
from trioscsi.scsi.plan import Refusal
from trioscsi.scsi.sense import AdditionalSense, FieldPointer, Sense, SenseKey

LID1 = layout(
    16,
    list_identifier=span(0),
    str=bits(1, 5),
    list_id_usage=bits(1, 4, 3),
    priority=bits(1, 2, 0),
    target_descriptor_list_length=span(2, 3),
    segment_descriptor_list_length=span(8, 11),
    inline_data_length=span(12, 15),
)
LID4 = layout(
    48,
    parameter_list_format=span(0),
    str=bits(1, 5),
    list_id_usage=bits(1, 4, 3),
    priority=bits(1, 2, 0),
    header_target_descriptor_list_length=span(2, 3),
    g_sense=bits(15, 1),
    immed=bits(15, 0),
    header_target_descriptor_type_code=span(16),
    list_identifier=span(20, 23),
    target_descriptor_list_length=span(42, 43),
    segment_descriptor_list_length=span(44, 45),
    inline_data_length=span(46, 47),
)
_LID4_FORMAT, _LID4_HEADER_LENGTH, _LID4_HEADER_TYPE = 0x01, 0x20, 0xFF


class ListIdUsage(enum.IntEnum):
    """What the list identifier is for."""

    HOLD = 0b00
    DISCARD = 0b10
    """Held data are kept only if the copy fails."""
    NONE = 0b11
    """There is none: nobody is going to ask."""


@attrs.frozen
class Request:
    """What an EXTENDED COPY asks for."""

    list_id: int | None
    keeps: bool
    targets: tuple[Target, ...]
    segments: tuple[Segment, ...]
    immed: bool = False
    g_sense: bool = False


def parse_lid1(data: bytes) -> Request:
    """The parameter list of EXTENDED COPY(LID1); raises Refusal for what is wrong with it."""
    return _parse(LID1, data, LID1.decode(data))


def parse_lid4(data: bytes) -> Request:
    """The parameter list of EXTENDED COPY(LID4); raises Refusal for what is wrong with it.

    There is nothing to say of a copy with its GOOD status (G_SENSE) if that comes before its end.
    """
    fields = LID4.decode(data)
    required = {
        "parameter_list_format": _LID4_FORMAT,
        "header_target_descriptor_list_length": _LID4_HEADER_LENGTH,
        "header_target_descriptor_type_code": _LID4_HEADER_TYPE,
    }
    for name, value in required.items():
        if fields[name] != value:
            raise invalid(LID4, name)
    immed, g_sense = bool(fields["immed"]), bool(fields["g_sense"])
    if immed and g_sense:
        raise invalid(LID4, "g_sense")
    return attrs.evolve(_parse(LID4, data, fields), immed=immed, g_sense=g_sense)


def _parse(header: Layout, data: bytes, fields: dict[str, int]) -> Request:
    targets, segments = (fields[f"{what}_descriptor_list_length"] for what in ("target", "segment"))
    if fields["inline_data_length"]:
        field = header.fields["inline_data_length"]
        pointer = FieldPointer(field.byte, field.bit, in_cdb=False)
        code = AdditionalSense.INLINE_DATA_LENGTH_EXCEEDED
        raise Refusal(Sense(SenseKey.ILLEGAL_REQUEST, code, specific=pointer))
    if targets + segments > min(bounds.DESCRIPTORS_LENGTH, len(data) - header.length):
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    if targets % TARGET_DESCRIPTOR.length:
        raise invalid(header, "target_descriptor_list_length")
    middle = header.length + targets
    return Request(
        *_list_id(header, fields),
        parse_targets(data[header.length : middle], header.length),
        parse_segments(data[middle : middle + segments], middle),
    )


def _list_id(header: Layout, fields: dict[str, int]) -> tuple[int | None, bool]:
    if fields["list_id_usage"] not in [*ListIdUsage]:
        raise invalid(header, "list_id_usage")
    usage, list_id = ListIdUsage(fields["list_id_usage"]), fields["list_identifier"]
    if usage is ListIdUsage.NONE:
        if list_id:
            raise invalid(header, "list_identifier")
        return None, False
    return list_id, usage is ListIdUsage.HOLD


def invalid(header: Layout, name: str) -> Refusal:
    """What to raise for a value that we do not take in this field of a header."""
    field = header.fields[name]
    return Refusal(invalid_parameter(field.byte, field.bit))
