"""The data that initiators send: immediate, unsolicited, solicited (RFC 7143 section 4.2.5.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from trioscsi.machines import full_feature as full_feature_machine
from trioscsi.machines import task as task_machine
from trioscsi.pdu import (
    NO_TASK,
    Buffer,
    DataOut,
    Pdu,
    ReadyToTransfer,
    RejectReason,
    ScsiCommand,
)
from trioscsi.protocol.bursts import Incoming, TransferFault
from trioscsi.protocol.numbering import IN_ORDER
from trioscsi.protocol.tasks import Task
from trioscsi.protocol.view import EVERYTHING

if TYPE_CHECKING:
    from trioscsi.protocol.full_feature import FullFeature
    from trioscsi.protocol.session import Session
    from trioscsi.text import Parameters

_STATES_WAITING = (task_machine.RECEIVING.name, task_machine.DRAINING.name)


class Writes:
    """The Data-Out traffic of one connection."""

    def __init__(self, full_feature: FullFeature, session: Session) -> None:
        self._full_feature = full_feature
        self._connection = full_feature.connection
        self._session = session
        self._last_ttt = 0
        self._connection.framer.destination_for = self._destination
        self._connection.framer.eager = self._hear_eagerly

    def begin(self, task: Task, pdu: ScsiCommand) -> None:
        """Look at the data that came with a command, and at what it announces: not nothing."""
        fault = _fault(pdu, len(pdu.data), task.expected_out, self._connection.parameters)
        if fault is None and pdu.final and len(pdu.data) == task.expected_out:
            task.data = pdu.data
            return
        kept = b"" if fault is not None else pdu.data
        task.incoming = self._incoming(task, kept, not pdu.final)
        task.incoming.fault = fault
        if fault is not None and not pdu.final:
            # Nothing of the burst is wanted, but it has to be waited for (section 11.4.2).
            task.incoming.sequences[NO_TASK].machine.fault_found()

    def begin_before(self, task: Task, pdu: ScsiCommand, length: int) -> None:
        """Expect so many bytes of data that come with a command, but after it."""
        connection = self._connection
        task.incoming = Incoming.begin_before(
            task.expected_out, pdu, length, connection.parameters, connection.framer.lend
        )

    def _hear_eagerly(self, pdu: Pdu, length: int) -> Callable[[memoryview], None] | None:
        """Begin a command before its data are here, so that they find their place.

        That is done with a write which can be begun at once, if nothing is wrong with its data.
        """
        if (
            not isinstance(pdu, ScsiCommand)
            or pdu.read
            or pdu.immediate
            or not pdu.final
            or pdu.itt == NO_TASK
            or self._session.tasks.get(pdu.itt) is not None
            or self._session.order.admit(pdu.cmd_sn) is not IN_ORDER
            or self._full_feature.machine.state != full_feature_machine.NORMAL.name
        ):
            return None
        expected, parameters = pdu.expected_data_transfer_length, self._connection.parameters
        if _fault(pdu, length, expected, parameters) is not None:
            return None
        self._full_feature.hear_before(pdu, length)
        return partial(self._take_immediate, pdu)

    def _take_immediate(self, pdu: ScsiCommand, data: memoryview) -> None:
        """The data have come of a command that was begun before them."""
        task = self._session.tasks.get(pdu.itt)
        if task is None or task.incoming is None or task.incoming.command is not pdu:
            return  # the task has ended
        task.incoming.receive_immediate(data)
        self._go_on(task, task.incoming)

    def _incoming(self, task: Task, immediate: Buffer, more_follows: bool) -> Incoming:
        connection = self._connection
        return Incoming.begin(
            task.expected_out,
            immediate,
            more_follows,
            connection.parameters,
            connection.framer.lend,
        )

    def want(
        self,
        task: Task,
        length: int,
        window: Callable[[Task], memoryview | None] | None = None,
    ) -> bool:
        """The device server takes ``length`` bytes of data for a task.

        True if they are in ``task.data`` already (fewer, if the initiator expected to send fewer);
        otherwise the device server gets the task again when they are, or when the transfer failed.

        ``window`` may give the memory that the data is for.  Data that is asked for is then put
        there as it comes, so that a write which is aborted or loses its connection may have been
        done in part: SBC-3 leaves undefined what is read after a write without GOOD status.  It is
        not used where data must be checked first (DataDigest), nor after the task has ended.
        """
        task.taken = length
        if length > task.expected_out:
            length = task.expected_out
        incoming = task.incoming
        if incoming is None:
            come = len(task.data)
            if come >= length:
                if come > length:
                    task.data = task.data[:length]
                return True
            incoming = task.incoming = self._incoming(task, b"", more_follows=False)
        incoming.want(length)
        if incoming.complete and incoming.fault is None:
            task.data = incoming.buffer[:length]
            return True
        if window is not None and not self._connection.framer.data_digest:
            incoming.window = window(task)
        task.in_hand = False
        task.machine.data_wanted()
        self._go_on(task, incoming)
        return False

    def _destination(self, pdu: Pdu, length: int) -> memoryview | None:
        """Where the framer may put data that is still to come; None once their task is aborted."""
        if not isinstance(pdu, DataOut | ScsiCommand):
            return None
        task = self._session.tasks.get(pdu.itt)
        if task is None or task.connection is not self._connection or task.incoming is None:
            return None
        if isinstance(pdu, ScsiCommand):
            return task.incoming.destination_before(pdu, length)
        return task.incoming.destination(pdu, length) if self._fits(pdu, task) else None

    def hear(self, pdu: DataOut) -> None:
        """Bring a Data-Out PDU to its task."""
        task = self._session.tasks.get(pdu.itt)
        if task is None or task.connection is not self._connection:
            return  # the task has ended; its data was on the way by then
        incoming = task.incoming
        sequence = None if incoming is None else incoming.sequences.get(pdu.ttt)
        if incoming is None or sequence is None:
            self._full_feature.reject(
                RejectReason.INVALID_PDU_FIELD, "Data-Out that nobody asked for"
            )
            return
        if pdu.ttt != NO_TASK and not self._fits(pdu, task):
            self._full_feature.reject(RejectReason.INVALID_PDU_FIELD, "Data-Out for another LUN")
            return
        incoming.receive(sequence, pdu)
        self._go_on(task, incoming)

    def _fits(self, pdu: DataOut, task: Task) -> bool:
        """Whether data is for the unit of its task."""
        view = self._session.view
        return (pdu.lun if view is EVERYTHING else view.inward(pdu.lun)) == task.lun

    def hear_spoiled(self, pdu: DataOut) -> None:
        """A Data-Out PDU came with a bad data digest; it was rejected (section 7.8)."""
        task = self._session.tasks.get(pdu.itt)
        if task is None or task.connection is not self._connection or task.incoming is None:
            return
        sequence = task.incoming.sequences.get(pdu.ttt)
        if sequence is not None:
            task.incoming.spoil(sequence, pdu)
            self._go_on(task, task.incoming)

    def solicit(self, task: Task) -> None:
        """Send the R2Ts that are due (section 11.8)."""
        incoming = task.incoming
        assert incoming is not None, "only a task that waits for data solicits it"
        while (due := incoming.next_r2t()) is not None:
            if not task.reserved and not self._session.reserve(task, incoming.wanted or 0):
                return
            incoming.make_room()
            offset, length = due
            self._last_ttt = (self._last_ttt + 1) % NO_TASK
            incoming.solicit(self._last_ttt, offset, length)
            r2t = ReadyToTransfer(
                lun=self._session.view.outward(task.lun),
                itt=task.itt,
                ttt=self._last_ttt,
                r2t_sn=task.data_sn,
                buffer_offset=offset,
                desired_data_transfer_length=length,
            )
            task.data_sn += 1
            self._connection.number(r2t)
            self._connection.send(r2t)

    def refuse(self, task: Task) -> None:
        """See `TargetConnection.refuse_data`."""
        incoming = task.incoming
        assert incoming is not None, "only a task that waits for data refuses it"
        incoming.abandon()
        task.taken = 0
        self._session.stop_waiting(task)
        self._go_on(task, incoming)

    def fail(self, task: Task) -> None:
        """Let a command fail whose transfer broke the rules before anybody looked at its CDB."""
        incoming = task.incoming
        assert incoming is not None, "a transfer fault is noted in the transfer"
        incoming.want(task.expected_out)
        task.machine.data_wanted()
        self._go_on(task, incoming)

    def _go_on(self, task: Task, incoming: Incoming) -> None:
        if task.machine.state not in _STATES_WAITING:
            return
        if not incoming.complete:
            if task.machine.state == task_machine.RECEIVING.name:
                self.solicit(task)
        elif task.answer is not None:
            task.machine.data_completed()
            task.answer()
        else:
            if incoming.fault is not None:
                task.taken = 0
            else:
                task.data = incoming.buffer[: incoming.wanted]
            task.in_hand = True
            task.machine.data_completed()
            self._session.node.events.append(task)


def _fault(
    pdu: ScsiCommand, length: int, expected: int, parameters: Parameters
) -> TransferFault | None:
    """What is wrong with the data that comes with a command, or that it announces."""
    if not pdu.write:
        return TransferFault.UNEXPECTED_DATA
    if length and not parameters.immediate_data:
        return TransferFault.UNEXPECTED_DATA
    if not pdu.final and parameters.initial_r2t:
        return TransferFault.UNEXPECTED_DATA
    if length > expected or length > parameters.first_burst_length:
        return TransferFault.INCORRECT_AMOUNT
    return None
