"""Commands, their data and their ends (RFC 7143 sections 11.3 to 11.8)."""

from __future__ import annotations

from trioscsi.conformance.notes.requests import begin, end
from trioscsi.conformance.record import (
    ENDED_KEPT,
    Connection,
    Record,
    Request,
    Session,
    Task,
    burst_of,
    instantiate,
    solicit,
)
from trioscsi.conformance.stream import Seen
from trioscsi.pdu import (
    NO_TASK,
    DataIn,
    DataOut,
    ReadyToTransfer,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    SnackType,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
)
from trioscsi.serial import add


def command(_: Record, connection: Connection, seen: Seen, pdu: ScsiCommand) -> None:
    session = connection.session
    if session is not None and pdu.itt not in session.tags:
        session.begin(instantiate(pdu, seen, connection.parameters))
        session.orphans.pop(pdu.itt, None)
        connection.ended.pop(pdu.itt, None)


def data_out(_: Record, connection: Connection, seen: Seen, pdu: DataOut) -> None:
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


def r2t(_: Record, connection: Connection, seen: Seen, pdu: ReadyToTransfer) -> None:
    task = connection.task(pdu.itt)
    if task is not None and len(task.r2ts) < ENDED_KEPT:
        solicit(task, pdu)


def data_in(_: Record, connection: Connection, seen: Seen, pdu: DataIn) -> None:
    task = connection.task(pdu.itt)
    if task is None:
        return
    task.sequence_number += 1
    task.data_ins += 1
    task.received += len(pdu.data)
    task.sequence = 0 if pdu.final else task.sequence + len(pdu.data)
    task.in_sequence = not pdu.final
    if pdu.has_status:
        end(connection, pdu.itt)
        connection.end(pdu.itt, pdu.stat_sn)


def response(_: Record, connection: Connection, seen: Seen, pdu: ScsiResponse) -> None:
    if end(connection, pdu.itt) is not None:
        connection.end(pdu.itt, pdu.stat_sn)


def snack(_: Record, connection: Connection, seen: Seen, pdu: SnackRequest) -> None:
    if pdu.type == SnackType.DATA_ACK or not connection.parameters.error_recovery_level:
        return
    connection.asked_again = True
    task = connection.task(pdu.itt)
    if task is not None:
        task.recovers = True


def management_request(
    _: Record, connection: Connection, seen: Seen, pdu: TaskManagementRequest
) -> None:
    begin(connection, seen, pdu)


def management_response(
    record: Record, connection: Connection, seen: Seen, pdu: TaskManagementResponse
) -> None:
    request = end(connection, pdu.itt)
    session = connection.session
    if request is None or session is None:
        return
    if not isinstance(request.pdu, TaskManagementRequest):
        return  # another request has taken the tag since
    # A task that is not there any more is over as well: a reset by somebody else ends it unsaid.
    gone = request.pdu.function == TaskFunction.ABORT_TASK and pdu.response == TaskResult.NO_TASK
    if pdu.response != TaskResult.COMPLETE and not gone:
        return
    if request.pdu.function == TaskFunction.TASK_REASSIGN:
        _reassign(session, connection, request.pdu.referenced_task_tag)
    for itt, task in list(session.tags.items()):
        if isinstance(task, Task) and _covers(request, task):
            del session.tags[itt]
            # Nothing that is sent on another connection tells that this end is known of.
            here = task.connection == connection.number
            there = record.connections.get(task.connection, connection)
            there.end(itt, pdu.stat_sn if here else None)


def _reassign(session: Session, connection: Connection, itt: int) -> None:
    """A task goes on here; what the target had asked for is asked for again (section 7.2.2)."""
    task = session.orphans.pop(itt, None)
    if task is None:
        session.doubtful = True  # it may have ended: its status comes once more
        return
    task.connection, task.recovers, task.unsolicited = connection.number, True, None
    task.r2ts.clear()
    session.begin(task)


def _covers(request: Request, task: Task) -> bool:
    """Whether a task management function ends a task (section 11.5.1)."""
    pdu, of = request.pdu, TaskFunction
    if task.number > request.number:
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
