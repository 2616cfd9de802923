"""Mode pages and MODE SENSE (SPC-4 sections 6.13, 6.14 and 7.5; SBC-3 section 6)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import Layout, bits, layout, span
from trioscsi.scsi.plan import Refusal, Reply
from trioscsi.scsi.sense import SAVING_PARAMETERS_NOT_SUPPORTED

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
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


@attrs.frozen
class ModePage:
    """A mode page: its fields, and their values for a unit by default (zero if not said)."""

    code: int
    name: str
    layout: Layout
    default: Callable[[LogicalUnit], dict[str, int]]

    def encode(self, unit: LogicalUnit, control: PageControl) -> bytes:
        """The page's bytes; nothing is changeable yet, so that current values are defaults."""
        changeable = control is PageControl.CHANGEABLE
        return self.layout.encode(
            page_code=self.code,
            page_length=self.layout.length - 2,
            **({} if changeable else self.default(unit)),
        )


_HEADER = {"ps": bits(0, 7), "spf": bits(0, 6), "page_code": bits(0, 5, 0), "page_length": span(1)}

CACHING = ModePage(
    0x08,
    "Caching",
    layout(
        20,
        **_HEADER,
        ic=bits(2, 7),
        abpf=bits(2, 6),
        cap=bits(2, 5),
        disc=bits(2, 4),
        size=bits(2, 3),
        wce=bits(2, 2),
        mf=bits(2, 1),
        rcd=bits(2, 0),
        demand_read_retention_priority=bits(3, 7, 4),
        write_retention_priority=bits(3, 3, 0),
        disable_prefetch_transfer_length=span(4, 5),
        minimum_prefetch=span(6, 7),
        maximum_prefetch=span(8, 9),
        maximum_prefetch_ceiling=span(10, 11),
        fsw=bits(12, 7),
        lbcss=bits(12, 6),
        dra=bits(12, 5),
        nv_dis=bits(12, 0),
        number_of_cache_segments=span(13),
        cache_segment_size=span(14, 15),
    ),
    lambda unit: {"wce": unit.write_cache},
)
CONTROL = ModePage(
    0x0A,
    "Control",
    layout(
        12,
        **_HEADER,
        tst=bits(2, 7, 5),
        tmf_only=bits(2, 4),
        dpicz=bits(2, 3),
        d_sense=bits(2, 2),
        gltsd=bits(2, 1),
        rlec=bits(2, 0),
        queue_algorithm_modifier=bits(3, 7, 4),
        nuar=bits(3, 3),
        qerr=bits(3, 2, 1),
        rac=bits(4, 6),
        ua_intlck_ctrl=bits(4, 5, 4),
        swp=bits(4, 3),
        ato=bits(5, 7),
        tas=bits(5, 6),
        atmpe=bits(5, 5),
        rwwp=bits(5, 4),
        autoload_mode=bits(5, 2, 0),
        busy_timeout_period=span(8, 9),
        extended_self_test_completion_time=span(10, 11),
    ),
    # Commands are reordered as storage answers; log parameters are not saved; no task is busy
    # for a time that we could tell.
    lambda _unit: {"gltsd": 1, "queue_algorithm_modifier": 1, "busy_timeout_period": 0xFFFF},
)
PAGES = {page.code: page for page in (CACHING, CONTROL)}


@decoded
def mode_sense_6(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """MODE SENSE(6)."""
    pages = _pages(unit, cdb)
    descriptor = _short_descriptor(unit, cdb)
    data = HEADER_6.encode(
        mode_data_length=HEADER_6.length - 1 + len(descriptor) + len(pages),
        wp=unit.write_protected,
        dpofua=1,
        block_descriptor_length=len(descriptor),
    )
    return Reply((data + descriptor + pages)[: cdb["allocation_length"]])


@decoded
def mode_sense_10(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """MODE SENSE(10); with LLBAA the block descriptor is long, as it then always fits."""
    pages = _pages(unit, cdb)
    long = cdb["llbaa"] and not cdb["dbd"]
    descriptor = _long_descriptor(unit) if long else _short_descriptor(unit, cdb)
    data = HEADER_10.encode(
        mode_data_length=HEADER_10.length - 2 + len(descriptor) + len(pages),
        wp=unit.write_protected,
        dpofua=1,
        longlba=long,
        block_descriptor_length=len(descriptor),
    )
    return Reply((data + descriptor + pages)[: cdb["allocation_length"]])


def _pages(unit: LogicalUnit, cdb: Cdb) -> bytes:
    code, subpage = cdb["page_code"], cdb["subpage_code"]
    control = PageControl(cdb["pc"])
    if code != ALL_PAGES and code not in PAGES:
        raise cdb.refusal("page_code")
    if subpage not in (0, ALL_SUBPAGES):
        raise cdb.refusal("subpage_code")
    if control is PageControl.SAVED:
        raise Refusal(SAVING_PARAMETERS_NOT_SUPPORTED)
    wanted = PAGES.values() if code == ALL_PAGES else (PAGES[code],)
    return b"".join(page.encode(unit, control) for page in wanted)


def _short_descriptor(unit: LogicalUnit, cdb: Cdb) -> bytes:
    if cdb["dbd"]:
        return b""
    return SHORT_DESCRIPTOR.encode(
        number_of_logical_blocks=min(unit.blocks, 0xFFFFFFFF),
        logical_block_length=unit.block_size,
    )


def _long_descriptor(unit: LogicalUnit) -> bytes:
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
