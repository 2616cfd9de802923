"""PERSISTENT RESERVE IN (SPC-4 section 6.15): who is registered, what is reserved, what can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Reply
from trioscsi.scsi.reservations import transport_id

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan
    from trioscsi.scsi.reservations.registrations import Registrant, Registrations

HEADER = layout(8, prgeneration=span(0, 3), additional_length=span(4, 7))
RESERVATION = layout(
    16, reservation_key=span(0, 7), scope=bits(13, 7, 4), persistent_type=bits(13, 3, 0)
)
CAPABILITIES = layout(
    8,
    capabilities_length=span(0, 1),
    rlr_c=bits(2, 7),
    crh=bits(2, 4),
    sip_c=bits(2, 3),
    atp_c=bits(2, 2),
    ptpl_c=bits(2, 0),
    tmv=bits(3, 7),
    allow_commands=bits(3, 6, 4),
    ptpl_a=bits(3, 0),
    wr_ex_ar=bits(4, 7),
    ex_ac_ro=bits(4, 6),
    wr_ex_ro=bits(4, 5),
    ex_ac=bits(4, 3),
    wr_ex=bits(4, 1),
    ex_ac_ar=bits(5, 0),
)
FULL_STATUS = layout(
    24,
    reservation_key=span(0, 7),
    all_tg_pt=bits(12, 1),
    r_holder=bits(12, 0),
    scope=bits(13, 7, 4),
    persistent_type=bits(13, 3, 0),
    relative_target_port_identifier=span(18, 19),
    additional_descriptor_length=span(20, 23),
)

_AS_THE_STANDARD_SAYS = 0b100
"""ALLOW COMMANDS: TEST UNIT READY passes always, and so does what asks for the results of copies;
what only reads passes write exclusive.
"""


@decoded
def read_keys(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ KEYS: one for each registrant, although some may be equal."""
    persistent = unit.reservations.persistent
    keys = b"".join(key.to_bytes(8, "big") for key in persistent.keys.values())
    return _reply(persistent, keys, cdb)


@decoded
def read_reservation(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ RESERVATION; of one that all registrants hold, the key is zero."""
    persistent = unit.reservations.persistent
    held, data = persistent.reservation, b""
    if held is not None:
        data = RESERVATION.encode(
            reservation_key=0 if held.holder is None else persistent.keys[held.holder],
            persistent_type=held.type,
        )
    return _reply(persistent, data, cdb)


@decoded
def report_capabilities(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """REPORT CAPABILITIES; what is saved nowhere cannot be lost either."""
    data = CAPABILITIES.encode(
        capabilities_length=CAPABILITIES.length,
        rlr_c=unit.keeps_state,
        crh=1,
        sip_c=1,
        atp_c=1,
        ptpl_c=unit.keeps_state,
        tmv=1,
        allow_commands=_AS_THE_STANDARD_SAYS,
        ptpl_a=unit.reservations.persistent.aptpl,
        wr_ex=1,
        ex_ac=1,
        wr_ex_ro=1,
        ex_ac_ro=1,
        wr_ex_ar=1,
        ex_ac_ar=1,
    )
    return Reply(data[: cdb["allocation_length"]])


@decoded
def read_full_status(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ FULL STATUS: each registrant with its key, its ports and what it holds."""
    persistent = unit.reservations.persistent
    data = b"".join(_status(persistent, who, key) for who, key in persistent.keys.items())
    return _reply(persistent, data, cdb)


def _status(persistent: Registrations, who: Registrant, key: int) -> bytes:
    held = persistent.reservation if persistent.holds(who) else None
    initiator = transport_id.encode(who.initiator)
    head = FULL_STATUS.encode(
        reservation_key=key,
        r_holder=held is not None,
        persistent_type=0 if held is None else held.type,
        relative_target_port_identifier=who.target_port,
        additional_descriptor_length=len(initiator),
    )
    return head + initiator


def _reply(persistent: Registrations, data: bytes, cdb: Cdb) -> Plan:
    head = HEADER.encode(prgeneration=persistent.generation, additional_length=len(data))
    return Reply((head + data)[: cdb["allocation_length"]])


PERSISTENT_RESERVE_IN = cdb_layout(10, service_action=bits(1, 4, 0), allocation_length=span(7, 8))

COMMANDS = tuple(
    Command(
        0x5E,
        f"PERSISTENT RESERVE IN ({name})",
        PERSISTENT_RESERVE_IN,
        perform,
        service_action=action,
        access=Access.PERSISTENT,
    )
    for action, name, perform in (
        (0x00, "READ KEYS", read_keys),
        (0x01, "READ RESERVATION", read_reservation),
        (0x02, "REPORT CAPABILITIES", report_capabilities),
        (0x03, "READ FULL STATUS", read_full_status),
    )
)
