"""Status and read data: SCSI Response and Data-In (RFC 7143 sections 11.4 and 11.7)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trioscsi.pdu import Buffer, DataIn, ScsiResponse
from trioscsi.pdu import sense as sense_segment
from trioscsi.protocol.channel import Channel
from trioscsi.protocol.tasks import Task

if TYPE_CHECKING:
    from trioscsi.protocol.session import Session

_GOOD = 0


class Answers:
    """What a connection sends to end its tasks."""

    def __init__(self, connection: Channel, session: Session) -> None:
        self._connection = connection
        self._session = session
        self._data_in = DataIn()
        """One object for all Data-In: each is encoded before the next one is written into it."""

    def finish(
        self, task: Task, status: int, sense: Buffer, data: Buffer, transferred: int | None
    ) -> None:
        """Send data and status, once all data that the initiator has announced is here."""
        if task.aborted:
            self._session.node.dying.released(task)
            return
        task.in_hand = False
        if task.incoming is not None and task.incoming.sequences:
            task.machine.finished_early()
            task.answer = partial(self._respond, task, status, sense, data, transferred)
        else:
            task.machine.finished()
            self._respond(task, status, sense, data, transferred)

    def _respond(
        self, task: Task, status: int, sense: Buffer, data: Buffer, transferred: int | None
    ) -> None:
        self._session.forget(task)
        bidirectional = task.expected_in and task.expected_out
        expected = task.expected_out or task.expected_in
        residual = (len(data) if transferred is None else transferred) - expected
        data_sn = task.data_sn
        if data and task.expected_in:
            with_status = status == _GOOD and not sense and not bidirectional
            self._send_data(task, data, residual if with_status else None)
            if with_status:
                return
        response = ScsiResponse(
            itt=task.itt,
            status=status,
            overflow=residual > 0,
            underflow=residual < 0,
            residual_count=abs(residual),
            # Data-In alone counts (section 11.4.8), though R2Ts have the same numbers.
            exp_data_sn=task.data_sn - data_sn,
            data=sense_segment.join(sense) if sense else b"",
        )
        if bidirectional:
            residual = len(data) - task.expected_in
            response.bidirectional_overflow = residual > 0
            response.bidirectional_underflow = residual < 0
            response.bidirectional_residual_count = abs(residual)
        self._connection.send_status(response)

    def _send_data(self, task: Task, data: Buffer, residual: int | None) -> None:
        """Send Data-In PDUs, the last one with GOOD status unless ``residual`` is None.

        Sequences have at most MaxBurstLength bytes (section 13.13), PDUs at most what the
        initiator declared to receive (section 13.12).
        """
        connection, parameters = self._connection, self._connection.parameters
        view = memoryview(data)
        if connection.framer.data_digest:
            # The store may change while these bytes wait to be sent; their digest may not.
            copy = connection.framer.lend(len(view))
            copy[:] = view
            view = copy
        end = min(len(view), task.expected_in)
        segment = parameters.initiator_max_recv_data_segment_length
        burst = parameters.max_burst_length
        offset = 0
        pdu = self._data_in
        pdu.itt, pdu.has_status = task.itt, False
        pdu.overflow = pdu.underflow = False
        pdu.stat_sn = pdu.residual_count = 0
        while True:
            burst_end = min(end, offset - offset % burst + burst)
            stop = min(offset + segment, burst_end)
            pdu.final = stop == burst_end
            pdu.data_sn, pdu.buffer_offset = task.data_sn, offset
            pdu.data = view[offset:stop]
            task.data_sn += 1
            if stop == end:
                break
            self._number(pdu)
            connection.send(pdu)
            offset = stop
        if residual is None:
            self._number(pdu)
            connection.send(pdu)
        else:
            pdu.has_status = True
            if residual:
                pdu.overflow, pdu.underflow = residual > 0, residual < 0
                pdu.residual_count = abs(residual)
            connection.send_status(pdu)
        pdu.data = b""  # whose buffer it was may want it back

    def _number(self, pdu: DataIn) -> None:
        """A Data-In without status has no StatSN (section 11.7.4)."""
        pdu.exp_cmd_sn = self._session.order.expected
        pdu.max_cmd_sn = self._session.order.maximum
