"""The data of a command, both ways, at the initiator (RFC 7143 sections 4.2.5, 11.7 and 11.8)."""

from __future__ import annotations

from collections.abc import Iterator

from trioscsi.errors import PeerError
from trioscsi.initiator.gaps import MOST, Numbers
from trioscsi.initiator.requests import Task
from trioscsi.initiator.rules import Rule, Rules
from trioscsi.pdu import NO_TASK, DataIn, DataOut, ReadyToTransfer, ScsiResponse
from trioscsi.serial import distance
from trioscsi.text import Parameters

CHECK_CONDITION = 0x02
_QUALIFIED = 2
"""The iSCSIProtocolLevel from which on statuses have qualifiers (RFC 7144 section 5.2.1)."""


def unsolicited(task: Task, parameters: Parameters, rules: Rules) -> tuple[int, int]:
    """How many bytes of data go with a command, and up to where data follows it unasked."""
    length = len(task.data_out)
    immediate = parameters.immediate_data or not rules.keep(Rule.IMMEDIATE_DATA)
    burst = not parameters.initial_r2t or not rules.keep(Rule.INITIAL_R2T)
    first = length
    if rules.keep(Rule.FIRST_BURST):
        first = min(length, parameters.first_burst_length)
    with_command = min(first, segment(parameters, rules)) if immediate else 0
    return with_command, first if burst else with_command


def segment(parameters: Parameters, rules: Rules) -> int:
    """The largest data segment that may be sent, in bytes."""
    largest = parameters.target_max_recv_data_segment_length
    return largest if rules.keep(Rule.SEGMENT) else 2 * largest


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


def take_r2t(
    task: Task, pdu: ReadyToTransfer, parameters: Parameters, rules: Rules
) -> tuple[int, int]:
    """From where to where an R2T wants data; raises PeerError if it may not (section 11.8).

    An R2T that has come before wants nothing (section 7.9).
    """
    start = pdu.buffer_offset
    end = start + pdu.desired_data_transfer_length
    if task.renumbered:
        task.numbers, task.renumbered = Numbers(pdu.r2t_sn, end=pdu.r2t_sn), False
    if task.numbers.has(pdu.r2t_sn):
        return (start, start) if rules.keep(Rule.R2T_ONCE) else (start, end)
    insist, level = rules.insist, parameters.error_recovery_level
    same = pdu.lun == task.lun
    insist(Rule.SAME_LUN, same, "an R2T for another unit than its command's", "4.2.5.3")
    gap = distance(task.data_sn, pdu.r2t_sn)
    reason = f"R2TSN {pdu.r2t_sn} came, {task.data_sn} was due"
    insist(Rule.R2T_GAP, gap < MOST if level else not gap, reason, "7.9")
    if gap and not level:
        task.numbers = Numbers(pdu.r2t_sn, end=pdu.r2t_sn)
    tagged = pdu.ttt != NO_TASK
    insist(Rule.R2T_TAG, tagged, "an R2T with the reserved Target Transfer Tag", "11.8.5")
    insist(Rule.R2T_LENGTH, start < end, "an R2T for nothing", "11.8.4")
    beyond = f"an R2T for bytes {start} to {end} of {len(task.data_out)}"
    insist(Rule.R2T_END, end <= len(task.data_out), beyond, "11.8.4")
    short = end - start <= parameters.max_burst_length
    insist(Rule.R2T_BURST, short, "an R2T for more than MaxBurstLength", "11.8.4")
    # Above level 0 a target may ask once more for what it has lost (section 7.8).
    if not level and parameters.data_sequence_in_order and start < task.solicited:
        raise PeerError("an R2T for data before that of the last", section="13.19")
    task.numbers.come(pdu.r2t_sn)
    task.solicited = max(task.solicited, end)
    return start, end


