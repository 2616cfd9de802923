"""What comes for SCSI commands: data, R2Ts and statuses (RFC 7143 sections 7.8, 7.9 and 11.16).

At error recovery level 0 a PDU that is missing ends the session.  From level 1 on it is asked for
again, and the status of a command waits until its data are complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trioscsi.errors import PeerError
from trioscsi.initiator.gaps import Gap, Run
from trioscsi.initiator.requests import Management, Mark, Task
from trioscsi.initiator.rules import Rule
from trioscsi.initiator.transfers import (
    CHECK_CONDITION,
    data_outs,
    missing_data,
    segment,
    take_data_in,
    take_r2t,
    take_status,
)
from trioscsi.pdu import (
    NO_TASK,
    DataIn,
    NopIn,
    Pdu,
    ReadyToTransfer,
    ScsiResponse,
    SnackRequest,
    SnackType,
    TaskFunction,
    UnknownPdu,
)

if TYPE_CHECKING:
    from trioscsi.initiator.full_feature import FullFeature

_CRC_ERROR = bytes.fromhex("70000b0000000000000000004705") + bytes(4)
"""Protocol Service CRC error: what a target would have said of lost data (section 11.4.7.2)."""
_TAGS = 2**32 - 2


class Reception:
    """Takes what comes for the commands of one connection, and misses what does not."""

    def __init__(self, full_feature: FullFeature) -> None:
        self._full_feature = full_feature
        self._connection = connection = full_feature.connection
        self._session = full_feature.session
        self._statuses = connection.statuses
        self._gap = Gap(
            connection, self._missing_statuses, self._ask_for_statuses, self._without_statuses
        )
        self._long_sequences = False
        self._statuses.recovers = self._recovers

    @property
    def _recovers(self) -> bool:
        return self._connection.parameters.error_recovery_level > 0

    def begin(self, task: Task) -> None:
        """A command is sent: note how its data are cut, and watch for what may be missing."""
        if self._recovers:
            task.segment = self._connection.parameters.initiator_max_recv_data_segment_length
            task.gap = Gap(
                self._connection,
                lambda: None if task.over else task.numbers.missing,
                lambda run: self._ask_for_data(task, run),
                lambda refused: self._without_data(task, refused),
            )

    # What comes.

    def take_data_in(self, pdu: DataIn) -> None:
        """Data, perhaps with the status."""
        task = self._full_feature.request(pdu.itt, Task, "Data-In")
        if task is None or _is_of_before(task, pdu):
            return
        parameters, rules = self._connection.parameters, self._session.rules
        unfinished = pdu.has_status and not pdu.final
        rules.insist(
            Rule.FINAL_STATUS, not unfinished, "a Data-In with status and without F", "11.7.3"
        )
        if task.sequence + len(pdu.data) > parameters.max_burst_length:
            self._note_long_sequence()
        take_data_in(task, pdu, parameters, rules)
        if pdu.acknowledge and self._recovers and rules.keep(Rule.ACKNOWLEDGE_DATA):
            task.awaited = pdu.lun, pdu.ttt
        if pdu.has_status:
            self._take_status(task, pdu)
        else:
            self._look(task)

    def take_response(self, pdu: ScsiResponse) -> None:
        """A status."""
        task = self._full_feature.request(pdu.itt, Task, "a SCSI Response")
        if task is not None:
            self._take_status(task, pdu)

    def wants_again(self, pdu: Any) -> bool:
        """Whether a status that has come before is waited for anew: it answers an R-Data SNACK.

        All responses to such a command have one StatSN (section 11.16.3).
        """
        task = self._session.requests.get(pdu.itt) if isinstance(pdu, ScsiResponse) else None
        return isinstance(task, Task) and 0 < task.snack_tag == pdu.snack_tag

    def take_r2t(self, pdu: ReadyToTransfer) -> None:
        """The target asks for data."""
        task = self._full_feature.request(pdu.itt, Task, "an R2T")
        if task is None:
            return
        parameters, rules = self._connection.parameters, self._session.rules
        start, end = take_r2t(task, pdu, parameters, rules)
        self._statuses.due(pdu.stat_sn)
        self._look(task)
        if task.silent:
            return
        size = segment(parameters, rules)
        for data_out in data_outs(task, pdu.ttt, pdu.lun, start, end, size):
            self._full_feature.send_data(data_out)

    def take_nop_in(self, pdu: NopIn) -> None:
        """A NOP-In that is no status tells which status is the next (section 7.1.4.2)."""
        if pdu.itt == NO_TASK:
            self._statuses.due(pdu.stat_sn)

    def take_damaged(self, pdu: Pdu | UnknownPdu) -> Pdu | UnknownPdu | None:
        """A PDU whose data are not what was sent; None: it is discarded, as it has to be.

        Raises PeerError where nothing can be asked for again (section 7.8).
        """
        rules = self._session.rules
        if not rules.keep(Rule.DATA_DIGEST):
            return pdu
        if not self._recovers:
            raise PeerError("a data digest does not match its data", section="7.8")
        if isinstance(pdu, DataIn):
            task = self._session.requests.get(pdu.itt)
            if (
                isinstance(task, Task)
                and task.connection is self._connection
                and not _is_of_before(task, pdu)
            ):
                task.numbers.known(pdu.data_sn + 1)
                self._look(task)
        elif self._statuses.numbers is not None:
            # Its header counts for nothing either; but as TCP keeps the order, it was the next one.
            self._statuses.numbers.known(self._statuses.numbers.end + 1)
        self.look()
        return None

    def look(self) -> None:
        """See whether statuses are missing."""
        if self._recovers:
            self._gap.look()

    def refuse(self, type_: int, itt: int) -> None:
        """The target rejects a SNACK (section 11.17.1)."""
        if type_ == SnackType.STATUS:
            self._gap.refuse()
            return
        task = self._session.requests.get(itt)
        if type_ != SnackType.DATA_ACK and isinstance(task, Task) and task.gap is not None:
            task.gap.refuse()

    # What is missing.

    def _take_status(self, task: Task, pdu: DataIn | ScsiResponse) -> None:
        rules = self._session.rules
        tagged = pdu.snack_tag if isinstance(pdu, ScsiResponse) else 0
        if task.snack_tag and tagged != task.snack_tag and rules.keep(Rule.SNACK_TAG):
            return  # it is about the data as they were sent first (section 11.4.4)
        # It may have to wait, and the bytes that have come do not.
        task.last, pdu.data = pdu, bytes(pdu.data) if isinstance(pdu, ScsiResponse) else b""
        if isinstance(pdu, ScsiResponse) and missing_data(task, pdu, rules):
            if not self._recovers:
                reason = f"ExpDataSN {pdu.exp_data_sn} after {task.data_ins} Data-In PDUs"
                raise PeerError(reason, section="7.9")
            task.numbers.known(pdu.exp_data_sn)
        self._look(task)

    def _look(self, task: Task) -> None:
        """See whether a command is complete, or what is missing."""
        gap, last = task.gap, task.last
        # A target that has all data of a write sends no R2T again that it has got over.
        reads = bool(task.expected_in) or last is None
        missing = task.numbers.missing is not None and reads
        if missing and gap is not None and gap.lost and last is not None:
            self._fail(task)
            return
        if missing and last is not None and self._session.rules.keep(Rule.HOLD_STATUS):
            self._statuses.held[last.stat_sn] = task
        if gap is not None:
            gap.look()
        if not missing or not self._session.rules.keep(Rule.POSTPONE_ACKNOWLEDGMENT):
            self._acknowledge(task)
        if last is not None and not missing and not task.over:
            take_status(task, last, self._connection.parameters, self._session.rules)
            self._session.end(task)

    def _fail(self, task: Task) -> None:
        """The status of a command whose data are lost is not believed (section 7.8)."""
        assert task.last is not None, "there is a status to be disbelieved"
        rules = self._session.rules.without(Rule.DATA_GAP)
        take_status(task, task.last, self._connection.parameters, rules)
        if not task.status and self._session.rules.keep(Rule.LOST_DATA_FAIL):
            task.status, task.sense = CHECK_CONDITION, _CRC_ERROR
        self._session.end(task)

    def _ask_for_data(self, task: Task, run: Run) -> None:
        if not self._session.rules.keep(Rule.ASK_FOR_DATA):
            return
        parameters = self._connection.parameters
        snack = SnackRequest(type=SnackType.DATA_OR_R2T, itt=task.itt)
        snack.beg_run, snack.run_length = run
        reads = task.expected_in and not task.data_out
        changed = task.segment != parameters.initiator_max_recv_data_segment_length
        if reads and changed and self._session.rules.keep(Rule.RESEGMENTATION):
            task.segment = parameters.initiator_max_recv_data_segment_length
            task.snack_tag = task.snack_tag % _TAGS + 1
            snack = SnackRequest(type=SnackType.R_DATA, itt=task.itt, ttt=task.snack_tag)
            rewind(task)
            task.recut = True
        self._full_feature.send_data(snack)

    def _without_data(self, task: Task, refused: bool) -> None:
        if task.last is not None:
            self._fail(task)
        elif task.expected_in and not refused:
            # The target says nothing more: end the command (section 7.8).
            request = Management(
                function=TaskFunction.ABORT_TASK,
                lun=task.lun,
                about=task,
                immediate=True,
                reason="data were lost: aborted",
            )
            self._session.submit(request, self._connection)

    def _missing_statuses(self) -> Run | None:
        return self._statuses.missing

    def _ask_for_statuses(self, run: Run) -> None:
        if self._session.rules.keep(Rule.ASK_FOR_STATUSES):
            snack = SnackRequest(type=SnackType.STATUS, beg_run=run[0], run_length=run[1])
            self._full_feature.send_data(snack)

    def _without_statuses(self, refused: bool) -> None:
        why = "refused" if refused else "not sent"
        self._connection.give_up(f"statuses are missing, and were {why} again")

    def _acknowledge(self, task: Task) -> None:
        """Say that all data up to here has come, if the target wants to know (11.16.2)."""
        if task.awaited is None:
            return
        (lun, ttt), task.awaited = task.awaited, None
        task.mark = Mark(task.data_sn, task.data_ins, task.received, task.highest)
        snack = SnackRequest(type=SnackType.DATA_ACK, lun=lun, ttt=ttt, beg_run=task.data_sn)
        self._full_feature.send_data(snack)

    def _note_long_sequence(self) -> None:
        """Some targets (tgt) set F in the last Data-In alone, which harms nobody: say so once."""
        if not self._long_sequences:
            self._long_sequences = True
            error = PeerError("a sequence of more than MaxBurstLength", section="13.13")
            self._connection.remark(error)


def _is_of_before(task: Task, pdu: DataIn) -> bool:
    """Whether data were on their way when all of them were asked for anew (section 11.16.3).

    The new ones have numbers of their own, and begin with the first that was not acknowledged.
    """
    if pdu.data_sn == task.data_sn:
        task.recut = False
    return task.recut


def rewind(task: Task) -> None:
    """Forget all data that were not acknowledged: the target sends them once more."""
    mark = task.mark
    task.numbers.forget_ahead()
    task.numbers.next = task.numbers.end = mark.data_sn
    task.data_ins, task.received, task.highest = mark.data_ins, mark.received, mark.highest
    task.sequence, task.last, task.awaited = 0, None, None
