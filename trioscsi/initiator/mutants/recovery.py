"""What is done about failures (chapter 7): one fault a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.deviations import Alter, Deviation, Rule, changing
from trioscsi.initiator.mutants.rows import row
from trioscsi.initiator.requests import Task
from trioscsi.pdu import (
    LogoutReason,
    LogoutRequest,
    Pdu,
    ScsiCommand,
    SnackRequest,
    SnackType,
    TaskFunction,
    TaskManagementRequest,
)
from trioscsi.serial import add


def _reassigns(pdu: Any) -> bool:
    return bool(pdu.function == TaskFunction.TASK_REASSIGN)


def _reassigning_early(pdu: Any, _connection: InitiatorConnection) -> Iterable[Pdu]:
    if not isinstance(pdu, LogoutRequest) or pdu.reason != LogoutReason.REMOVE_FOR_RECOVERY:
        return (pdu,)
    function = TaskFunction.TASK_REASSIGN
    early = TaskManagementRequest(
        immediate=True, function=function, itt=add(pdu.itt), cmd_sn=pdu.cmd_sn
    )
    early.exp_stat_sn = pdu.exp_stat_sn
    return (early, pdu)


def _aborting_elsewhere(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    """With each command, abort what another connection has under way."""
    yield pdu
    if isinstance(pdu, ScsiCommand):
        for task in list(connection.session.requests.values()):
            if isinstance(task, Task) and task.connection is not connection:
                yield TaskManagementRequest(
                    immediate=True,
                    function=TaskFunction.ABORT_TASK,
                    lun=pdu.lun,
                    itt=add(pdu.itt, 1000),
                    referenced_task_tag=task.itt,
                    ref_cmd_sn=task.cmd_sn,
                    cmd_sn=add(pdu.cmd_sn),
                    exp_stat_sn=pdu.exp_stat_sn,
                )
                return


def _next_tags(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    """On all connections but the first, commands have the tags that come next elsewhere."""
    if isinstance(pdu, ScsiCommand) and connection is not connection.session.connections[0]:
        pdu.itt = add(pdu.itt)
    return (pdu,)


def _changing_retries() -> Alter:
    """Give a command another tag when its CmdSN was used before."""
    used: WeakKeyDictionary[Any, set[int]] = WeakKeyDictionary()

    def alter(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
        if isinstance(pdu, ScsiCommand) and not pdu.immediate:
            before = used.setdefault(connection, set())
            if pdu.cmd_sn in before:
                pdu.itt = add(pdu.itt, 1000)
            before.add(pdu.cmd_sn)
        return (pdu,)

    return alter


MUTANTS: tuple[Deviation, ...] = (
    row("recovery-hasty", "7.5", "logs in anew before Time2Wait has passed", Rule.TIME2WAIT),
    row("recovery-restless", "11.13.5", "logs in anew at once when the target is out of resources", Rule.BACK_OFF),
    row("recovery-stubborn", "11.13.5", "logs in anew after a refusal that is final", Rule.FINAL_REFUSAL),
    row("recovery-stranger", "7.15", "comes back with another ISID", Rule.SAME_ISID),
    row("recovery-tsih", "6.3.5", "comes back with the TSIH of the session that has failed", Rule.NEW_SESSION),
    row("recovery-ghost", "6.3.5", "talks on in the session that another has replaced", Rule.FAILED_IS_LEFT),
    row("recovery-none", "7.14", "leaves a session that has failed as it is", Rule.RECOVER),
    row("command-patient", "7.11", "waits for ever for the answer to a command", Rule.ABORT_LATE_COMMANDS),
    row("data-forgone", "7.9", "does not ask for data that are missing", Rule.ASK_FOR_DATA),
    row("statuses-forgone", "7.9", "does not ask for statuses that are missing", Rule.ASK_FOR_STATUSES),
    row("status-hasty", "7.9", "acknowledges a status whose data are missing", Rule.HOLD_STATUS),
    row("acknowledgment-hasty", "11.16.2", "acknowledges data behind a hole", Rule.POSTPONE_ACKNOWLEDGMENT),
    row("snack-old-length", "11.16.3", "asks for data as they were cut before", Rule.RESEGMENTATION),
    row("snack-any-tag", "11.4.4", "takes a status from before its R-Data SNACK", Rule.SNACK_TAG),
    row("second-tags", "11.2.1.8", "gives tasks of its second connection the tags of others", _next_tags),
    row("snack-from-zero", "11.16.2", "asks for data that it has acknowledged", changing(SnackRequest, when=lambda pdu: pdu.type == SnackType.DATA_OR_R2T, beg_run=0)),
    row("reassign-data-sn", "11.5.6", "expects data of a task that is reassigned that are far ahead", changing(TaskManagementRequest, when=_reassigns, exp_data_sn=99)),
    row("reassign-counted", "11.5.1", "has tasks reassigned by requests that are not immediate", changing(TaskManagementRequest, when=_reassigns, immediate=False)),
    row("reassign-unagreed", "7.1.5", "has tasks reassigned where that was not agreed", changing(TaskManagementRequest, function=TaskFunction.TASK_REASSIGN)),
    row("reassign-early", "7.2.2", "has tasks reassigned whose connection was not logged out", _reassigning_early),
    row("abort-elsewhere", "11.5.1", "aborts tasks by another connection than their own", _aborting_elsewhere),
    row("retry-other-tag", "7.2.1", "sends a command again with another tag", _changing_retries()),
    row("data-not-missed", "7.8", "takes a command whose data were lost for one that went well", Rule.LOST_DATA_FAIL),
    row("command-not-missed", "7.2.1", "does not send a command again that was lost", Rule.RETRY_COMMANDS),
    row("reassign-forgone", "7.1.4.3", "does not have its commands reassigned", Rule.REASSIGN_TASKS),
    row("reassign-other-cid", "6.3.4", "comes back to its session with another CID", Rule.SAME_CID),
    row("connections-unagreed", "13.2", "opens more connections than were agreed", Rule.AGREED_CONNECTIONS),
    row("connections-strewn", "4.4.1", "has connections of one session to different portal groups", Rule.ONE_PORTAL_GROUP),
    row("logout-half", "11.14", "talks on by other connections after a logout of the session", Rule.SILENCE_EVERYWHERE),
)  # fmt: skip
