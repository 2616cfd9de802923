"""The data of a command, both ways, at the initiator (RFC 7143 sections 4.2.5, 11.7 and 11.8)."""

from __future__ import annotations

from collections.abc import Iterator

from trioscsi.errors import PeerError
from trioscsi.initiator.deviations import Rule
from trioscsi.initiator.requests import Task
from trioscsi.pdu import NO_TASK, DataIn, DataOut, ReadyToTransfer, ScsiResponse
from trioscsi.serial import add
from trioscsi.text import Parameters


def unsolicited(task: Task, parameters: Parameters, broken: frozenset[Rule]) -> tuple[int, int]:
    """How many bytes of data go with a command, and up to where data follows it unasked."""
    length = len(task.data_out)
    immediate = parameters.immediate_data or Rule.IMMEDIATE_DATA in broken
    burst = not parameters.initial_r2t or Rule.INITIAL_R2T in broken
    first = length
    if Rule.FIRST_BURST not in broken:
        first = min(length, parameters.first_burst_length)
    with_command = min(first, segment(parameters, broken)) if immediate else 0
    return with_command, first if burst else with_command


def segment(parameters: Parameters, broken: frozenset[Rule]) -> int:
    """The largest data segment that may be sent, in bytes."""
    largest = parameters.target_max_recv_data_segment_length
    return 2 * largest if Rule.SEGMENT in broken else largest


def data_outs(task: Task, ttt: int, lun: int, start: int, end: int, size: int) -> Iterator[DataOut]:
    """One sequence of Data-Out, in PDUs of at most ``size`` bytes (section 11.7)."""
    data = memoryview(task.data_out)
    for data_sn, offset in enumerate(range(start, end, size)):
        stop = min(offset + size, end)
        yield DataOut(
            final=stop == end,
            lun=lun,
            itt=task.itt,
            ttt=ttt,
            data_sn=data_sn,
            buffer_offset=offset,
            data=data[offset:stop],
        )


def take_r2t(task: Task, pdu: ReadyToTransfer, parameters: Parameters) -> tuple[int, int]:
    """From where to where an R2T wants data; raises PeerError if it may not (section 11.8)."""
    start = pdu.buffer_offset
    end = start + pdu.desired_data_transfer_length
    if pdu.r2t_sn != task.data_sn:
        raise PeerError(f"R2TSN {pdu.r2t_sn} came, {task.data_sn} was due", section="11.8.3")
    if pdu.ttt == NO_TASK:
        raise PeerError("an R2T with the reserved Target Transfer Tag", section="11.8.5")
    if not start < end <= len(task.data_out):
        raise PeerError(f"an R2T for bytes {start} to {end}, which are not", section="11.8.4")
    if end - start > parameters.max_burst_length:
        raise PeerError("an R2T for more than MaxBurstLength", section="11.8.4")
    if parameters.data_sequence_in_order and start < task.solicited:
        raise PeerError("an R2T for data before that of the last", section="13.19")
    task.data_sn = add(task.data_sn)
    task.solicited = end
    return start, end


def take_data_in(task: Task, pdu: DataIn, parameters: Parameters) -> None:
    """Put data in its place; raises PeerError if it is not as it has to be (section 11.7)."""
    start = pdu.buffer_offset
    end = start + len(pdu.data)
    if pdu.data_sn != task.data_sn:
        raise PeerError(f"DataSN {pdu.data_sn} came, {task.data_sn} was due", section="11.7.5")
    if end > task.expected_in:
        raise PeerError(
            f"data up to byte {end} of a command that reads {task.expected_in}", section="11.7.6"
        )
    if parameters.data_pdu_in_order and parameters.data_sequence_in_order and start != task.highest:
        raise PeerError(f"data from byte {start}, {task.highest} was due", section="13.18")
    task.sequence += len(pdu.data)
    task.data_sn, task.data_ins = add(task.data_sn), task.data_ins + 1
    if not task.buffer:
        task.buffer = bytearray(task.expected_in)
    task.buffer[start:end] = pdu.data
    task.received += len(pdu.data)
    task.highest = max(task.highest, end)
    if pdu.final:
        task.sequence = 0


def take_status(task: Task, pdu: DataIn | ScsiResponse) -> None:
    """How a command ended (sections 11.4 and 11.7.3); raises PeerError if that cannot be."""
    if pdu.overflow and pdu.underflow:
        raise PeerError("both a residual overflow and an underflow", section="11.4.5.1")
    task.status = pdu.status
    task.residual = pdu.residual_count if pdu.underflow else 0
    if pdu.overflow:
        task.residual = -pdu.residual_count
    if isinstance(pdu, ScsiResponse):
        task.response = pdu.response
        task.sense = bytes(pdu.sense)
        # The counter is shared with R2Ts in a bidirectional command (section 4.2.2.4).
        if not pdu.response and pdu.exp_data_sn not in (task.data_ins, task.data_sn):
            raise PeerError(
                f"ExpDataSN {pdu.exp_data_sn} after {task.data_ins} Data-In PDUs", section="11.4.8"
            )
        if pdu.bidirectional_underflow or pdu.bidirectional_overflow:
            count = pdu.bidirectional_residual_count
            task.read_residual = count if pdu.bidirectional_underflow else -count
    task.data_in = memoryview(task.buffer)[: task.highest]
