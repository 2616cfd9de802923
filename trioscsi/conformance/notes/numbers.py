"""The numbers that each side has said (RFC 7143 section 4.2.2)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.record import Connection, later
from trioscsi.pdu import NO_TASK, DataIn, LoginRequest, LoginResponse, NopIn, Pdu, ReadyToTransfer
from trioscsi.serial import MODULUS, add, distance, less

_FAR = 2**30
"""How far a StatSN may be from the one that is due and still be before or behind it."""


def said_by_initiator(connection: Connection, pdu: Any) -> None:
    """Note the numbers of a PDU of the initiator."""
    if connection.stat_sn is not None:
        connection.exp_stat_sn = later(connection.exp_stat_sn, pdu.exp_stat_sn)
    session = connection.session
    if session is None or not hasattr(pdu, "cmd_sn") or isinstance(pdu, LoginRequest):
        return
    if not pdu.immediate:
        connection.cmd_sn = later(connection.cmd_sn, pdu.cmd_sn)
        session.cmd_sn = later(session.cmd_sn, add(pdu.cmd_sn))


def carries_status(pdu: Pdu) -> bool:
    """Whether a PDU of the target takes a StatSN (sections 4.2.2.2, 11.8.3 and 11.19.2)."""
    match pdu:
        case DataIn():
            return pdu.has_status
        case NopIn():
            return pdu.itt != NO_TASK
        case LoginResponse():
            return not pdu.status_class
        case _:
            return not isinstance(pdu, ReadyToTransfer)


def is_repeated(connection: Connection, pdu: Any) -> bool:
    """Whether the target has sent this before, and was asked for it again (section 11.16)."""
    if not connection.asked_again or connection.stat_sn is None:
        return False
    if carries_status(pdu):
        return less(pdu.stat_sn, connection.stat_sn)
    return isinstance(pdu, DataIn) and pdu.itt in connection.ended


def said_by_target(connection: Connection, pdu: Any) -> None:
    """Note the numbers of a PDU of the target."""
    if isinstance(pdu, LoginResponse) and pdu.status_class:
        return
    if carries_status(pdu):
        if connection.stat_sn is not None:
            connection.jumped |= _FAR < distance(connection.stat_sn, pdu.stat_sn) < MODULUS - _FAR
        connection.stat_sn = later(connection.stat_sn, add(pdu.stat_sn))
    connection.exp_cmd_sn = later(connection.exp_cmd_sn, pdu.exp_cmd_sn)
    connection.max_cmd_sn = later(connection.max_cmd_sn, pdu.max_cmd_sn)
    if connection.session is not None:
        connection.session.max_cmd_sn = later(connection.session.max_cmd_sn, pdu.max_cmd_sn)
