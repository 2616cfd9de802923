"""Status and read data: SCSI Response and Data-In (RFC 7143 sections 11.4 and 11.7)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trioscsi.pdu import Buffer, DataIn, ScsiResponse
from trioscsi.pdu import sense as sense_segment
from trioscsi.protocol.channel import Channel
from trioscsi.protocol.tasks import OVER, Task

if TYPE_CHECKING:
    from trioscsi.protocol.session import Session

_TASK_ABORTED = 0x40
_RFC_7144 = 2


class Answers:
    """What a connection sends to end its tasks."""

    def __init__(self, connection: Channel, session: Session) -> None:
        self._connection = connection
        self._session = session
        # One object for all PDUs of a kind: each is encoded before the next one is written into it.
        self._data_in = DataIn()
        """Data that others follow."""
        self._last_data_in = DataIn(final=True, has_status=True)
        """Data that end a command."""
        self._good = ScsiResponse()
        """GOOD status, and nothing else to say."""

    def finish(
        self,
        task: Task,
        data: Buffer = b"",
        status: int = 0,
        sense: Buffer = b"",
        qualifier: int = 0,
    ) -> None:
        """Send what a task has read, and its status.

        They wait for data that the initiator has announced (section 11.4.2).
        """
        if task.machine.state in OVER:
            self._session.node.dying.released(task)
            return
        task.in_hand = False
        if task.incoming is not None and task.incoming.sequences:
            task.machine.finished_early()
            task.answer = partial(self._respond, task, data, status, sense, qualifier)
        else:
            task.machine.finished()
            self._respond(task, data, status, sense, qualifier)

    def refuse(self, task: Task, status: int, qualifier: int) -> None:
        """Answer a task that is not performed.

        The status qualifier goes to initiators that know it (RFC 7144 section 5.2.1).
        """
        knows = self._connection.parameters.protocol_level >= _RFC_7144
        self.finish(task, status=status, qualifier=qualifier if knows else 0)

    def terminate(self, task: Task) -> None:
        """Send TASK ABORTED, once all data that the initiator has announced is here."""
        task.taken = 0
        if task.incoming is not None and task.incoming.sequences:
            task.incoming.abandon()
            task.machine.terminated_early()
            task.answer = partial(self._respond, task, b"", _TASK_ABORTED, b"", 0)
        else:
            task.machine.terminated()
            self._respond(task, b"", _TASK_ABORTED, b"", 0)

    def _respond(
        self, task: Task, data: Buffer, status: int, sense: Buffer, qualifier: int
    ) -> None:
        self._session.forget(task)
        expected_in, expected_out = task.expected_in, task.expected_out
        if expected_out or task.taken:
            residual = task.taken - expected_out
        else:
            residual = len(data) - expected_in
        data_in = 0
        if data and expected_in:
            if not (status or sense or expected_out):
                self._send_data(task, data, residual)
                return
            r2ts = task.data_sn
            self._send_data(task, data, None)
            data_in = task.data_sn - r2ts
        response, bidirectional = self._good, expected_in and expected_out
        if status or sense or residual or bidirectional:
            response = ScsiResponse(status=status, overflow=residual > 0, underflow=residual < 0)
            response.status_qualifier = qualifier
            response.residual_count = abs(residual)
            response.data = sense_segment.join(sense) if sense else b""
            residual = len(data) - expected_in if bidirectional else 0
            response.bidirectional_overflow = residual > 0
            response.bidirectional_underflow = residual < 0
            response.bidirectional_residual_count = abs(residual)
        # Data-In alone counts (section 11.4.8), though R2Ts have the same numbers.
        response.itt, response.exp_data_sn = task.itt, data_in
        self._connection.send_status(response)

    def _send_data(self, task: Task, data: Buffer, residual: int | None) -> None:
        """Send Data-In PDUs, the last one with GOOD status unless ``residual`` is None.

        Sequences have at most MaxBurstLength bytes (section 13.13), PDUs at most what the
        initiator declared to receive (section 13.12).
        """
        connection, parameters = self._connection, self._connection.parameters
        if connection.framer.data_digest:
            # The store may change while bytes wait to be sent; their digest may not.
            data = connection.keep(data)
        segment = parameters.initiator_max_recv_data_segment_length
        burst = parameters.max_burst_length
        end, offset = task.expected_in, 0
        if len(data) != end:
            end = min(end, len(data))
            data = memoryview(data)[:end]
        if end > segment or end > burst:
            view = memoryview(data)
            while end - offset > segment or offset % burst + end - offset > burst:
                stop = offset + min(segment, burst - offset % burst)
                self._send_part(task, view[offset:stop], offset, final=not stop % burst)
                offset = stop
            data = view[offset:]
        if residual is None:
            self._send_part(task, data, offset, final=True)
            return
        pdu = self._last_data_in
        if residual:
            pdu = DataIn(final=True, has_status=True, overflow=residual > 0, underflow=residual < 0)
            pdu.residual_count = abs(residual)
        pdu.itt = task.itt
        pdu.data_sn = task.data_sn
        pdu.buffer_offset = offset
        pdu.data = data
        connection.send_status(pdu)
        pdu.data = b""  # whose buffer it was may want it back

    def _send_part(self, task: Task, data: Buffer, offset: int, *, final: bool) -> None:
        """Send a Data-In without status, which has no StatSN (section 11.7.4)."""
        pdu, order = self._data_in, self._session.order
        pdu.itt, pdu.data_sn, pdu.buffer_offset = task.itt, task.data_sn, offset
        pdu.exp_cmd_sn, pdu.max_cmd_sn = order.expected, order.maximum
        pdu.final, pdu.data = final, data
        task.data_sn += 1
        self._connection.send(pdu)
        pdu.data = b""
