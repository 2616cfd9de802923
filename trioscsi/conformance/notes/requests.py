"""Requests that are no commands, and their ends: pings and logouts (sections 11.14 to 11.19)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trioscsi.conformance.record import ENDED_KEPT, Connection, Phase, Record, Request
from trioscsi.conformance.stream import Seen, bare
from trioscsi.pdu import (
    NO_TASK,
    AsyncEvent,
    AsyncMessage,
    LogoutRequest,
    LogoutResponse,
    LogoutResult,
    NopIn,
    NopOut,
)
from trioscsi.pdu.opcodes import OPCODE_BITS


def begin(connection: Connection, seen: Seen, pdu: Any, ping_data: bytes = b"") -> None:
    """A request is under way."""
    if connection.session is not None:
        connection.session.begin(Request(pdu, seen.connection, seen.number, ping_data))


def end(connection: Connection, itt: int) -> Request | None:
    """The request with this tag is over; None if there is none."""
    return None if connection.session is None else connection.session.tags.pop(itt, None)


def logout_request(record: Record, connection: Connection, seen: Seen, pdu: LogoutRequest) -> None:
    begin(connection, seen, pdu)
    for ending in record.of_logout(connection, pdu):
        if ending.phase is Phase.FULL_FEATURE:
            ending.phase = Phase.LOGOUT


def logout_response(
    record: Record, connection: Connection, seen: Seen, pdu: LogoutResponse
) -> None:
    request = end(connection, pdu.itt)
    if request is not None and pdu.response != LogoutResult.SUCCESS:
        # Another request may have taken the tag since.
        known = isinstance(request.pdu, LogoutRequest)
        stay(record.of_logout(connection, request.pdu) if known else [connection])


def nop_out(_: Record, connection: Connection, seen: Seen, pdu: NopOut) -> None:
    if pdu.itt != NO_TASK:
        begin(connection, seen, bare(pdu), bytes(pdu.data))
    connection.pings.pop(pdu.ttt, None)


def nop_in(_: Record, connection: Connection, seen: Seen, pdu: NopIn) -> None:
    if pdu.itt != NO_TASK:
        end(connection, pdu.itt)
    wait_for_answer(connection, pdu)


def message(_: Record, connection: Connection, seen: Seen, pdu: AsyncMessage) -> None:
    if pdu.async_event == AsyncEvent.NEGOTIATION_REQUEST:
        connection.asked_to_negotiate = True


def malformed(connection: Connection, header: bytes) -> None:
    """A ping with segments that it cannot have may be answered all the same (section 7.10)."""
    if header[0] & OPCODE_BITS == NopIn.opcode:
        wait_for_answer(connection, NopIn.unpack(header))


def stay(connections: Iterable[Connection]) -> None:
    """A logout has failed: what it would have ended goes on."""
    for staying in connections:
        if staying.phase is Phase.LOGOUT:
            staying.phase = Phase.FULL_FEATURE


def wait_for_answer(connection: Connection, ping: NopIn | NopOut) -> None:
    """A ping of the target, if it is one, has to be answered still."""
    if ping.ttt != NO_TASK and len(connection.pings) < ENDED_KEPT:
        connection.pings[ping.ttt] = ping.lun
