"""How the record follows the PDUs: one function a class (RFC 7143 chapter 11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from trioscsi.conformance.dialogue import Dialogue
from trioscsi.conformance.record import (
    ENDED_KEPT,
    TAGS_KEPT,
    Connection,
    Phase,
    Record,
    Request,
    Session,
    Task,
    burst_of,
    instantiate,
    later,
    solicit,
)
from trioscsi.conformance.stream import Closed, Seen, bare
from trioscsi.pdu import (
    BHS_LENGTH,
    CLASSES,
    NO_TASK,
    BadDigest,
    DataIn,
    DataOut,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    LogoutResult,
    NopIn,
    NopOut,
    Pdu,
    ReadyToTransfer,
    Reject,
    ScsiCommand,
    ScsiResponse,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
    TextRequest,
    TextResponse,
)
from trioscsi.pdu.opcodes import OPCODE_BITS
from trioscsi.serial import MODULUS, add, distance
from trioscsi.text import Side, Stage

_FAR = 2**30
"""How far a StatSN may be from the one that is due and still be before or behind it."""
_FULL_FEATURE = Stage.FULL_FEATURE


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
        _closed(connection)
        return
    pdu = seen.pdu
    if pdu is None or not seen.has_own_opcode:
        return
    if seen.sender is Side.INITIATOR:
        _note_numbers_of_initiator(connection, pdu)
    else:
        _note_numbers_of_target(connection, pdu)
    if not connection.logged_in and not isinstance(pdu, LoginRequest | LoginResponse):
        return
    follow = _FOLLOW.get(type(pdu))
    # A Data-Out counts even if its data are damaged: nobody sends it again unasked.
    if follow is not None and (isinstance(pdu, DataOut) or not isinstance(seen.thing, BadDigest)):
        follow(record, connection, seen, pdu)


def _closed(connection: Connection) -> None:
    connection.phase = Phase.CLOSED
    session = connection.session
    if session is not None:
        for cid, number in list(session.connections.items()):
            if number == connection.number:
                del session.connections[cid]
        for itt, request in list(session.tags.items()):
            if request.connection == connection.number:
                del session.tags[itt]
                if not request.pdu.immediate:
                    # Where the session goes on it may be sent again (section 7.1.4.3).
                    session.retriable.append((itt, request.pdu.cmd_sn))


# Numbers.


def _note_numbers_of_initiator(connection: Connection, pdu: Any) -> None:
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


def _note_numbers_of_target(connection: Connection, pdu: Any) -> None:
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


# Login and text.


def _login_request(_: Record, connection: Connection, seen: Seen, pdu: LoginRequest) -> None:
    if connection.phase is Phase.START:
        connection.phase = Phase.LOGIN
    if connection.first_login is None:
        connection.first_login = bare(pdu)
    connection.request = bare(pdu)
    connection.unanswered += 1


def _login_response(record: Record, connection: Connection, seen: Seen, pdu: LoginResponse) -> None:
    request, connection.unanswered = connection.request, 0
    connection.asked_for_part = pdu.continue_
    if connection.version_max is None:
        connection.version_max = pdu.version_max
    if pdu.status_class:
        connection.phase = Phase.REFUSED
    elif pdu.transit and pdu.nsg == _FULL_FEATURE and connection.first_login is not None:
        _log_in(record, connection, request or connection.first_login, pdu)


def _log_in(
    record: Record, connection: Connection, request: LoginRequest, pdu: LoginResponse
) -> None:
    parameters = connection.dialogue.settle()
    first = connection.first_login
    assert first is not None, "a login that ends has begun"
    session = record.sessions.get(pdu.tsih) if first.tsih else None
    if session is None:
        session = Session(first.isid, parameters.initiator_name or "", pdu.tsih)
        session.parameters = parameters
        session.cmd_sn, session.discovery = request.cmd_sn, parameters.discovery
        # The place of discovery is another target, which may give the same TSIH.
        if not session.discovery or pdu.tsih not in record.sessions:
            record.sessions[pdu.tsih] = session
    else:
        own = parameters
        parameters = attrs.evolve(
            session.parameters,
            header_digest=own.header_digest,
            data_digest=own.data_digest,
            initiator_max_recv_data_segment_length=own.initiator_max_recv_data_segment_length,
            target_max_recv_data_segment_length=own.target_max_recv_data_segment_length,
        )
    replaced = session.connections.get(first.cid)
    if replaced is not None and replaced in record.connections:
        _closed(record.connections[replaced])
    session.doubtful = session.doubtful or connection.hasty
    session.several = session.several or bool(session.connections)
    session.connections[first.cid] = connection.number
    session.max_cmd_sn = later(session.max_cmd_sn, pdu.max_cmd_sn)
    connection.session, connection.parameters = session, parameters
    connection.phase = Phase.FULL_FEATURE
    connection.collectors.clear()
    connection.segments = {
        Side.INITIATOR: parameters.target_max_recv_data_segment_length,
        Side.TARGET: parameters.initiator_max_recv_data_segment_length,
    }


def _text_request(_: Record, connection: Connection, seen: Seen, pdu: TextRequest) -> None:
    kept = bare(pdu)
    connection.request = kept
    connection.unanswered += 1
    if connection.text is None or pdu.ttt == NO_TASK:
        connection.text = kept
    _begin(connection, seen, kept)


def _text_response(_: Record, connection: Connection, seen: Seen, pdu: TextResponse) -> None:
    connection.unanswered, connection.asked_for_part = 0, pdu.continue_
    connection.text_ttt, connection.text_lun = pdu.ttt, pdu.lun
    _end(connection, pdu.itt)
    if pdu.final:
        connection.text = None
        parameters = connection.parameters = connection.dialogue.settle()
        # What was sent by the old length is on its way still.
        segments = connection.segments
        for side, declared in (
            (Side.INITIATOR, parameters.target_max_recv_data_segment_length),
            (Side.TARGET, parameters.initiator_max_recv_data_segment_length),
        ):
            segments[side] = max(segments[side], declared)


# Requests and their ends.


def _begin(connection: Connection, seen: Seen, pdu: Any, ping_data: bytes = b"") -> None:
    session = connection.session
    if session is not None and len(session.tags) < TAGS_KEPT:
        session.tags[pdu.itt] = Request(pdu, seen.connection, seen.number, ping_data)


def _end(connection: Connection, itt: int) -> Request | None:
    return None if connection.session is None else connection.session.tags.pop(itt, None)


def _command(_: Record, connection: Connection, seen: Seen, pdu: ScsiCommand) -> None:
    session = connection.session
    if session is None or pdu.itt in session.tags or len(session.tags) >= TAGS_KEPT:
        return
    session.tags[pdu.itt] = instantiate(pdu, seen, connection.parameters)
    connection.ended.pop(pdu.itt, None)


def _data_out(_: Record, connection: Connection, seen: Seen, pdu: DataOut) -> None:
    task = connection.task(pdu.itt)
    burst = None if task is None else burst_of(task, pdu)
    if task is None or burst is None:
        return
    burst.position = pdu.buffer_offset + len(pdu.data)
    burst.data_sn = add(pdu.data_sn)
    if pdu.final and pdu.ttt == NO_TASK:
        task.unsolicited = None
    elif pdu.final:
        del task.r2ts[pdu.ttt]


def _r2t(_: Record, connection: Connection, seen: Seen, pdu: ReadyToTransfer) -> None:
    task = connection.task(pdu.itt)
    if task is not None and len(task.r2ts) < ENDED_KEPT:
        solicit(task, pdu)


def _data_in(_: Record, connection: Connection, seen: Seen, pdu: DataIn) -> None:
    task = connection.task(pdu.itt)
    if task is None:
        return
    task.sequence_number += 1
    task.data_ins += 1
    task.received += len(pdu.data)
    task.sequence = 0 if pdu.final else task.sequence + len(pdu.data)
    task.in_sequence = not pdu.final
    if pdu.has_status:
        _end(connection, pdu.itt)
        connection.end(pdu.itt, pdu.stat_sn)


def _response(_: Record, connection: Connection, seen: Seen, pdu: ScsiResponse) -> None:
    if _end(connection, pdu.itt) is not None:
        connection.end(pdu.itt, pdu.stat_sn)


def _request(_: Record, connection: Connection, seen: Seen, pdu: Any) -> None:
    _begin(connection, seen, pdu)


def _management_response(
    _: Record, connection: Connection, seen: Seen, pdu: TaskManagementResponse
) -> None:
    request = _end(connection, pdu.itt)
    session = connection.session
    if request is None or session is None or pdu.response != TaskResult.COMPLETE:
        return
    for itt, task in list(session.tags.items()):
        if isinstance(task, Task) and _covers(request, task):
            del session.tags[itt]
            connection.end(itt, pdu.stat_sn)


def _covers(request: Request, task: Task) -> bool:
    """Whether a task management function ends a task (section 11.5.1)."""
    pdu, of = request.pdu, TaskFunction
    if not isinstance(pdu, TaskManagementRequest) or task.number > request.number:
        return False
    match pdu.function:
        case of.ABORT_TASK:
            return bool(task.pdu.itt == pdu.referenced_task_tag)
        case of.ABORT_TASK_SET | of.CLEAR_TASK_SET | of.LOGICAL_UNIT_RESET:
            return bool(task.pdu.lun == pdu.lun)
        case of.TARGET_WARM_RESET | of.TARGET_COLD_RESET | of.I_T_NEXUS_RESET:
            return True
        case _:
            return False


def _logout_request(record: Record, connection: Connection, seen: Seen, pdu: LogoutRequest) -> None:
    _begin(connection, seen, pdu)
    for ending in record.of_logout(connection, pdu):
        if ending.phase is Phase.FULL_FEATURE:
            ending.phase = Phase.LOGOUT


def _logout_response(
    record: Record, connection: Connection, seen: Seen, pdu: LogoutResponse
) -> None:
    request = _end(connection, pdu.itt)
    if request is not None and pdu.response != LogoutResult.SUCCESS:
        # Another request may have taken the tag since.
        known = isinstance(request.pdu, LogoutRequest)
        for staying in record.of_logout(connection, request.pdu) if known else [connection]:
            if staying.phase is Phase.LOGOUT:
                staying.phase = Phase.FULL_FEATURE


def _nop_out(_: Record, connection: Connection, seen: Seen, pdu: NopOut) -> None:
    if pdu.itt != NO_TASK:
        _begin(connection, seen, bare(pdu), bytes(pdu.data))
    connection.pings.pop(pdu.ttt, None)


def _nop_in(_: Record, connection: Connection, seen: Seen, pdu: NopIn) -> None:
    if pdu.itt != NO_TASK:
        _end(connection, pdu.itt)
    if pdu.ttt != NO_TASK and len(connection.pings) < ENDED_KEPT:
        connection.pings[pdu.ttt] = pdu.lun


def _reject(record: Record, connection: Connection, seen: Seen, pdu: Reject) -> None:
    """A rejected request is over; it may come again with its CmdSN."""
    header = bytes(pdu.data[:BHS_LENGTH])
    if len(header) < BHS_LENGTH:
        return
    cls = CLASSES.get(header[0] & OPCODE_BITS, LoginRequest)
    if cls not in _MAY_COME_AGAIN:
        return
    rejected: Any = cls.unpack(header)
    request = _end(connection, rejected.itt)
    session = connection.session
    if session is not None and hasattr(rejected, "cmd_sn"):
        session.retriable.append((rejected.itt, rejected.cmd_sn))
    if cls is NopOut and rejected.ttt != NO_TASK and len(connection.pings) < ENDED_KEPT:
        connection.pings[rejected.ttt] = rejected.lun
    if cls is TextRequest:
        connection.text, connection.unanswered = None, 0
        connection.asked_for_part = False
        connection.collectors.clear()
    if request is not None and isinstance(rejected, LogoutRequest):
        for staying in record.of_logout(connection, rejected):
            if staying.phase is Phase.LOGOUT:
                staying.phase = Phase.FULL_FEATURE


_MAY_COME_AGAIN = frozenset(
    {ScsiCommand, TaskManagementRequest, TextRequest, LogoutRequest, NopOut}
)
_FOLLOW: Mapping[type[Pdu], Callable[[Record, Connection, Seen, Any], None]] = {
    LoginRequest: _login_request,
    LoginResponse: _login_response,
    TextRequest: _text_request,
    TextResponse: _text_response,
    ScsiCommand: _command,
    ScsiResponse: _response,
    DataOut: _data_out,
    DataIn: _data_in,
    ReadyToTransfer: _r2t,
    TaskManagementRequest: _request,
    TaskManagementResponse: _management_response,
    LogoutRequest: _logout_request,
    LogoutResponse: _logout_response,
    NopOut: _nop_out,
    NopIn: _nop_in,
    Reject: _reject,
}
