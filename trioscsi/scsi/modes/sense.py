"""MODE SENSE, and what mode parameters look like (SPC-4 sections 6.13, 6.14 and 7.5)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import SAVING_PARAMETERS_NOT_SUPPORTED
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Refusal, Reply

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.modes.page import Key, Values
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

ALL_PAGES, ALL_SUBPAGES = 0x3F, 0xFF

HEADER_6 = layout(
    4,
    mode_data_length=span(0),
    medium_type=span(1),
    wp=bits(2, 7),
    dpofua=bits(2, 4),
    block_descriptor_length=span(3),
)
HEADER_10 = layout(
    8,
    mode_data_length=span(0, 1),
    medium_type=span(2),
    wp=bits(3, 7),
    dpofua=bits(3, 4),
    longlba=bits(4, 0),
    block_descriptor_length=span(6, 7),
)
SHORT_DESCRIPTOR = layout(8, number_of_logical_blocks=span(0, 3), logical_block_length=span(5, 7))
LONG_DESCRIPTOR = layout(16, number_of_logical_blocks=span(0, 7), logical_block_length=span(12, 15))


class PageControl(enum.IntEnum):
    """Which values of the pages are wanted (SPC-4 section 6.13)."""

    CURRENT = 0
    CHANGEABLE = 1
    DEFAULT = 2
    SAVED = 3


@decoded
def mode_sense_6(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """MODE SENSE(6)."""
    pages = _pages(unit, cdb)
    descriptor = b"" if cdb["dbd"] else short_descriptor(unit)
    length = HEADER_6.length - 1 + len(descriptor) + len(pages)
    if length > 0xFF:  # it could not say how much there is
        raise cdb.refusal("page_code")
    data = HEADER_6.encode(
        mode_data_length=length,
        wp=unit.write_protected or nexus.view.protects(unit.number),
        dpofua=1,
        block_descriptor_length=len(descriptor),
    )
    return Reply((data + descriptor + pages)[: cdb["allocation_length"]])


@decoded
def mode_sense_10(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """MODE SENSE(10); with LLBAA the block descriptor is long, as it then always fits."""
    pages = _pages(unit, cdb)
    long = cdb["llbaa"] and not cdb["dbd"]
    if cdb["dbd"]:
        descriptor = b""
    else:
        descriptor = long_descriptor(unit) if long else short_descriptor(unit)
    data = HEADER_10.encode(
        mode_data_length=HEADER_10.length - 2 + len(descriptor) + len(pages),
        wp=unit.write_protected or nexus.view.protects(unit.number),
        dpofua=1,
        longlba=long,
        block_descriptor_length=len(descriptor),
    )
    return Reply((data + descriptor + pages)[: cdb["allocation_length"]])


def _pages(unit: LogicalUnit, cdb: Cdb) -> bytes:
    keys = _wanted(unit, cdb)
    control = PageControl(cdb["pc"])
    if control is PageControl.SAVED and not unit.keeps_state:
        raise Refusal(SAVING_PARAMETERS_NOT_SUPPORTED)
    return b"".join(
        unit.mode_pages[key].encode(
            _values(unit, key, control),
            saveable=unit.keeps_state and bool(unit.mode_pages[key].changeable(unit)),
        )
        for key in keys
    )


def _wanted(unit: LogicalUnit, cdb: Cdb) -> list[Key]:
    """The pages that a command asks for, in ascending order."""
    code, subpage = cdb["page_code"], cdb["subpage_code"]
    keys = sorted(key for key in unit.mode_pages if code in (key[0], ALL_PAGES))
    if not keys:
        raise cdb.refusal("page_code")
    if subpage == ALL_SUBPAGES:
        return keys
    keys = [key for key in keys if key[1] == subpage]
    if not keys or (code == ALL_PAGES and subpage):
        raise cdb.refusal("subpage_code")
    return keys


def _values(unit: LogicalUnit, key: Key, control: PageControl) -> Values:
    page, modes = unit.mode_pages[key], unit.modes
    match control:
        case PageControl.CURRENT:
            return modes.current(key)
        case PageControl.CHANGEABLE:
            return page.changeable(unit)
        case PageControl.DEFAULT:
            return page.defaults(unit)
        case PageControl.SAVED:
            return modes.saved(key)


def short_descriptor(unit: LogicalUnit) -> bytes:
    """The short LBA block descriptor; a capacity that it cannot hold is all ones."""
    return SHORT_DESCRIPTOR.encode(
        number_of_logical_blocks=min(unit.blocks, 0xFFFFFFFF),
        logical_block_length=unit.block_size,
    )


def long_descriptor(unit: LogicalUnit) -> bytes:
    """The long LBA block descriptor."""
    return LONG_DESCRIPTOR.encode(
        number_of_logical_blocks=unit.blocks, logical_block_length=unit.block_size
    )


_WHICH = {"pc": bits(2, 7, 6), "page_code": bits(2, 5, 0), "subpage_code": span(3)}

COMMANDS = (
    Command(
        0x1A,
        "MODE SENSE(6)",
        cdb_layout(6, dbd=bits(1, 3), allocation_length=span(4), **_WHICH),
        mode_sense_6,
        access=Access.READ,
    ),
    Command(
        0x5A,
        "MODE SENSE(10)",
        cdb_layout(10, llbaa=bits(1, 4), dbd=bits(1, 3), allocation_length=span(7, 8), **_WHICH),
        mode_sense_10,
        access=Access.READ,
    ),
)
