"""Designation descriptors: names of units, ports and targets (SPC-4 section 7.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.inquiry import identity
from trioscsi.scsi.layout import bits, layout, span

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit

DESIGNATOR = layout(
    4,
    protocol_identifier=bits(0, 7, 4),
    code_set=bits(0, 3, 0),
    piv=bits(1, 7),
    association=bits(1, 5, 4),
    designator_type=bits(1, 3, 0),
    designator_length=span(3),
)


BINARY, ASCII, UTF8 = 1, 2, 3
UNIT, PORT, DEVICE = 0, 1, 2
T10_VENDOR_ID, NAA, RELATIVE_TARGET_PORT, TARGET_PORT_GROUP, SCSI_NAME = 1, 3, 4, 5, 8
ISCSI = 5


def designators(unit: LogicalUnit) -> tuple[bytes, ...]:
    """The designation descriptors of the unit itself, the preferred one first."""
    t10 = unit.vendor.ljust(8) + unit.product.ljust(16) + unit.serial
    return (
        designator(UNIT, NAA, BINARY, identity.naa(unit.target_name, unit.number)),
        designator(UNIT, T10_VENDOR_ID, ASCII, t10.encode("ascii")),
    )


def target_designator(unit: LogicalUnit) -> bytes:
    """The designation descriptor of the unit's target."""
    return designator(DEVICE, SCSI_NAME, UTF8, scsi_name(unit.target_name))


def designator(association: int, designator_type: int, code_set: int, value: bytes) -> bytes:
    """One designation descriptor."""
    of_a_port = association != UNIT
    head = DESIGNATOR.encode(
        protocol_identifier=ISCSI if of_a_port else 0,
        code_set=code_set,
        piv=of_a_port,
        association=association,
        designator_type=designator_type,
        designator_length=len(value),
    )
    return head + value


def scsi_name(name: str) -> bytes:
    """Ended by a null and filled to four bytes; 255 bytes at most."""
    text = name.encode()[:251] + b"\0"
    return text + bytes(-len(text) % 4)
