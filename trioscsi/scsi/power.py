"""Power conditions, and START STOP UNIT (SPC-4 section 5.13; SBC-3 section 5.25).

A virtual disk saves no power; it is as idle as initiators tell it to be, and says so. It has none
of the timers of the Power Condition mode page.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from trioscsi.scsi.blocks.cache import flush
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import START_REQUIRED
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Failed
from trioscsi.scsi.sense import AdditionalSense

if TYPE_CHECKING:
    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan


class PowerCondition(enum.Enum):
    """Power conditions, by POWER CONDITION and its modifier; without them, it is START."""

    ACTIVE = (0x1, 0)
    IDLE_A = (0x2, 0)
    IDLE_B = (0x2, 1)
    IDLE_C = (0x2, 2)
    STANDBY_Z = (0x3, 0)
    STANDBY_Y = (0x3, 1)
    STOPPED = None

    @property
    def low(self) -> bool:
        """Whether it is between active and stopped."""
        return self in _CODES

    @property
    def loses_cache(self) -> bool:
        """Whether the medium cannot be written in it: what is cached is written before."""
        return self in _WITHOUT_MEDIUM

    @property
    def code(self) -> AdditionalSense:
        """What REQUEST SENSE says of it."""
        return _CODES.get(self, AdditionalSense.NO_ADDITIONAL_SENSE_INFORMATION)


_CODES = {
    PowerCondition.IDLE_A: AdditionalSense.IDLE_CONDITION_ACTIVATED_BY_COMMAND,
    PowerCondition.IDLE_B: AdditionalSense.IDLE_B_CONDITION_ACTIVATED_BY_COMMAND,
    PowerCondition.IDLE_C: AdditionalSense.IDLE_C_CONDITION_ACTIVATED_BY_COMMAND,
    PowerCondition.STANDBY_Z: AdditionalSense.STANDBY_CONDITION_ACTIVATED_BY_COMMAND,
    PowerCondition.STANDBY_Y: AdditionalSense.STANDBY_Y_CONDITION_ACTIVATED_BY_COMMAND,
}
_WITHOUT_MEDIUM = (PowerCondition.STANDBY_Z, PowerCondition.STANDBY_Y, PowerCondition.STOPPED)
_LU_CONTROL = 0x7

_ASKS_ONLY = frozenset({(0x00, None), (0x25, None), (0x9E, 0x10)})
"""The commands that need a unit that is started and yet nothing of its medium."""


def not_ready(_unit: LogicalUnit, command: Command, _cdb: Bytes, _nexus: Nexus) -> Plan | None:
    """The guard of a stopped unit."""
    return Failed(START_REQUIRED) if command.medium else None


def wake(unit: LogicalUnit, command: Command, _cdb: Bytes, _nexus: Nexus) -> Plan | None:
    """The guard of a unit that is idle or in standby: who uses the medium ends that."""
    if command.medium and (command.opcode, command.service_action) not in _ASKS_ONLY:
        unit.power = PowerCondition.ACTIVE
    return None


@decoded
def start_stop_unit(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """START STOP UNIT; what is cached is durable before the medium is out of reach."""
    power = _asked_for(cdb)
    if power is None:
        return Done()
    unit.power = power
    if not power.loses_cache or cdb["no_flush"]:
        return Done()
    return flush(unit, nexus, immed=cdb["immed"])


def _asked_for(cdb: Cdb) -> PowerCondition | None:
    """The power condition to change to, or None if the unit is to change it by itself."""
    asked, modifier = cdb["power_condition"], cdb["power_condition_modifier"]
    if asked == 0:
        if modifier:
            raise cdb.refusal("power_condition_modifier")
        if cdb["loej"]:
            raise cdb.refusal("loej")
        return PowerCondition.ACTIVE if cdb["start"] else PowerCondition.STOPPED
    # START and LOEJ mean nothing now.
    known = {(_LU_CONTROL, 0), *(each.value for each in PowerCondition if each.value is not None)}
    if asked not in {condition for condition, _ in known}:
        raise cdb.refusal("power_condition")
    if (asked, modifier) not in known:
        raise cdb.refusal("power_condition_modifier")
    return None if asked == _LU_CONTROL else PowerCondition((asked, modifier))


# Offsets are those of the standard, whose table starts with the four bytes of the header.
POWER_CONDITION_PAGE = layout(
    18,
    standby_y=bits(4, 1),
    standby_z=bits(4, 0),
    idle_c=bits(5, 2),
    idle_b=bits(5, 1),
    idle_a=bits(5, 0),
    stopped_condition_recovery_time=span(6, 7),
    standby_z_condition_recovery_time=span(8, 9),
    standby_y_condition_recovery_time=span(10, 11),
    idle_a_condition_recovery_time=span(12, 13),
    idle_b_condition_recovery_time=span(14, 15),
    idle_c_condition_recovery_time=span(16, 17),
)


def power_conditions(_unit: LogicalUnit, _nexus: Nexus) -> bytes:
    """The Power Condition VPD page: what there is; to come back from it takes no time."""
    conditions = {power.name.lower(): 1 for power in PowerCondition if power.low}
    return POWER_CONDITION_PAGE.encode(**conditions)[4:]


def _starts(cdb: Bytes) -> bool:
    """START alone harms nobody (SBC-3 table 14)."""
    return cdb[4] & 0xF1 == 0x01


START_STOP_UNIT = cdb_layout(
    6,
    immed=bits(1, 0),
    power_condition_modifier=bits(3, 3, 0),
    power_condition=bits(4, 7, 4),
    no_flush=bits(4, 2),
    loej=bits(4, 1),
    start=bits(4, 0),
)

COMMANDS = (
    Command(
        0x1B,
        "START STOP UNIT",
        START_STOP_UNIT,
        start_stop_unit,
        access=Access.WRITE,
        harmless=_starts,
    ),
)
