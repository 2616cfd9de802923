"""INQUIRY (SPC-4 section 6.6): what the unit is. The VPD pages are in ``vpd``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.inquiry import vpd
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Reply

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

STANDARD = layout(
    96,
    peripheral_qualifier=bits(0, 7, 5),
    peripheral_device_type=bits(0, 4, 0),
    rmb=bits(1, 7),
    lu_cong=bits(1, 6),
    version=span(2),
    normaca=bits(3, 5),
    hisup=bits(3, 4),
    response_data_format=bits(3, 3, 0),
    additional_length=span(4),
    sccs=bits(5, 7),
    tpgs=bits(5, 5, 4),
    third_party_copy=bits(5, 3),
    protect=bits(5, 0),
    encserv=bits(6, 6),
    multip=bits(6, 4),
    cmdque=bits(7, 1),
    t10_vendor_identification=span(8, 15),
    product_identification=span(16, 31),
    product_revision_level=span(32, 35),
    version_descriptor_1=span(58, 59),
    version_descriptor_2=span(60, 61),
    version_descriptor_3=span(62, 63),
    version_descriptor_4=span(64, 65),
)

_SPC_4 = 0x06
_VERSION_DESCRIPTORS = {
    "version_descriptor_1": 0x00A0,  # SAM-5
    "version_descriptor_3": 0x0460,  # SPC-4
}
_IMPLICIT_AND_EXPLICIT = 0b11
"""How asymmetric access states change (SPC-4 section 6.6)."""
_NO_UNIT = 0b011 << 5 | 0x1F
"""Qualifier and device type of a LUN that addresses nothing (SPC-4 section 6.6)."""


@decoded
def inquiry(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """INQUIRY to a unit that is there."""
    if cdb["evpd"]:
        page = unit.vpd_pages.get(cdb["page_code"])
        if page is None:
            raise cdb.refusal("page_code")
        data = vpd.encode(cdb["page_code"], page(unit, nexus), unit.device_type)
    else:
        _check_no_page(cdb)
        data = _standard(unit, nexus)
    return Reply(data[: cdb["allocation_length"]])


def inquiry_of_nothing(cdb: Cdb) -> Plan:
    """INQUIRY to a LUN that addresses no unit: it says so, and that it is never going to."""
    if not cdb["evpd"]:
        _check_no_page(cdb)
        data = STANDARD.encode(
            version=_SPC_4,
            response_data_format=2,
            additional_length=STANDARD.length - 5,
        )
    elif cdb["page_code"] == vpd.SUPPORTED_VPD_PAGES:
        data = vpd.encode(vpd.SUPPORTED_VPD_PAGES, bytes((vpd.SUPPORTED_VPD_PAGES,)))
    else:
        raise cdb.refusal("page_code")
    return Reply((bytes((_NO_UNIT,)) + data[1:])[: cdb["allocation_length"]])


def _check_no_page(cdb: Cdb) -> None:
    if cdb["page_code"]:
        raise cdb.refusal("page_code")


def _standard(unit: LogicalUnit, nexus: Nexus) -> bytes:
    return STANDARD.encode(
        peripheral_device_type=unit.device_type,
        rmb=unit.removable,
        version=_SPC_4,
        normaca=1,
        hisup=1,
        response_data_format=2,
        additional_length=STANDARD.length - 5,
        tpgs=_IMPLICIT_AND_EXPLICIT,
        third_party_copy=vpd.THIRD_PARTY_COPY in unit.vpd_pages,
        multip=len(unit.port_groups) > 1,
        cmdque=1,
        t10_vendor_identification=_text(unit.vendor, 8),
        product_identification=_text(unit.product, 16),
        product_revision_level=_text(unit.revision, 4),
        version_descriptor_2=nexus.transport,
        version_descriptor_4=unit.command_standard,
        **_VERSION_DESCRIPTORS,
    )


def _text(text: str, width: int) -> int:
    """Left-aligned ASCII, filled with spaces (SPC-4 section 4.4)."""
    return int.from_bytes(text.encode("ascii").ljust(width), "big")


INQUIRY = cdb_layout(6, evpd=bits(1, 0), page_code=span(2), allocation_length=span(3, 4))

COMMANDS = (Command(0x12, "INQUIRY", INQUIRY, inquiry, attention=False, access=Access.ALWAYS),)
