"""Task management at the initiator (RFC 7143 sections 4.2.3 and 11.5, RFC 7144 section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.initiator.requests import Management, Task
from trioscsi.initiator.rules import Rule
from trioscsi.pdu import (
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
)

if TYPE_CHECKING:
    from trioscsi.initiator.full_feature import FullFeature
    from trioscsi.initiator.session import InitiatorSession

_OF_A_TASK = frozenset(
    {TaskFunction.ABORT_TASK, TaskFunction.TASK_REASSIGN, TaskFunction.QUERY_TASK}
)
_OF_A_UNIT = frozenset(
    {
        TaskFunction.ABORT_TASK_SET,
        TaskFunction.CLEAR_TASK_SET,
        TaskFunction.LOGICAL_UNIT_RESET,
    }
)
_OF_ALL = frozenset(
    {
        TaskFunction.TARGET_WARM_RESET,
        TaskFunction.TARGET_COLD_RESET,
        TaskFunction.I_T_NEXUS_RESET,
    }
)
_WITHOUT_LUN = frozenset({TaskFunction.TARGET_WARM_RESET, TaskFunction.TARGET_COLD_RESET})
ADDED_FUNCTIONS = frozenset(
    {
        TaskFunction.QUERY_TASK,
        TaskFunction.QUERY_TASK_SET,
        TaskFunction.I_T_NEXUS_RESET,
        TaskFunction.QUERY_ASYNCHRONOUS_EVENT,
    }
)
"""The functions of RFC 7144."""
ADDED_LEVEL = 2
"""The iSCSIProtocolLevel that has them (RFC 7144 section 6.3)."""


class TaskManagement:
    """Asks for functions, and ends the tasks that they have ended."""

    def __init__(self, full_feature: FullFeature) -> None:
        self._full_feature = full_feature
        self._session: InitiatorSession = full_feature.session

    def start(self, request: Management) -> None:
        """Send a request; the tasks that it concerns are those that were sent before it."""
        about = request.about
        pdu = TaskManagementRequest(
            function=request.function,
            lun=0 if request.function in _WITHOUT_LUN else request.lun,
        )
        if about is not None and request.function in _OF_A_TASK:
            pdu.lun, pdu.referenced_task_tag, pdu.ref_cmd_sn = about.lun, about.itt, about.cmd_sn
            if request.function == TaskFunction.TASK_REASSIGN:
                # Only what was read is known to have come (section 11.5.6).
                pdu.exp_data_sn = 0 if about.data_out else about.data_sn
        request.concerned = [task for task in self._tasks() if _concerns(request, task)]
        rules = self._session.rules
        fast = self._session.parameters.task_reporting == "FastAbort"
        if rules.keep(Rule.FAST_ABORT_SILENCE if fast else Rule.R2TS_AFTER_ABORT) is fast:
            # Nothing more is sent for them once the request is (section 4.2.3.4).
            for task in request.concerned:
                task.silent = True
        self._full_feature.number(pdu, request)
        if about is not None and about.immediate and request.function in _OF_A_TASK:
            pdu.ref_cmd_sn = pdu.cmd_sn  # section 11.5.5
        self._full_feature.connection.send(pdu)

    def hear(self, pdu: TaskManagementResponse) -> None:
        """Take the answer; what it has ended gets no other (section 11.6.1)."""
        request = self._full_feature.request(pdu.itt, Management, "a Task Management Response")
        if request is None:
            return
        known = pdu.response in set(TaskResult)
        request.result = TaskResult(pdu.response) if known else pdu.response
        request.information = pdu.additional_response_information
        gone = request.result == TaskResult.COMPLETE or (
            request.result == TaskResult.NO_TASK and request.function == TaskFunction.ABORT_TASK
        )
        gone &= self._session.rules.keep(Rule.ABORT_ENDS)
        self._session.end(request)
        for task in request.concerned:
            task.silent = task.silent and gone
            if gone:
                self._session.abandon(task, request.reason)

    def _tasks(self) -> list[Task]:
        return [each for each in self._session.requests.values() if isinstance(each, Task)]


def _concerns(request: Management, task: Task) -> bool:
    """Whether a function ends a task if it succeeds."""
    if request.function == TaskFunction.ABORT_TASK:
        return task is request.about
    if request.function in _OF_A_UNIT:
        return task.lun == request.lun
    return request.function in _OF_ALL
