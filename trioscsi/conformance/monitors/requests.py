"""Pings, task management, logout and SNACK (RFC 7143 sections 11.5, 11.14, 11.16 and 11.18)."""

from __future__ import annotations

from trioscsi.conformance.monitors.monitor import Monitors, Remarks, Scene
from trioscsi.conformance.monitors.shape import LOGOUT_LENGTHS, TMF_LENGTHS, without_segments
from trioscsi.conformance.record import Phase, Request, Task
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    NO_TASK,
    DataOut,
    LogoutReason,
    LogoutRequest,
    Malformed,
    NopOut,
    Pdu,
    SnackRequest,
    TaskFunction,
    TaskManagementRequest,
)
from trioscsi.protocol.view import NOWHERE

MONITORS = Monitors()
watch = MONITORS.watch

UNTAGGED_IMMEDIATE = Rule("7143-11.18.1-1")
ANSWER_COPIES_TAG = Rule("7143-11.18.2-1")
ANSWER_COPIES_LUN = Rule("7143-11.18.2-2")
NO_REFERENCE = Rule("7143-11.5.4-1")
REFERENCE_CMD_SN = Rule("7143-11.5.5-1")
REFERENCE_LUN = Rule("7143-4.2.5.3-1")
RESERVED = Rule("7143-11-1")
REASSIGN_IMMEDIATE = Rule("7143-11.5.1-2")
SAME_CONNECTION = Rule("7143-11.5.1-1")
NOTHING_AFTER_LOGOUT = Rule("7143-11.14-1")
LOGOUT_CID = Rule("7143-11.14.3-1")
SNACK_AT_LEVEL_0 = Rule("7143-7.1.5-1", Level.NOTE)
REASSIGN_BELOW_LEVEL_2 = Rule("7143-7.1.5-2", Level.NOTE)

_WITH_LUN = frozenset(
    {
        TaskFunction.ABORT_TASK,
        TaskFunction.ABORT_TASK_SET,
        TaskFunction.CLEAR_ACA,
        TaskFunction.CLEAR_TASK_SET,
        TaskFunction.LOGICAL_UNIT_RESET,
        TaskFunction.QUERY_TASK,
        TaskFunction.QUERY_TASK_SET,
        TaskFunction.QUERY_ASYNCHRONOUS_EVENT,
        TaskFunction.TASK_REASSIGN,
    }
)
"""Functions at one unit; for TASK REASSIGN the field is not looked at (section 11.5.3)."""
_ABOUT_ONE_TASK = frozenset(
    {TaskFunction.ABORT_TASK, TaskFunction.TASK_REASSIGN, TaskFunction.QUERY_TASK}
)


@watch("M-21", "A NOP-Out that wants no answer is immediate.", NopOut, alone=True)
def untagged_ping(scene: Scene, pdu: NopOut) -> Remarks:
    if pdu.itt == NO_TASK:
        yield UNTAGGED_IMMEDIATE.holds(pdu.immediate, "the reserved tag, and I is 0")


@watch("M-22", "A NOP-Out has a transfer tag only as the answer to a NOP-In with it.", NopOut)
def ping_answer(scene: Scene, pdu: NopOut) -> Remarks:
    if pdu.ttt == NO_TASK:
        return
    lun = scene.connection.pings.get(pdu.ttt)
    yield ANSWER_COPIES_TAG.holds(lun is not None, f"no NOP-In with tag {pdu.ttt:#x} waits")
    if lun is not None and lun != NOWHERE:
        yield ANSWER_COPIES_LUN.holds(pdu.lun == lun, "the LUN is not that of the NOP-In")


def _referenced(scene: Scene, pdu: TaskManagementRequest) -> Request | None:
    if scene.session is None or pdu.function != TaskFunction.ABORT_TASK:
        return None
    return scene.session.tags.get(pdu.referenced_task_tag)