def take_data_in(task: Task, pdu: DataIn, parameters: Parameters, rules: Rules) -> bool:
    """Put data in its place; returns whether it is new (section 7.9).

    Raises PeerError if it is not as it has to be (section 11.7).
    """
    start = pdu.buffer_offset
    end = start + len(pdu.data)
    if task.numbers.has(pdu.data_sn):
        if not rules.keep(Rule.DATA_ONCE):
            task.buffer[start:end] = pdu.data
        return False
    gap, level = distance(task.data_sn, pdu.data_sn), parameters.error_recovery_level
    reason = f"DataSN {pdu.data_sn} came, {task.data_sn} was due"
    rules.insist(Rule.DATA_GAP, gap < MOST if level else not gap, reason, "7.9")
    if gap and not level:
        task.numbers = Numbers(pdu.data_sn, end=pdu.data_sn)
    if pdu.ttt != NO_TASK:
        same = pdu.lun == task.lun
        rules.insist(Rule.SAME_LUN, same, "data of another unit than its command's", "4.2.5.3")
    beyond = f"data up to byte {end} of a command that reads {task.expected_in}"
    rules.insist(Rule.DATA_END, end <= task.expected_in, beyond, "11.7.6")
    if not gap and not task.numbers.ahead and _in_order(task, pdu, parameters):
        disordered = f"data from byte {start}, {task.highest} was due"
        rules.insist(Rule.DATA_ORDER, start == task.highest, disordered, "13.18")
    task.sequence += len(pdu.data)
    task.numbers.come(pdu.data_sn, len(pdu.data))
    task.data_ins += 1
    if not task.buffer:
        task.buffer = bytearray(task.expected_in)
    task.buffer[start:end] = pdu.data
    task.received += len(pdu.data)
    task.highest = max(task.highest, end)
    if pdu.final:
        task.sequence = 0
    return True


def _in_order(task: Task, pdu: DataIn, parameters: Parameters) -> bool:
    """Whether data have to begin where the last ended: in a sequence, or at its beginning."""
    if task.sequence:
        return parameters.data_pdu_in_order
    return parameters.data_pdu_in_order and parameters.data_sequence_in_order


def missing_data(task: Task, pdu: ScsiResponse, rules: Rules) -> bool:
    """Whether a response says that more Data-In were sent than have come (section 11.4.8).

    Some targets (tgt) say of commands that have failed that none were sent, which harms nobody.
    """
    # The counter is shared with R2Ts in a bidirectional command (section 4.2.2.4).
    if pdu.response or pdu.exp_data_sn <= max(task.data_ins, task.data_sn):
        return False
    return rules.keep(Rule.DATA_COUNT)


def take_status(
    task: Task, pdu: DataIn | ScsiResponse, parameters: Parameters, rules: Rules
) -> None:
    """How a command ended (sections 11.4 and 11.7.3); raises PeerError if that cannot be."""
    task.data_in = memoryview(task.buffer)[: task.highest]
    if isinstance(pdu, ScsiResponse):
        task.response = pdu.response if rules.keep(Rule.RESPONSE_CODE) else 0
        if task.response:
            return  # nothing else in it means anything (section 11.4.3)
        failed = pdu.status == CHECK_CONDITION
        silent = "CHECK CONDITION without sense data"
        rules.insist(Rule.SENSE_PRESENT, bool(pdu.data) or not failed, silent, "7.7")
        task.sense = bytes(pdu.sense)
        if parameters.protocol_level >= _QUALIFIED:
            task.status_qualifier = pdu.status_qualifier
        if pdu.bidirectional_underflow or pdu.bidirectional_overflow:
            count = pdu.bidirectional_residual_count
            task.read_residual = count if pdu.bidirectional_underflow else -count
    both = "both a residual overflow and an underflow"
    rules.insist(Rule.ONE_RESIDUAL, not (pdu.overflow and pdu.underflow), both, "11.4.5.1")
    task.status = pdu.status
    task.residual = pdu.residual_count if pdu.underflow else 0
    if pdu.overflow:
        task.residual = -pdu.residual_count
    whole = bool(pdu.status) or task.received == task.highest
    rules.insist(Rule.DATA_GAP, whole, "data that leave holes, or overlap", "11.7.6")
