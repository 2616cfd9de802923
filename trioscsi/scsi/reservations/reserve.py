"""RESERVE and RELEASE of both lengths (SPC-2), beside persistent reservations (SPC-4 5.12.3).

Only whole units, and only for the nexus that asks: extents and third parties went out of use with
parallel SCSI, and are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done
from trioscsi.scsi.reservations.state import CONFLICT

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan


@decoded
def reserve(unit: LogicalUnit, _cdb: Cdb, nexus: Nexus) -> Plan:
    """RESERVE; whoever has a persistent reservation needs no other (CRH, see below)."""
    reservations = unit.reservations
    if reservations.reserved_by not in (None, nexus):
        return CONFLICT
    plan = _beside_persistent(unit, nexus)
    if plan is None:
        reservations.reserve(nexus)
    return plan or Done()


@decoded
def release(unit: LogicalUnit, _cdb: Cdb, nexus: Nexus) -> Plan:
    """RELEASE, which does nothing for a nexus that has reserved nothing."""
    plan = _beside_persistent(unit, nexus)
    if plan is None:
        unit.reservations.release(nexus)
    return plan or Done()


def _beside_persistent(unit: LogicalUnit, nexus: Nexus) -> Plan | None:
    """What to do as there are registrations; None without any.

    Compatible reservation handling: for whoever may use the unit as its holder may, both commands
    are good and change nothing. For everybody else they conflict, as they do in SPC-2.
    """
    persistent = unit.reservations.persistent
    if not persistent.keys:
        return None
    who = unit.reservations.registrant(nexus)
    held = persistent.reservation
    among = held is not None and held.type.shared and who in persistent.keys
    return Done() if among or persistent.holds(who) else CONFLICT


_ZERO_6 = {
    "third_party": bits(1, 4),
    "third_party_device_id": bits(1, 3, 1),
    "extent": bits(1, 0),
    "extent_list_length": span(3, 4),
}
RESERVE_6 = cdb_layout(6, _ZERO_6, reservation_identification=span(2))
RELEASE_6 = cdb_layout(
    6,
    {name: field for name, field in _ZERO_6.items() if name != "extent_list_length"},
    reservation_identification=span(2),
)
RESERVE_10 = cdb_layout(
    10,
    {
        "third_party": bits(1, 4),
        "long_id": bits(1, 1),
        "extent": bits(1, 0),
        "parameter_list_length": span(7, 8),
    },
    reservation_identification=span(2),
    third_party_device_id=span(3),
)

# Both decide by themselves.
COMMANDS = (
    Command(0x16, "RESERVE(6)", RESERVE_6, reserve, access=Access.ALWAYS),
    Command(0x17, "RELEASE(6)", RELEASE_6, release, access=Access.ALWAYS),
    Command(0x56, "RESERVE(10)", RESERVE_10, reserve, access=Access.ALWAYS),
    Command(0x57, "RELEASE(10)", RESERVE_10, release, access=Access.ALWAYS),
)
