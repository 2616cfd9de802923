"""How a target moves the data of its commands, and ends them (RFC 7143 sections 11.4, 11.7, 11.8).

All of it relies on what the initiator has sent: see `Monitor.relies`.
"""

from __future__ import annotations

from trioscsi.conformance.monitors.monitor import Monitors, Remarks, Scene
from trioscsi.conformance.record import Task
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import NO_TASK, DataIn, ReadyToTransfer, ScsiResponse, ScsiResult
from trioscsi.text import Side

MONITORS = Monitors()
watch = MONITORS.watch

FOR_A_TASK = Rule("7143-4.2.5.1-2")
SEQUENCED = Rule("7143-4.2.2.4-2")
DATA_IN_ORDER = Rule("7143-13.19-1")
BURST = Rule("7143-11.7.1-2")
STATUS_IS_FINAL = Rule("7143-11.7.3-1")
NO_BIDIRECTIONAL_STATUS = Rule("7143-11.7.3-2")
NO_ERROR_IN_DATA = Rule("7143-11.7.3-3")
NO_ACKNOWLEDGE = Rule("7143-11.7.2-1")
R2T_LENGTH = Rule("7143-11.8.4-1")
R2T_TAG = Rule("7143-11.8.5-1")
R2T_LUN = Rule("7143-4.2.5.3-1")
R2T_CONTIGUOUS = Rule("7143-11.8-6")
R2T_OUTSTANDING = Rule("7143-13.17-1")
R2T_WITHIN = Rule("7143-4.2.5.2-2")
EXP_DATA_SN = Rule("7143-11.4.8-1")
NO_FLAGS_IN_FAILURE = Rule("7143-11.4.1-1")
RESIDUAL_ZERO = Rule("7143-11.4.5.1-1", Level.SHOULD)
RESIDUAL = Rule("7143-11.4.5.1-2")
UNDERFLOW = Rule("7143-11.4.5.2-1")
DATA_AWAITED = Rule("7143-11.4.2-1")
SENSE = Rule("7143-11.4.7-1")

_CHECK_CONDITION = 2
_EXCEPTIONS = frozenset({_CHECK_CONDITION})
_TARGET = {"sender": Side.TARGET, "relies": True}


def _task(scene: Scene, itt: int) -> Task | None:
    return scene.connection.task(itt)


@watch("T-08", "Data-In is numbered, in order, and within what is expected.", DataIn, **_TARGET)
def data_in(scene: Scene, pdu: DataIn) -> Remarks:
    task = _task(scene, pdu.itt)
    yield FOR_A_TASK.holds(task is not None, f"no command with tag {pdu.itt:#x} is under way here")
    if task is None or task.recovers:
        return
    yield SEQUENCED.holds(
        pdu.data_sn == task.sequence_number,
        f"DataSN {pdu.data_sn}, {task.sequence_number} is the next",
    )
    if scene.parameters.data_pdu_in_order and scene.parameters.data_sequence_in_order:
        yield DATA_IN_ORDER.holds(
            pdu.buffer_offset == task.received,
            f"data from byte {pdu.buffer_offset}, {task.received} is the next",
        )
    end = pdu.buffer_offset + len(pdu.data)
    yield UNDERFLOW.holds(
        end <= task.expected_in, f"data up to byte {end}, {task.expected_in} are expected"
    )
    burst = task.sequence + len(pdu.data)
    yield BURST.holds(burst <= scene.parameters.max_burst_length, f"a sequence of {burst} bytes")
    yield NO_ACKNOWLEDGE.holds(
        not pdu.acknowledge or scene.parameters.error_recovery_level,
        "A at error recovery level 0",
    )
    if pdu.has_status:
        yield STATUS_IS_FINAL.holds(pdu.final, "S without F")
        yield NO_BIDIRECTIONAL_STATUS.holds(
            not task.pdu.write, "the status of a bidirectional command"
        )
        yield NO_ERROR_IN_DATA.holds(pdu.status not in _EXCEPTIONS, "an error in Data-In")
        yield from _residual(pdu, task, task.received + len(pdu.data))


