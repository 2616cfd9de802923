"""Referrals (SBC-3 sections 4.25 and 5): through which ports which blocks are accessed best.

All blocks of a disk are accessed alike through each port: they are one user data segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Reply

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

REFERRALS_PAGE = layout(
    16, user_data_segment_size=span(8, 11), user_data_segment_multiplier=span(12, 15)
)
REFERRALS_HEADER = layout(4, user_data_segment_referral_descriptor_length=span(2, 3))
SEGMENT = layout(
    20,
    number_of_target_port_group_descriptors=span(3),
    first_user_data_segment_lba=span(4, 11),
    last_user_data_segment_lba=span(12, 19),
)
PORT_GROUP = layout(4, asymmetric_access_state=bits(0, 3, 0), target_port_group=span(2, 3))

_PAGE_HEADER = 4


def page(_unit: LogicalUnit, _nexus: Nexus) -> bytes:
    """Referrals VPD page: a segment is as large as its descriptor says."""
    return REFERRALS_PAGE.encode()[_PAGE_HEADER:]


@decoded
def report_referrals(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """REPORT REFERRALS (SBC-3 section 5): one segment, whether or not more are asked for."""
    unit.check_lba(cdb["logical_block_address"], 1)
    groups = [*unit.port_groups][:255]
    body = SEGMENT.encode(
        number_of_target_port_group_descriptors=len(groups),
        first_user_data_segment_lba=0,
        last_user_data_segment_lba=unit.blocks - 1,
    ) + b"".join(
        PORT_GROUP.encode(asymmetric_access_state=group.state, target_port_group=group.number)
        for group in groups
    )
    head = REFERRALS_HEADER.encode(user_data_segment_referral_descriptor_length=len(body))
    return Reply((head + body)[: cdb["allocation_length"]])


COMMANDS = (
    Command(
        0x9E,
        "REPORT REFERRALS",
        cdb_layout(
            16,
            service_action=bits(1, 4, 0),
            logical_block_address=span(2, 9),
            allocation_length=span(10, 13),
            one_seg=bits(14, 0),
        ),
        report_referrals,
        service_action=0x13,
        medium=True,
        access=Access.ALWAYS,
    ),
)
