"""BACKGROUND CONTROL (SBC-4): when storage may look after itself. Ours asks nobody for time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

_RESERVED = 0b11


@decoded
def background_control(_unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """BACKGROUND CONTROL: there is nothing that could be started or stopped, so it is done."""
    if cdb["bo_ctl"] == _RESERVED:
        raise cdb.refusal("bo_ctl")
    return Done()


COMMANDS = (
    Command(
        0x9E,
        "BACKGROUND CONTROL",
        cdb_layout(16, service_action=bits(1, 4, 0), bo_ctl=bits(2, 7, 6), bo_time=span(3)),
        background_control,
        service_action=0x15,
        medium=True,
        access=Access.WRITE,
    ),
)