@watch(
    "M-23",
    "A task management request names its task, or none, in all its fields.",
    TaskManagementRequest,
    Malformed,
)
def management_fields(scene: Scene, pdu: TaskManagementRequest | Malformed) -> Remarks:
    bare = without_segments(scene, TaskManagementRequest)
    if bare is not None:
        yield TMF_LENGTHS.holds(bare, "segments beside the header")
    if isinstance(pdu, Malformed):
        return
    if pdu.function not in _ABOUT_ONE_TASK:
        yield NO_REFERENCE.holds(
            pdu.referenced_task_tag == NO_TASK, "a referenced task tag, and no task is meant"
        )
        yield RESERVED.holds(not pdu.ref_cmd_sn, "a RefCmdSN, and no task is meant")
    if pdu.function not in _WITH_LUN:
        yield RESERVED.holds(not pdu.lun, "a LUN, and no unit is meant")
    if pdu.function == TaskFunction.TASK_REASSIGN:
        yield REASSIGN_IMMEDIATE.holds(pdu.immediate, "TASK REASSIGN that is not immediate")
    else:
        yield RESERVED.holds(not pdu.exp_data_sn, "an ExpDataSN, and nothing is reassigned")
    task = _referenced(scene, pdu)
    if isinstance(task, Task):
        expected = pdu.cmd_sn if task.pdu.immediate else task.pdu.cmd_sn
        yield REFERENCE_CMD_SN.holds(
            pdu.ref_cmd_sn == expected, f"RefCmdSN {pdu.ref_cmd_sn}, the task has {expected}"
        )
        yield REFERENCE_LUN.holds(pdu.lun == task.pdu.lun, "the LUN is not that of the task")


@watch("M-24", "A task is aborted on its own connection.", TaskManagementRequest)
def abort_where_it_is(scene: Scene, pdu: TaskManagementRequest) -> Remarks:
    task = _referenced(scene, pdu)
    if task is None:
        return
    there = scene.record.connections.get(task.connection)
    if there is not None and there.phase is Phase.FULL_FEATURE:
        yield SAME_CONNECTION.holds(
            task.connection == scene.connection.number,
            f"the task is one of connection {task.connection}",
        )


@watch("M-25", "No request follows a logout on the connections that it ends.", Pdu)
def nothing_after_logout(scene: Scene, pdu: Pdu) -> Remarks:
    if scene.connection.phase is Phase.LOGOUT and not isinstance(pdu, DataOut):
        answers = isinstance(pdu, NopOut) and pdu.itt == NO_TASK
        yield NOTHING_AFTER_LOGOUT.holds(answers, f"a {type(pdu).__name__} after the logout")
    elif isinstance(pdu, LogoutRequest):
        yield NOTHING_AFTER_LOGOUT.holds(True)


@watch(
    "M-26", "A Logout Request has no segments, and the CID that is meant.", LogoutRequest, Malformed
)
def logout_fields(scene: Scene, pdu: LogoutRequest | Malformed) -> Remarks:
    bare = without_segments(scene, LogoutRequest)
    if bare is not None:
        yield LOGOUT_LENGTHS.holds(bare, "segments beside the header")
    session = scene.session
    if isinstance(pdu, Malformed) or session is None:
        return
    if pdu.reason == LogoutReason.CLOSE_SESSION:
        yield RESERVED.holds(not pdu.cid, "a CID, and the whole session is meant")
    elif pdu.reason == LogoutReason.CLOSE_CONNECTION:
        yield LOGOUT_CID.holds(
            pdu.cid in session.connections, f"the session has no connection {pdu.cid}"
        )


@watch("M-37", "SNACK is of use only from error recovery level 1 on.", SnackRequest)
def snack(scene: Scene, pdu: SnackRequest) -> Remarks:
    yield SNACK_AT_LEVEL_0.holds(
        scene.parameters.error_recovery_level, "a SNACK at error recovery level 0"
    )


@watch("M-38", "TASK REASSIGN is of use only at error recovery level 2.", TaskManagementRequest)
def reassign(scene: Scene, pdu: TaskManagementRequest) -> Remarks:
    if pdu.function == TaskFunction.TASK_REASSIGN:
        level = scene.parameters.error_recovery_level
        yield REASSIGN_BELOW_LEVEL_2.holds(
            level == 2, f"TASK REASSIGN at error recovery level {level}"
        )
