"""REPORT TIMESTAMP and SET TIMESTAMP (SPC-4 sections 5.2, 6.38 and 6.46)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_parameter
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Receive, Refusal, Reply
from trioscsi.scsi.sense import AdditionalSense

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

REPORTED = layout(
    12,
    timestamp_parameter_data_length=span(0, 1),
    timestamp_origin=bits(2, 2, 0),
    timestamp=span(4, 9),
)
TO_SET = layout(12, timestamp=span(4, 9))
_NEEDED = 10
"""Bytes of a parameter list that hold the whole timestamp."""
_MOST = (1 << 48) - 1


class Origin(enum.IntEnum):
    """Who set a timestamp."""

    SET_TIMESTAMP = 0b010
    OTHERWISE = 0b011
    """The machine that the disk is on."""


@attrs.define
class Timestamp:
    """The time of a unit: that of its machine, until an initiator sets another."""

    unit: LogicalUnit
    origin: Origin = attrs.field(default=Origin.OTHERWISE, init=False)
    _set: int = attrs.field(default=0, init=False)
    _since: float = attrs.field(default=0.0, init=False)

    @property
    def now(self) -> int:
        """Milliseconds since 1970 began, in UTC, as far as 48 bits go."""
        if self.origin is Origin.OTHERWISE:
            return int(self.unit.time() * 1000) & _MOST
        return self._set + int((self.unit.clock() - self._since) * 1000) & _MOST

    def set(self, milliseconds: int) -> None:
        """Go on from this time."""
        self.origin, self._set = Origin.SET_TIMESTAMP, milliseconds
        self._since = self.unit.clock()


@decoded
def report_timestamp(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """REPORT TIMESTAMP."""
    data = REPORTED.encode(
        timestamp_parameter_data_length=REPORTED.length - 2,
        timestamp_origin=unit.timestamp.origin,
        timestamp=unit.timestamp.now,
    )
    return Reply(data[: cdb["allocation_length"]])


@decoded
def set_timestamp(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """SET TIMESTAMP; the others hear of it."""
    if not unit.modes.scsip:
        raise cdb.refusal("service_action")
    if not cdb["parameter_list_length"]:
        return Done()

    def then(data: bytes) -> Plan:
        if len(data) < _NEEDED:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        data = data.ljust(TO_SET.length, b"\0")
        stray = TO_SET.stray(data)
        if stray is not None:
            raise Refusal(invalid_parameter(*stray))
        unit.timestamp.set(TO_SET.decode(data)["timestamp"])
        unit.announce(AdditionalSense.TIMESTAMP_CHANGED, but_not_to=nexus)
        return Done()

    return Receive(min(cdb["parameter_list_length"], TO_SET.length), then)


_SERVICE_ACTION = bits(1, 4, 0)

COMMANDS = (
    Command(
        0xA3,
        "REPORT TIMESTAMP",
        cdb_layout(12, service_action=_SERVICE_ACTION, allocation_length=span(6, 9)),
        report_timestamp,
        service_action=0x0F,
        access=Access.ALWAYS,
    ),
    Command(
        0xA4,
        "SET TIMESTAMP",
        cdb_layout(12, service_action=_SERVICE_ACTION, parameter_list_length=span(6, 9)),
        set_timestamp,
        service_action=0x0F,
        access=Access.WRITE,
    ),
)