@watch("T-09", "An R2T asks for data that are there to be asked for.", ReadyToTransfer, **_TARGET)
def r2t(scene: Scene, pdu: ReadyToTransfer) -> Remarks:
    parameters, task = scene.parameters, _task(scene, pdu.itt)
    yield R2T_TAG.holds(pdu.ttt != NO_TASK, "the reserved tag")
    length = pdu.desired_data_transfer_length
    yield R2T_LENGTH.holds(
        0 < length <= parameters.max_burst_length, f"{length} bytes are asked for"
    )
    yield FOR_A_TASK.holds(task is not None, f"no command with tag {pdu.itt:#x} is under way here")
    if task is None or task.recovers:
        return
    yield SEQUENCED.holds(
        pdu.r2t_sn == task.sequence_number,
        f"R2TSN {pdu.r2t_sn}, {task.sequence_number} is the next",
    )
    yield R2T_LUN.holds(pdu.lun == task.pdu.lun, "the LUN is not that of the command")
    yield R2T_TAG.holds(pdu.ttt not in task.r2ts, f"tag {pdu.ttt:#x} is in use")
    end = pdu.buffer_offset + length
    yield R2T_WITHIN.holds(
        end <= task.expected_out, f"up to byte {end}, {task.expected_out} are expected"
    )
    # Above level 0 a target may ask once more for what it has lost.
    recovers = bool(parameters.error_recovery_level) and end <= task.solicited
    if parameters.data_sequence_in_order and not recovers:
        yield R2T_CONTIGUOUS.holds(
            pdu.buffer_offset == task.solicited,
            f"data from byte {pdu.buffer_offset}, {task.solicited} is the next",
        )
    yield R2T_OUTSTANDING.holds(
        len(task.r2ts) < parameters.max_outstanding_r2t,
        f"{len(task.r2ts) + 1} R2Ts are outstanding",
    )


@watch(
    "T-10",
    "A SCSI Response ends a command, once, and accounts for its data.",
    ScsiResponse,
    **_TARGET,
)
def response(scene: Scene, pdu: ScsiResponse) -> Remarks:
    task = _task(scene, pdu.itt)
    yield FOR_A_TASK.holds(task is not None, f"no command with tag {pdu.itt:#x} is under way here")
    if pdu.response != ScsiResult.COMPLETED:
        flags = pdu.overflow or pdu.underflow
        flags = flags or pdu.bidirectional_overflow or pdu.bidirectional_underflow
        yield NO_FLAGS_IN_FAILURE.holds(not flags, "residual bits of a command that failed")
    if task is None or task.recovers:
        return
    sent = task.data_ins if pdu.response == ScsiResult.COMPLETED else 0
    yield EXP_DATA_SN.holds(
        pdu.exp_data_sn == sent, f"ExpDataSN {pdu.exp_data_sn} after {sent} Data-In"
    )
    yield STATUS_IS_FINAL.holds(not task.in_sequence, "the last Data-In had no F")
    yield DATA_AWAITED.holds(
        task.unsolicited is None and not task.r2ts, "data of this command are still to come"
    )
    if pdu.status == _CHECK_CONDITION and pdu.response == ScsiResult.COMPLETED:
        yield SENSE.holds(pdu.data, "CHECK CONDITION without sense data")
    if pdu.response == ScsiResult.COMPLETED:
        yield from _residual(pdu, task, task.received)


def _residual(pdu: DataIn | ScsiResponse, task: Task, received: int) -> Remarks:
    yield RESIDUAL.holds(not (pdu.overflow and pdu.underflow), "overflow and underflow")
    if pdu.overflow or pdu.underflow:
        yield RESIDUAL.holds(pdu.residual_count, "a residual of nothing")
    else:
        yield RESIDUAL_ZERO.holds(not pdu.residual_count, "a residual count, and neither O nor U")
    if task.pdu.read and not task.pdu.write and not pdu.status:
        # A command that moves data the other way has none for the initiator, but an overflow.
        missing = 0 if pdu.overflow and not received else task.expected_in - received
        yield UNDERFLOW.holds(
            not missing or (pdu.underflow and pdu.residual_count == missing),
            f"{missing} bytes are missing, and the residual is {pdu.residual_count}",
        )
