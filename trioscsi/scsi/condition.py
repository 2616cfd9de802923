"""The condition of a unit: TEST UNIT READY, REQUEST SENSE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import WIRE_LENGTH, Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.modes.pages import ON_REQUEST
from trioscsi.scsi.plan import Done, Failed, Reply
from trioscsi.scsi.sense import AdditionalSense, Sense, SenseKey

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
    """REQUEST SENSE (SPC-4 section 6.39): what was pending, now reported, or how the unit is."""
    sense = nexus.take(unit.number) or _condition(unit, nexus)
    return Reply(sense.encode(descriptor=bool(cdb["desc"]))[: cdb["allocation_length"]])


def _condition(unit: LogicalUnit, nexus: Nexus) -> Sense:
    """What would fail TEST UNIT READY, or else what an initiator may want to know (pollable sense
    data, SPC-4 section 5.12.2).
    """
    for guard in unit.guards:
        plan = guard(unit, TEST_UNIT_READY, bytes(WIRE_LENGTH), nexus)
        if isinstance(plan, Failed):
            return plan.sense
    if unit.modes.prediction and unit.modes.mrie == ON_REQUEST:
        return Sense(SenseKey.NO_SENSE, AdditionalSense.FAILURE_PREDICTION_THRESHOLD_EXCEEDED_FALSE)
    return Sense(SenseKey.NO_SENSE, unit.power.code)


REQUEST_SENSE = cdb_layout(6, desc=bits(1, 0), allocation_length=span(4))

TEST_UNIT_READY = Command(
    0x00, "TEST UNIT READY", cdb_layout(6), ready, medium=True, access=Access.CONDITION
)
COMMANDS = (
    TEST_UNIT_READY,
    Command(
        0x03,
        "REQUEST SENSE",
        REQUEST_SENSE,
        request_sense,
        attention=False,
        access=Access.ALWAYS,
    ),
)
