"""How the record follows the PDUs: one function a class (RFC 7143 chapter 11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trioscsi.conformance.dialogue import Dialogue
from trioscsi.conformance.notes import logins, numbers, rejects, requests, tasks
from trioscsi.conformance.notes.numbers import carries_status, is_repeated
from trioscsi.conformance.record import Connection, Phase, Record
from trioscsi.conformance.stream import Closed, Seen
from trioscsi.pdu import (
    NO_TASK,
    AsyncMessage,
    BadDigest,
    DataIn,
    DataOut,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    Malformed,
    NopIn,
    NopOut,
    Pdu,
    ReadyToTransfer,
    Reject,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
)
from trioscsi.text import Side

__all__ = ["carries_status", "is_repeated", "note", "read"]

_FOLLOW: Mapping[type[Pdu], Callable[[Record, Connection, Seen, Any], None]] = {
    LoginRequest: logins.login_request,
    LoginResponse: logins.login_response,
    TextRequest: logins.text_request,
    TextResponse: logins.text_response,
    ScsiCommand: tasks.command,
    ScsiResponse: tasks.response,
    DataOut: tasks.data_out,
    DataIn: tasks.data_in,
    ReadyToTransfer: tasks.r2t,
    SnackRequest: tasks.snack,
    TaskManagementRequest: tasks.management_request,
    TaskManagementResponse: tasks.management_response,
    LogoutRequest: requests.logout_request,
    LogoutResponse: requests.logout_response,
    NopOut: requests.nop_out,
    NopIn: requests.nop_in,
    AsyncMessage: requests.message,
    Reject: rejects.reject,
}


def read(connection: Connection, seen: Seen) -> None:
    """Read the text of a PDU, before the monitors look at it."""
    pdu = seen.pdu
    connection.said, connection.text_fault = [], None
    if seen.sender is Side.INITIATOR and _is_hasty(connection, pdu):
        connection.hasty = True
    if isinstance(pdu, TextRequest) and pdu.ttt == NO_TASK:
        connection.dialogue = Dialogue(connection.parameters)
        connection.collectors.clear()
    if isinstance(pdu, LoginRequest) and connection.phase in (Phase.START, Phase.LOGIN):
        connection.request = pdu
    if isinstance(pdu, LoginRequest | LoginResponse | TextRequest | TextResponse):
        connection.read(seen.sender, pdu.data, pdu.continue_)


def _is_hasty(connection: Connection, pdu: Pdu | None) -> bool:
    if isinstance(pdu, LoginRequest) or (isinstance(pdu, TextRequest) and connection.logged_in):
        return bool(connection.unanswered)
    return not connection.logged_in


def note(record: Record, connection: Connection, seen: Seen) -> None:
    """Take over what a PDU says, after the monitors have looked at it."""
    if isinstance(seen.thing, Closed):
        logins.closed(connection)
        return
    if isinstance(seen.thing, Malformed) and seen.sender is Side.TARGET:
        requests.malformed(connection, seen.thing.header)
        return
    pdu = seen.pdu
    if pdu is None or not seen.has_own_opcode:
        return
    if seen.sender is Side.INITIATOR:
        numbers.said_by_initiator(connection, pdu)
    else:
        numbers.said_by_target(connection, pdu)
    if not connection.logged_in and not isinstance(pdu, LoginRequest | LoginResponse):
        return
    follow = _FOLLOW.get(type(pdu))
    # A Data-Out counts even if its data are damaged: nobody sends it again unasked.
    if follow is not None and (isinstance(pdu, DataOut) or not isinstance(seen.thing, BadDigest)):
        follow(record, connection, seen, pdu)
