"""Requests that the target has rejected (RFC 7143 section 11.17)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.notes.logins import text_rejected
from trioscsi.conformance.notes.requests import end, stay, wait_for_answer
from trioscsi.conformance.record import Connection, Record
from trioscsi.conformance.stream import Seen
from trioscsi.pdu import (
    BHS_LENGTH,
    CLASSES,
    LoginRequest,
    LogoutRequest,
    NopOut,
    Reject,
    ScsiCommand,
    TaskManagementRequest,
    TextRequest,
)
from trioscsi.pdu.opcodes import OPCODE_BITS

_MAY_COME_AGAIN = frozenset(
    {ScsiCommand, TaskManagementRequest, TextRequest, LogoutRequest, NopOut}
)


def reject(record: Record, connection: Connection, seen: Seen, pdu: Reject) -> None:
    """A rejected request is over; it may come again with its CmdSN."""
    header = bytes(pdu.data[:BHS_LENGTH])
    if len(header) < BHS_LENGTH:
        return
    cls = CLASSES.get(header[0] & OPCODE_BITS, LoginRequest)
    if cls not in _MAY_COME_AGAIN:
        return
    rejected: Any = cls.unpack(header)
    request = end(connection, rejected.itt)
    session = connection.session
    if session is not None and hasattr(rejected, "cmd_sn"):
        session.retriable.append((rejected.itt, rejected.cmd_sn))
    if isinstance(rejected, NopOut):
        wait_for_answer(connection, rejected)
    elif isinstance(rejected, TextRequest):
        text_rejected(connection)
    elif isinstance(rejected, LogoutRequest) and request is not None:
        stay(record.of_logout(connection, rejected))
