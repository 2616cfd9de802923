"""Task management that does what it says (RFC 7143 sections 4.2.3, 11.5 and 11.6).

A function is answered when the device server has let go of every task that it ends: from then on,
nothing of them can change the disk.  Data that initiators had on its way for such tasks is dropped
when it comes; it is not waited for, as an initiator that uses FastAbort never sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trioscsi.machines.task import HELD
from trioscsi.pdu import (
    RejectReason,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
)
from trioscsi.protocol.events import UnitReset
from trioscsi.protocol.tasks import Task
from trioscsi.serial import less

if TYPE_CHECKING:
    from trioscsi.protocol.full_feature import FullFeature
    from trioscsi.protocol.session import Session


class TaskManagement:
    """The task management functions that arrive on one connection."""

    def __init__(self, full_feature: FullFeature, session: Session) -> None:
        self._full_feature = full_feature
        self._connection = full_feature.connection
        self._session = session
        self._node = session.node
        self._under_way = 0

    def hear(self, pdu: TaskManagementRequest) -> None:
        """Carry a function out, and answer it."""
        if self._under_way >= self._connection.limits.immediate_tasks:
            self._full_feature.reject(
                RejectReason.IMMEDIATE_COMMAND_REJECT, "too many task management functions"
            )
            return
        perform = _FUNCTIONS.get(pdu.function)
        if perform is None:
            self._respond(pdu, _UNSUPPORTED.get(pdu.function, TaskResult.NOT_SUPPORTED))
        elif pdu.function in _ON_A_UNIT and not self._node.has_unit(pdu.lun):
            self._respond(pdu, TaskResult.NO_LUN)
        else:
            perform(self, pdu)

    def _abort_task(self, pdu: TaskManagementRequest) -> None:
        """Section 11.6.1 tells the cases in which there is no such task."""
        itt = pdu.referenced_task_tag
        task = self._session.tasks.get(itt)
        if (task is not None and task.lun == pdu.lun) or self._is_dying(itt):
            self._end(pdu, lambda task: task.itt == itt and task.lun == pdu.lun)
            return
        order = self._session.order
        missing = not less(pdu.ref_cmd_sn, order.expected) and less(pdu.ref_cmd_sn, pdu.cmd_sn)
        if missing:
            order.fill(pdu.ref_cmd_sn)
        self._respond(pdu, TaskResult.COMPLETE if missing else TaskResult.NO_TASK)

    def _is_dying(self, itt: int) -> bool:
        """Whether an earlier function has aborted this task and is not answered yet."""
        return any(
            task.itt == itt and task.connection.session is self._session
            for task in self._node.dying
        )

    def _abort_task_set(self, pdu: TaskManagementRequest) -> None:
        self._end(pdu, lambda task: task.lun == pdu.lun)

    def _clear_task_set(self, pdu: TaskManagementRequest) -> None:
        self._end(pdu, lambda task: task.lun == pdu.lun, everywhere=True)

    def _reset_unit(self, pdu: TaskManagementRequest) -> None:
        self._node.events.append(UnitReset(pdu.lun, self._session))
        self._clear_task_set(pdu)

    def _reset_target(self, pdu: TaskManagementRequest) -> None:
        self._node.events.append(UnitReset(None, self._session))
        self._end(pdu, lambda task: True, everywhere=True)

    def _end(
        self,
        pdu: TaskManagementRequest,
        concerns: Callable[[Task], bool],
        *,
        everywhere: bool = False,
    ) -> None:
        """End the tasks that a function concerns, and answer it when they are gone."""
        sessions = self._node.sessions if everywhere else [self._session]
        for session in sessions:
            session.abort(
                [task for task in session.tasks if concerns(task) and not self._follows(task, pdu)]
            )
        self._under_way += 1
        dying = self._node.dying
        dying.when_gone(
            [task for task in dying if concerns(task) and task.connection.session in sessions],
            lambda: self._ended(pdu),
        )

    def _follows(self, task: Task, pdu: TaskManagementRequest) -> bool:
        """Whether this is an early command that the initiator gave after the function."""
        return (
            task.machine.state == HELD.name
            and task.connection.session is self._session
            and pdu.referenced_task_tag != task.itt
            and not less(task.cmd_sn, pdu.cmd_sn)
        )

    def _ended(self, pdu: TaskManagementRequest) -> None:
        self._under_way -= 1
        self._respond(pdu, TaskResult.COMPLETE)
        if pdu.function == TaskFunction.TARGET_COLD_RESET:
            self._end_sessions()

    def _end_sessions(self) -> None:
        """TARGET COLD RESET ends every session once it is answered (section 11.5.1)."""
        for session in self._node.sessions:
            for connection in list(session.connections):
                connection.drop("TARGET COLD RESET")
            session.end_cleanups()

    def _respond(self, pdu: TaskManagementRequest, result: TaskResult) -> None:
        self._connection.send_status(TaskManagementResponse(itt=pdu.itt, response=result))


_FUNCTIONS: dict[int, Callable[[TaskManagement, TaskManagementRequest], None]] = {
    TaskFunction.ABORT_TASK: TaskManagement._abort_task,
    TaskFunction.ABORT_TASK_SET: TaskManagement._abort_task_set,
    TaskFunction.CLEAR_TASK_SET: TaskManagement._clear_task_set,
    TaskFunction.LOGICAL_UNIT_RESET: TaskManagement._reset_unit,
    TaskFunction.TARGET_WARM_RESET: TaskManagement._reset_target,
    TaskFunction.TARGET_COLD_RESET: TaskManagement._reset_target,
}
_ON_A_UNIT = frozenset(
    {
        TaskFunction.ABORT_TASK,
        TaskFunction.ABORT_TASK_SET,
        TaskFunction.CLEAR_TASK_SET,
        TaskFunction.LOGICAL_UNIT_RESET,
    }
)
_UNSUPPORTED: dict[int, TaskResult] = {
    TaskFunction.TASK_REASSIGN: TaskResult.REASSIGNMENT_NOT_SUPPORTED
}
"""What is answered to functions that are not in the table, if not simply NOT_SUPPORTED."""
