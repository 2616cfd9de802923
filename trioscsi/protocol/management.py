"""Task management that does what it says (RFC 7143 sections 4.2.3, 11.5 and 11.6, RFC 7144).

A function is answered when the device server has let go of every task that it ends, or cannot be
waited for any longer: from then on, nothing of them can change what others see of the disk.  Data
that initiators had on its way for such tasks is dropped when it comes; it is not waited for, as an
initiator that uses FastAbort never sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
        self._under_way: set[int] = set()
        """The tags of the functions that are not answered yet."""

    def hear(self, pdu: TaskManagementRequest) -> None:
        """Carry a function out, and answer it."""
        if len(self._under_way) >= self._connection.limits.immediate_tasks:
            self._full_feature.reject(
                RejectReason.IMMEDIATE_COMMAND_REJECT, "too many task management functions"
            )
            return
        if pdu.itt in self._under_way:
            self._full_feature.reject(
                RejectReason.TASK_IN_PROGRESS, "a task management function with the tag of another"
            )
            return
        pdu.lun = self._session.view.inward(pdu.lun)
        perform = _FUNCTIONS.get(pdu.function)
        if perform is None or not self._is_agreed(pdu.function):
            self._respond(pdu, TaskResult.NOT_SUPPORTED)
        elif pdu.function in _ON_A_UNIT and not self._node.units.has(pdu.lun):
            self._respond(pdu, TaskResult.NO_LUN)
        elif pdu.function in _ON_A_TASK and self._is_about_no_command(pdu):
            self._respond(pdu, TaskResult.REJECTED)
        elif pdu.function in _ON_ALL_UNITS and self._session.view.luns is not None:
            # Who sees a part of the target may not disturb the rest.
            self._respond(pdu, TaskResult.NOT_AUTHORIZED)
        else:
            perform(self, pdu)

    def _is_about_no_command(self, pdu: TaskManagementRequest) -> bool:
        """Whether a function is about another, or wants to reassign a text negotiation.

        (Section 11.5.1, and RFC 7144 section 6.3.)
        """
        tag = pdu.referenced_task_tag
        if tag in {pdu.itt, *self._under_way}:
            return True
        return pdu.function == TaskFunction.TASK_REASSIGN and tag == self._full_feature.texts.itt

    def _is_agreed(self, function: int) -> bool:
        """Whether a function may be used: those of RFC 7144 only after the key was negotiated."""
        return function not in _OF_LEVEL_2 or self._session.parameters.protocol_level >= 2

    def _abort_task(self, pdu: TaskManagementRequest) -> None:
        """Section 11.6.1 tells the cases in which there is no such task."""
        itt = pdu.referenced_task_tag
        if self._find(pdu) is not None or self._is_dying(itt):
            self._end(pdu, lambda task: task.itt == itt and task.lun == pdu.lun)
        elif self._is_missing(pdu):
            self._session.order.fill(pdu.ref_cmd_sn)
            self._respond(pdu, TaskResult.COMPLETE)
        else:
            self._respond(pdu, TaskResult.NO_TASK)

    def _find(self, pdu: TaskManagementRequest) -> Task | None:
        """The task that a function is about, if it is under way."""
        task = self._session.tasks.get(pdu.referenced_task_tag)
        return task if task is not None and task.lun == pdu.lun else None

    def _is_missing(self, pdu: TaskManagementRequest) -> bool:
        """Whether the command that a function is about was given before it and has not come."""
        order = self._session.order
        return not less(pdu.ref_cmd_sn, order.expected) and less(pdu.ref_cmd_sn, pdu.cmd_sn)

    def _is_dying(self, itt: int) -> bool:
        """Whether an earlier function has ended this task and storage still has it."""
        return any(
            task.itt == itt and task.connection.session is self._session
            for task in self._node.dying
        )

    def _abort_task_set(self, pdu: TaskManagementRequest) -> None:
        self._end(pdu, lambda task: task.lun == pdu.lun)

    def _clear_task_set(self, pdu: TaskManagementRequest) -> None:
        everywhere = self._node.units.shares_tasks(pdu.lun)
        self._end(pdu, lambda task: task.lun == pdu.lun, everywhere=everywhere)

    def _clear_aca(self, pdu: TaskManagementRequest) -> None:
        self._node.units.clear_aca(pdu.lun, self._session)
        self._respond(pdu, TaskResult.COMPLETE)

    def _reset_unit(self, pdu: TaskManagementRequest) -> None:
        self._node.events.append(UnitReset(pdu.lun, self._session))
        self._end(pdu, lambda task: task.lun == pdu.lun, everywhere=True, reset=True)

    def _reset_target(self, pdu: TaskManagementRequest) -> None:
        self._node.events.append(UnitReset(None, self._session))
        self._end(pdu, lambda task: True, everywhere=True, reset=True)

    def _reset_nexus(self, pdu: TaskManagementRequest) -> None:
        self._end(pdu, lambda task: True)

    def _reassign(self, pdu: TaskManagementRequest) -> None:
        """TASK REASSIGN needs error recovery level 2, which is not offered (section 7.2.2)."""
        self._respond(pdu, TaskResult.REASSIGNMENT_NOT_SUPPORTED)

    def _query_task(self, pdu: TaskManagementRequest) -> None:
        there = self._find(pdu) is not None
        if not there and self._is_missing(pdu):
            self._session.order.fill(pdu.ref_cmd_sn)
        self._respond(pdu, TaskResult.SUCCEEDED if there else TaskResult.COMPLETE)

    def _query_task_set(self, pdu: TaskManagementRequest) -> None:
        there = any(task.lun == pdu.lun for task in self._session.tasks)
        self._respond(pdu, TaskResult.SUCCEEDED if there else TaskResult.COMPLETE)

    def _query_event(self, pdu: TaskManagementRequest) -> None:
        """QUERY ASYNCHRONOUS EVENT (RFC 7144 section 6.3)."""
        information = self._node.units.attention(pdu.lun, self._session)
        if information is None:
            self._respond(pdu, TaskResult.COMPLETE)
        else:
            self._respond(pdu, TaskResult.SUCCEEDED, information)

    def _end(
        self,
        pdu: TaskManagementRequest,
        concerns: Callable[[Task], bool],
        *,
        everywhere: bool = False,
        reset: bool = False,
    ) -> None:
        """End the tasks that a function concerns, and answer it when they are gone."""
        sessions = self._node.sessions if everywhere else [self._session]
        self._node.end_tasks(
            lambda task: concerns(task) and not self._is_spared(task, pdu),
            self._session,
            sessions,
            reset=reset,
        )
        self._under_way.add(pdu.itt)
        self._node.when_gone(
            [
                task
                for task in self._node.dying
                if concerns(task) and task.connection.session in sessions
            ],
            lambda: self._ended(pdu),
            self._connection.now,
        )

    def _is_spared(self, task: Task, pdu: TaskManagementRequest) -> bool:
        """Whether this is an early command that was given after the function, or by another."""
        if task.machine.state != HELD.name:
            return False
        if task.connection.session is not self._session:
            return True
        return pdu.referenced_task_tag != task.itt and not less(task.cmd_sn, pdu.cmd_sn)

    def _ended(self, pdu: TaskManagementRequest) -> None:
        self._under_way.discard(pdu.itt)
        self._respond(pdu, TaskResult.COMPLETE)
        if pdu.function == TaskFunction.TARGET_COLD_RESET:
            self._end_sessions(self._node.sessions, "TARGET COLD RESET")
        elif pdu.function == TaskFunction.I_T_NEXUS_RESET:
            self._end_sessions([self._session], "I_T NEXUS RESET")

    def _end_sessions(self, sessions: Iterable[Session], why: str) -> None:
        """Once answered, these two end every session, or their own (section 11.5.1, RFC 7144 6.3).

        Nobody waits for the initiators to come back.
        """
        for session in sessions:
            session.drop(why)

    def _respond(
        self, pdu: TaskManagementRequest, result: TaskResult, information: int = 0
    ) -> None:
        self._connection.send_status(
            TaskManagementResponse(
                itt=pdu.itt, response=result, additional_response_information=information
            )
        )


_FUNCTIONS: dict[int, Callable[[TaskManagement, TaskManagementRequest], None]] = {
    TaskFunction.ABORT_TASK: TaskManagement._abort_task,
    TaskFunction.ABORT_TASK_SET: TaskManagement._abort_task_set,
    TaskFunction.CLEAR_ACA: TaskManagement._clear_aca,
    TaskFunction.CLEAR_TASK_SET: TaskManagement._clear_task_set,
    TaskFunction.LOGICAL_UNIT_RESET: TaskManagement._reset_unit,
    TaskFunction.TARGET_WARM_RESET: TaskManagement._reset_target,
    TaskFunction.TARGET_COLD_RESET: TaskManagement._reset_target,
    TaskFunction.TASK_REASSIGN: TaskManagement._reassign,
    TaskFunction.QUERY_TASK: TaskManagement._query_task,
    TaskFunction.QUERY_TASK_SET: TaskManagement._query_task_set,
    TaskFunction.I_T_NEXUS_RESET: TaskManagement._reset_nexus,
    TaskFunction.QUERY_ASYNCHRONOUS_EVENT: TaskManagement._query_event,
}
_OF_LEVEL_2 = frozenset(
    {
        TaskFunction.QUERY_TASK,
        TaskFunction.QUERY_TASK_SET,
        TaskFunction.I_T_NEXUS_RESET,
        TaskFunction.QUERY_ASYNCHRONOUS_EVENT,
    }
)
_ON_ALL_UNITS = frozenset({TaskFunction.TARGET_WARM_RESET, TaskFunction.TARGET_COLD_RESET})
_ON_A_UNIT = (
    frozenset(_FUNCTIONS)
    - _ON_ALL_UNITS
    - {TaskFunction.I_T_NEXUS_RESET, TaskFunction.TASK_REASSIGN}
)
_ON_A_TASK = frozenset(
    {TaskFunction.ABORT_TASK, TaskFunction.QUERY_TASK, TaskFunction.TASK_REASSIGN}
)
