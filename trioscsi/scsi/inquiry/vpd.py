"""Vital product data pages (SPC-4 section 7.8; SBC-3 section 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trioscsi.scsi import power
from trioscsi.scsi.blocks import referrals
from trioscsi.scsi.copy import page as third_party_copy
from trioscsi.scsi.inquiry import abilities
from trioscsi.scsi.inquiry.designation import (
    BINARY,
    PORT,
    RELATIVE_TARGET_PORT,
    SCSI_NAME,
    TARGET_PORT_GROUP,
    UTF8,
    designator,
    designators,
    scsi_name,
    target_designator,
)
from trioscsi.scsi.layout import Field, bits, layout, span

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus

    Page = Callable[[LogicalUnit, Nexus], bytes]

DIRECT_ACCESS = 0x00
"""The peripheral device type of a disk (SPC-4 section 6.6)."""

SUPPORTED_VPD_PAGES = 0x00
UNIT_SERIAL_NUMBER = 0x80
DEVICE_IDENTIFICATION = 0x83
MANAGEMENT_NETWORK_ADDRESSES = 0x85
EXTENDED_INQUIRY_DATA = 0x86
MODE_PAGE_POLICY = 0x87
SCSI_PORTS = 0x88
POWER_CONDITION = 0x8A
THIRD_PARTY_COPY = 0x8F
SCSI_FEATURE_SETS = 0x92
BLOCK_LIMITS = 0xB0
BLOCK_DEVICE_CHARACTERISTICS = 0xB1
LOGICAL_BLOCK_PROVISIONING = 0xB2
REFERRALS = 0xB3

# Offsets are those of the standards, whose tables start with the four bytes of the header.
HEADER = layout(
    4,
    peripheral_qualifier=bits(0, 7, 5),
    peripheral_device_type=bits(0, 4, 0),
    page_code=span(1),
    page_length=span(2, 3),
)
BLOCK_LIMITS_PAGE = layout(
    64,
    wsnz=bits(4, 0),
    maximum_compare_and_write_length=span(5),
    optimal_transfer_length_granularity=span(6, 7),
    maximum_transfer_length=span(8, 11),
    optimal_transfer_length=span(12, 15),
    maximum_prefetch_length=span(16, 19),
    maximum_unmap_lba_count=span(20, 23),
    maximum_unmap_block_descriptor_count=span(24, 27),
    optimal_unmap_granularity=span(28, 31),
    ugavalid=bits(32, 7),
    unmap_granularity_alignment=Field(32, 6, 31),
    maximum_write_same_length=span(36, 43),
    maximum_atomic_transfer_length=span(44, 47),
    atomic_alignment=span(48, 51),
    atomic_transfer_length_granularity=span(52, 55),
    maximum_atomic_transfer_length_with_atomic_boundary=span(56, 59),
    maximum_atomic_boundary_size=span(60, 63),
)
CHARACTERISTICS_PAGE = layout(
    64,
    medium_rotation_rate=span(4, 5),
    product_type=span(6),
    wabereq=bits(7, 7, 6),
    wacereq=bits(7, 5, 4),
    nominal_form_factor=bits(7, 3, 0),
    fuab=bits(8, 1),
    vbuls=bits(8, 0),
)
PROVISIONING_PAGE = layout(
    8,
    threshold_exponent=span(4),
    lbpu=bits(5, 7),
    lbpws=bits(5, 6),
    lbpws10=bits(5, 5),
    lbprz=bits(5, 2),
    anc_sup=bits(5, 1),
    dp=bits(5, 0),
    provisioning_type=bits(6, 2, 0),
)
_NON_ROTATING = 1
_THIN = 2
_READABLE = 0b01


def encode(page_code: int, content: bytes, device_type: int = DIRECT_ACCESS) -> bytes:
    """A whole page from what follows its header."""
    head = HEADER.encode(
        peripheral_device_type=device_type, page_code=page_code, page_length=len(content)
    )
    return head + content


def _supported_vpd_pages(unit: LogicalUnit, _nexus: Nexus) -> bytes:
    return bytes(sorted(unit.vpd_pages))


def _unit_serial_number(unit: LogicalUnit, _nexus: Nexus) -> bytes:
    return unit.serial.encode("ascii")


def _device_identification(unit: LogicalUnit, nexus: Nexus) -> bytes:
    """The names of unit, port and target, those first that initiators prefer.

    VMware takes a disk for a disk only with an NAA designator; the same one at each port is
    what makes several paths one disk.
    """
    port = nexus.relative_target_port.to_bytes(4, "big")
    group = nexus.target_port_group.to_bytes(4, "big")
    return b"".join(
        (
            *designators(unit),
            designator(PORT, RELATIVE_TARGET_PORT, BINARY, port),
            designator(PORT, TARGET_PORT_GROUP, BINARY, group),
            designator(PORT, SCSI_NAME, UTF8, scsi_name(nexus.target_port)),
            target_designator(unit),
        )
    )


def _block_limits(unit: LogicalUnit, _nexus: Nexus) -> bytes:
    return _content(
        BLOCK_LIMITS_PAGE.encode(
            # A WRITE SAME that forgets how many blocks it is about does not overwrite all of them.
            wsnz=1,
            maximum_compare_and_write_length=unit.maximum_compared_blocks,
            optimal_transfer_length_granularity=unit.blocks_per_physical_block,
            maximum_transfer_length=unit.maximum_blocks,
            maximum_prefetch_length=unit.maximum_blocks,
            maximum_write_same_length=unit.maximum_same_blocks,
            # Any blocks at all: neither alignment nor granularity is asked for. A write that is
            # atomic as a whole is so between boundaries too.
            maximum_atomic_transfer_length=unit.maximum_atomic_blocks,
            maximum_atomic_transfer_length_with_atomic_boundary=unit.maximum_atomic_blocks,
            maximum_atomic_boundary_size=unit.maximum_atomic_blocks,
            **_unmap_limits(unit),
        )
    )


def _unmap_limits(unit: LogicalUnit) -> dict[str, int]:
    if not unit.thin:
        return {}
    granularity = unit.granularity // unit.block_size
    return {
        "maximum_unmap_lba_count": unit.maximum_unmap // unit.block_size,
        "maximum_unmap_block_descriptor_count": unit.maximum_unmap_descriptors,
        "optimal_unmap_granularity": granularity,
        "ugavalid": granularity > 0,
    }


def _block_device_characteristics(unit: LogicalUnit, _nexus: Nexus) -> bytes:
    return _content(
        CHARACTERISTICS_PAGE.encode(
            medium_rotation_rate=_NON_ROTATING,
            # After an erasing SANITIZE blocks are read without error.
            wabereq=_READABLE if unit.thin else 0,
            wacereq=_READABLE,
        )
    )


def _logical_block_provisioning(unit: LogicalUnit, _nexus: Nexus) -> bytes:
    if not unit.thin:
        return _content(PROVISIONING_PAGE.encode())
    return _content(
        PROVISIONING_PAGE.encode(
            threshold_exponent=unit.threshold_exponent,
            lbpu=1,
            lbpws=1,
            lbpws10=1,
            lbprz=1,
            provisioning_type=_THIN,
        )
    )


def _content(page: bytes) -> bytes:
    return page[HEADER.length :]


PAGES: dict[int, Page] = {
    SUPPORTED_VPD_PAGES: _supported_vpd_pages,
    UNIT_SERIAL_NUMBER: _unit_serial_number,
    DEVICE_IDENTIFICATION: _device_identification,
    MANAGEMENT_NETWORK_ADDRESSES: abilities.management_network_addresses,
    EXTENDED_INQUIRY_DATA: abilities.extended_inquiry,
    MODE_PAGE_POLICY: abilities.mode_page_policy,
    SCSI_PORTS: abilities.scsi_ports,
    POWER_CONDITION: power.power_conditions,
    THIRD_PARTY_COPY: third_party_copy.content,
    SCSI_FEATURE_SETS: abilities.feature_sets,
    BLOCK_LIMITS: _block_limits,
    BLOCK_DEVICE_CHARACTERISTICS: _block_device_characteristics,
    LOGICAL_BLOCK_PROVISIONING: _logical_block_provisioning,
    REFERRALS: referrals.page,
}

OF_DISKS = (
    POWER_CONDITION,
    THIRD_PARTY_COPY,
    BLOCK_LIMITS,
    BLOCK_DEVICE_CHARACTERISTICS,
    LOGICAL_BLOCK_PROVISIONING,
)
"""The pages that speak of commands and conditions of disks alone."""
