"""What an initiator makes of the data and statuses that come: one fault a row (sections 4.2 and 11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.deviations import Alter, Deviation, changing, dropping
from trioscsi.initiator.mutants.rows import row
from trioscsi.initiator.requests import Task
from trioscsi.initiator.transfers import CHECK_CONDITION
from trioscsi.pdu import (
    NO_TASK,
    AsyncMessage,
    DataIn,
    NopIn,
    Pdu,
    ReadyToTransfer,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    SnackType,
)
from trioscsi.serial import add, distance

_WIDE = 2**16
_DESCRIPTOR = 0x72
_REPORT_LUNS = 0xA0
_PATIENCE = 1.0


def _tasks(connection: InitiatorConnection) -> list[Task]:
    return [each for each in connection.session.requests.values() if isinstance(each, Task)]


def _task(pdu: Any, connection: InitiatorConnection) -> Task | None:
    found = connection.session.requests.get(getattr(pdu, "itt", NO_TASK))
    return found if isinstance(found, Task) else None


def _for_oldest(*classes: type[Pdu]) -> Alter:
    """Take PDUs for those of the task that waits longest."""

    def hear(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
        tasks, is_one = _tasks(connection), isinstance(pdu, classes)
        if is_one and tasks:
            pdu.itt = tasks[0].itt
        return (pdu,)

    return hear


def _after_burst_lost(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    burst = connection.parameters.max_burst_length
    return () if isinstance(pdu, DataIn) and pdu.buffer_offset >= burst else (pdu,)


def _longest_lost(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    most = connection.parameters.initiator_max_recv_data_segment_length
    return () if isinstance(pdu, DataIn) and len(pdu.data) >= most else (pdu,)


def _one_behind_the_other(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    task = _task(pdu, connection)
    if isinstance(pdu, DataIn) and task is not None:
        pdu.buffer_offset = task.received
    return (pdu,)


def _as_due(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    task = _task(pdu, connection)
    if isinstance(pdu, DataIn) and task is not None:
        pdu.data_sn = task.data_sn
    return (pdu,)


def _later_status_missed(pdu: Any, _connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, DataIn) and pdu.data_sn:
        pdu.has_status = False
    return (pdu,)


def _acknowledged(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, DataIn) and pdu.acknowledge:
        snack = SnackRequest(type=SnackType.DATA_ACK, lun=pdu.lun, ttt=pdu.ttt)
        snack.exp_stat_sn = connection.statuses.acknowledged
        connection.send(snack)
    return (pdu,)


def _counted(*classes: type[Pdu]) -> Alter:
    """Take a StatSN that no status has for one of a status."""

    def hear(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
        is_one = isinstance(pdu, classes)
        if is_one and pdu.itt in (NO_TASK, *connection.session.requests):
            connection.statuses.take(pdu.stat_sn)
        return (pdu,)

    return hear


def _in_order(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    tasks = _tasks(connection)
    is_status = isinstance(pdu, ScsiResponse) or (isinstance(pdu, DataIn) and pdu.has_status)
    return () if is_status and tasks and tasks[0].itt != pdu.itt else (pdu,)


def _narrowed(pdu: Any, _connection: InitiatorConnection) -> Iterable[Pdu]:
    if distance(pdu.exp_cmd_sn, pdu.max_cmd_sn) > _WIDE:
        pdu.max_cmd_sn = add(pdu.exp_cmd_sn, -1)
    return (pdu,)


def _sent_again(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    task = _task(pdu, connection)
    if task is not None and isinstance(pdu, ScsiResponse) and pdu.status == CHECK_CONDITION:
        again = ScsiCommand(
            itt=task.itt,
            lun=task.lun,
            cdb=task.cdb,
            write=bool(task.data_out),
            read=bool(task.expected_in),
            expected_data_transfer_length=len(task.data_out) or task.expected_in,
            cmd_sn=task.cmd_sn,
            exp_stat_sn=connection.statuses.acknowledged,
        )
        connection.send(again)
    return (pdu,)


def _gives_up_at_attention(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, ScsiResponse) and pdu.status == CHECK_CONDITION:
        connection.give_up("a unit attention")
    return (pdu,)


def _loses_patience(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, ScsiCommand):
        when = connection.now + _PATIENCE
        connection.deadlines.set("patience", when, lambda: connection.give_up("it takes too long"))
    return (pdu,)


def _keeps_patience(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, ScsiResponse) or (isinstance(pdu, DataIn) and pdu.has_status):
        connection.deadlines.cancel("patience")
    return (pdu,)


def _whole_list(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    task = _task(pdu, connection)
    first = isinstance(pdu, DataIn) and not pdu.buffer_offset
    if first and task is not None and task.cdb[0] == _REPORT_LUNS:
        length = min(int.from_bytes(pdu.data[:4]), task.expected_in - 8)
        pdu.data = length.to_bytes(4) + bytes(pdu.data[4:])
    return (pdu,)


def _has_descriptors(pdu: Any) -> bool:
    return bool(pdu.sense) and pdu.sense[0] & 0x7F == _DESCRIPTOR


def _counts_residual(pdu: Any) -> bool:
    return bool(pdu.residual_count) and not pdu.overflow


MUTANTS: tuple[Deviation, ...] = (
    row("data-in-first-only", "11.7", "takes one Data-In of each command", hears=dropping(DataIn, when=lambda pdu: pdu.data_sn > 0)),
    row("data-in-status-missed", "11.7", "looks for a status in the first Data-In alone", hears=_later_status_missed),
    row("data-in-one-sequence", "11.7.1", "takes one sequence of data of each command", hears=_after_burst_lost),
    row("data-in-empty-lost", "11.7.7", "does not count Data-In without data", hears=dropping(DataIn, when=lambda pdu: not pdu.data)),
    row("data-in-words", "11.7.7", "takes whole words only", hears=changing(DataIn, data=lambda pdu: pdu.data[: len(pdu.data) & ~3])),
    row("data-in-longest-lost", "13.12", "takes less than it has declared", hears=_longest_lost),
    row("data-in-appended", "13.18", "puts data one behind the other, whatever their offset", hears=_one_behind_the_other),
    row("data-in-any-number", "7.9", "does not look at DataSN", hears=_as_due),
    row("data-in-acknowledged", "11.7.2", "acknowledges data at level 0", hears=_acknowledged),
    row("data-in-astray", "4.2.5.3", "takes any data for those of its oldest task", hears=_for_oldest(DataIn)),
    row("nop-in-counted", "4.2.2.2", "acknowledges what has no status: NOP-In", hears=_counted(NopIn)),
    row("r2t-counted", "4.2.2.2", "acknowledges what has no status: R2Ts", hears=_counted(ReadyToTransfer)),
    row("message-uncounted", "4.2.2.2", "does not acknowledge Asynchronous Messages", hears=dropping(AsyncMessage)),
    row("status-in-order", "4.2.2.2", "takes statuses in the order of their commands alone", hears=_in_order),
    row("status-astray", "4.2.5.3", "takes any status for that of its oldest task", hears=_for_oldest(ScsiResponse)),
    row("status-retried", "7.2.1", "sends a command that has failed again with its number", hears=_sent_again),
    row("residual-unflagged", "11.4.5.1", "takes any residual count for an underflow", hears=changing(ScsiResponse, when=_counts_residual, underflow=True)),
    row("list-taken", "11.4.5.3", "takes the first part of a list of units for all of it", hears=_whole_list),
    row("impatient", "7.1.4.1", "waits for no command for more than a second", _loses_patience, hears=_keeps_patience),
    row("residual-missed", "11.4.5.1", "does not look at underflows", hears=changing(ScsiResponse, underflow=False, residual_count=0)),
    row("overflow-refused", "11.4.5.1", "takes an overflow for a failure", hears=changing(ScsiResponse, when=lambda pdu: pdu.overflow, response=1)),
    row("attention-fatal", "11.14.5", "gives up upon CHECK CONDITION", hears=_gives_up_at_attention),
    row("sense-descriptors-lost", "11.4.7", "does not bear sense data with descriptors", hears=dropping(ScsiResponse, when=_has_descriptors)),
    row("window-too-wide", "4.2.2.1", "takes a wide window for none", hears=_narrowed),
)  # fmt: skip
