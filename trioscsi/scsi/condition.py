"""The condition of a unit: TEST UNIT READY, REQUEST SENSE, START STOP UNIT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cache import flush
from trioscsi.scsi.cdb import WIRE_LENGTH, Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded, guarded
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Failed, Reply
from trioscsi.scsi.sense import NO_SENSE, unit_attention

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan


@decoded
def ready(_unit: LogicalUnit, _cdb: Cdb, _nexus: Nexus) -> Plan:
    """TEST UNIT READY (SPC-4 section 6.47); a stopped unit never comes here."""
    return Done()


@decoded
def request_sense(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """REQUEST SENSE (SPC-4 section 6.39): a unit attention, now reported, or how the unit is."""
    attention = nexus.take(unit.number)
    if attention is not None:
        sense = unit_attention(attention)
    else:
        # What TEST UNIT READY would end with is how the unit is.
        plan = guarded(unit, bytes(WIRE_LENGTH), nexus)
        sense = plan.sense if isinstance(plan, Failed) else NO_SENSE
    return Reply(sense.encode(descriptor=bool(cdb["desc"]))[: cdb["allocation_length"]])


@decoded
def start_stop_unit(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """START STOP UNIT (SBC-3 section 5.25); stopping makes all that was written durable."""
    unit.stopped = not cdb["start"]
    if cdb["start"] or cdb["no_flush"]:
        return Done()
    return flush(unit)


REQUEST_SENSE = cdb_layout(6, desc=bits(1, 0), allocation_length=span(4))

COMMANDS = (
    Command(0x00, "TEST UNIT READY", cdb_layout(6), ready, medium=True, access=Access.ALWAYS),
    Command(
        0x03,
        "REQUEST SENSE",
        REQUEST_SENSE,
        request_sense,
        attention=False,
        access=Access.ALWAYS,
    ),
    Command(
        0x1B,
        "START STOP UNIT",
        cdb_layout(
            6,
            {
                "power_condition_modifier": bits(3, 3, 0),
                "power_condition": bits(4, 7, 4),
                "loej": bits(4, 1),
            },
            immed=bits(1, 0),
            no_flush=bits(4, 2),
            start=bits(4, 0),
        ),
        start_stop_unit,
        access=Access.READ,
    ),
)
