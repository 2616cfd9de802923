"""FORMAT UNIT (SBC-3 section 5): all blocks get an initial content, and lose what they had."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import LONG_TIMEOUT, Access, Command, decoded
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, WRITE_PROTECTED, invalid_parameter
from trioscsi.scsi.layout import Layout, bits, layout, span
from trioscsi.scsi.plan import Receive, Refusal
from trioscsi.scsi.upkeep.overhaul import FORMAT_UNIT, Overhaul, Work, pattern

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

_OPTIONS = {
    "protection_field_usage": bits(0, 2, 0),
    "fov": bits(1, 7),
    "dpry": bits(1, 6),
    "dcrt": bits(1, 5),
    "stpf": bits(1, 4),
    "ip": bits(1, 3),
    "immed": bits(1, 1),
    "vendor_specific": bits(1, 0),
}
SHORT_HEADER = layout(4, **_OPTIONS, defect_list_length=span(2, 3))
LONG_HEADER = layout(
    8,
    **_OPTIONS,
    p_i_information=bits(3, 7, 4),
    protection_interval_exponent=bits(3, 3, 0),
    defect_list_length=span(4, 7),
)
INITIALIZATION = layout(
    4,
    si=bits(0, 5),
    initialization_pattern_type=span(1),
    initialization_pattern_length=span(2, 3),
)

_MOST = 65_536
"""Bytes of a parameter list: more than any list of a disk without defects needs."""
_BLOCK_FORMATS = {0b000: 4, 0b011: 8}
"""The defect list formats that name blocks, and how many bytes they take for one."""
_DEFAULT_PATTERN, _REPEAT_PATTERN = 0x00, 0x01
_NEEDS_FOV = ("dpry", "dcrt", "stpf", "ip")
_NO_PROTECTION = ("protection_field_usage", "p_i_information", "protection_interval_exponent")


@decoded
def format_unit(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """FORMAT UNIT; without a parameter list the command ends when all is done."""
    if unit.write_protected:
        raise Refusal(WRITE_PROTECTED)
    if not cdb["fmtdata"]:
        return Overhaul(unit, Work.FORMAT, [None])
    return Receive(_MOST, partial(_format, unit, cdb), open_ended=True)


def _format(unit: LogicalUnit, cdb: Cdb, data: bytes) -> Plan:
    header = LONG_HEADER if cdb["longlist"] else SHORT_HEADER
    if len(data) < header.length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    fields = header.decode(data)
    for name in _NO_PROTECTION:
        if fields.get(name):
            raise _refusal(header, name)
    if not fields["fov"]:
        for name in _NEEDS_FOV:
            if fields[name]:
                raise _refusal(header, name)
    block, place = None, header.length
    if fields["ip"]:
        block, place = _initialization(unit, data, place)
    _check_defects(unit, cdb, data[place:], place, fields["defect_list_length"])
    return Overhaul(unit, Work.FORMAT, [block], immediate=bool(fields["immed"]))


def _initialization(unit: LogicalUnit, data: bytes, place: int) -> tuple[bytes | None, int]:
    """The block that is asked for, or None for our own choice; and what follows its descriptor."""
    if len(data) < place + INITIALIZATION.length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    fields = INITIALIZATION.decode(data[place:])
    length = fields["initialization_pattern_length"]
    start = place + INITIALIZATION.length
    match fields["initialization_pattern_type"]:
        case 0x00 if length:
            raise _refusal(INITIALIZATION, "initialization_pattern_length", place)
        case 0x00:
            return None, start
        case 0x01 if not 0 < length <= unit.block_size:
            raise _refusal(INITIALIZATION, "initialization_pattern_length", place)
        case 0x01:
            if len(data) < start + length:
                raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
            return pattern(unit, data[start : start + length]), start + length
        case _:
            raise _refusal(INITIALIZATION, "initialization_pattern_type", place)


def _check_defects(unit: LogicalUnit, cdb: Cdb, data: bytes, place: int, length: int) -> None:
    """Raise Refusal for a list of defects that cannot be. One that can be changes nothing, as
    blocks have no fixed place that could be defect.
    """
    if not length:
        return
    size = _BLOCK_FORMATS.get(cdb["defect_list_format"])
    if size is None:
        raise cdb.refusal("defect_list_format")
    if length > len(data) or length % size:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    for start in range(0, length, size):
        if int.from_bytes(data[start : start + size], "big") >= unit.blocks:
            raise Refusal(invalid_parameter(place + start, 7))


def _refusal(record: Layout, name: str, place: int = 0) -> Refusal:
    field = record.fields[name]
    return Refusal(invalid_parameter(place + field.byte, field.bit))


COMMANDS = (
    Command(
        FORMAT_UNIT,
        "FORMAT UNIT",
        cdb_layout(
            6,
            {"fmtpinfo": bits(1, 7, 6), "ffmt": bits(4, 1, 0)},
            {"vendor_specific": span(2), "interleave": span(3)},
            longlist=bits(1, 5),
            fmtdata=bits(1, 4),
            cmplst=bits(1, 3),
            defect_list_format=bits(1, 2, 0),
        ),
        format_unit,
        medium=True,
        access=Access.WRITE,
        timeout=LONG_TIMEOUT,
        passes=1,
    ),
)
