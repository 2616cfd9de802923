"""What an initiator sends to be written (RFC 7143 sections 4.2.5.2, 11.3, 11.7 and 11.8)."""

from __future__ import annotations

from trioscsi.conformance.monitors.monitor import Monitors, Remarks, Scene
from trioscsi.conformance.record import burst_of
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import NO_TASK, DataOut, ScsiCommand, TaskManagementRequest
from trioscsi.serial import less

MONITORS = Monitors()
watch = MONITORS.watch

W_OR_F = Rule("7143-11.3.1-1")
DIRECTION = Rule("7143-11.3.1-2")
FINAL_IF_COMPLETE = Rule("7143-11.3.4-2")
IMMEDIATE_AGREED = Rule("7143-13.11-1")
UNSOLICITED_AGREED = Rule("7143-11.8-1")
FIRST_BURST = Rule("7143-13.12-1")
WHOLE_BURST = Rule("7143-4.2.5.2-1")
DATA_SN = Rule("7143-4.2.2.4-1")
IN_R2T = Rule("7143-11.8-2")
CONTIGUOUS = Rule("7143-11.8-3")
FINAL_ON_LAST = Rule("7143-11.8-4")
TTT_COPIED = Rule("7143-11.7.4-1")
WHOLE_WORDS = Rule("7143-11.7.7-1", Level.SHOULD)
R2T_ORDER = Rule("7143-11.8-5")
LIVE_TASK = Rule("7143-4.2.5.1-1")
SAME_LUN = Rule("7143-4.2.5.3-1")


@watch("M-10", "A command has W or F, and a direction if it moves data.", ScsiCommand, alone=True)
def write_or_final(scene: Scene, pdu: ScsiCommand) -> Remarks:
    yield W_OR_F.holds(pdu.write or pdu.final, "neither W nor F is set")
    yield DIRECTION.holds(
        pdu.read or pdu.write or not pdu.expected_data_transfer_length,
        f"{pdu.expected_data_transfer_length} bytes are expected to move, in no direction",
    )


@watch("M-11", "F is set when the command brings all of its data.", ScsiCommand, founds=True)
def final_if_complete(scene: Scene, pdu: ScsiCommand) -> Remarks:
    if pdu.write and len(pdu.data) == pdu.expected_data_transfer_length:
        yield FINAL_IF_COMPLETE.holds(pdu.final, "all data are here, and F announces more")


@watch("M-12", "Immediate data come only where ImmediateData=Yes.", ScsiCommand, founds=True)
def immediate_data(scene: Scene, pdu: ScsiCommand) -> Remarks:
    if pdu.data:
        yield IMMEDIATE_AGREED.holds(scene.parameters.immediate_data, "ImmediateData is No")
        yield DIRECTION.holds(pdu.write, "data in a command that writes nothing")


@watch(
    "M-13",
    "Unsolicited Data-Out comes only where InitialR2T=No, and where the command announced it.",
    ScsiCommand,
    DataOut,
    founds=True,
)
def unsolicited_data(scene: Scene, pdu: ScsiCommand | DataOut) -> Remarks:
    if isinstance(pdu, ScsiCommand):
        if pdu.write and not pdu.final:
            agreed = not scene.parameters.initial_r2t
            yield UNSOLICITED_AGREED.holds(agreed, "F=0 announces data, and InitialR2T is Yes")
        return
    task = scene.connection.task(pdu.itt)
    if task is not None and pdu.ttt == NO_TASK and NO_TASK not in task.r2ts:
        yield UNSOLICITED_AGREED.holds(not scene.parameters.initial_r2t, "InitialR2T is Yes")
        yield UNSOLICITED_AGREED.holds(
            task.unsolicited is not None, "no unsolicited data were announced, or they are over"
        )


@watch(
    "M-14",
    "Unsolicited data are at most the first burst, and exactly that if they come apart.",
    ScsiCommand,
    DataOut,
    founds=True,
)
def first_burst(scene: Scene, pdu: ScsiCommand | DataOut) -> Remarks:
    most = scene.parameters.first_burst_length
    if isinstance(pdu, ScsiCommand):
        if pdu.data:
            allowed = min(most, pdu.expected_data_transfer_length)
            yield FIRST_BURST.holds(
                len(pdu.data) <= allowed,
                f"{len(pdu.data)} bytes of immediate data, {allowed} were allowed",
            )
        return
    task = scene.connection.task(pdu.itt)
    burst = None if task is None or pdu.ttt != NO_TASK else task.unsolicited
    if burst is None:
        return
    end = pdu.buffer_offset + len(pdu.data)
    yield FIRST_BURST.holds(
        end <= burst.end, f"unsolicited data up to byte {end}, {burst.end} were allowed"
    )
    if pdu.final and scene.parameters.data_pdu_in_order:
        yield WHOLE_BURST.holds(
            end >= burst.end, f"unsolicited data end at byte {end}, not at {burst.end}"
        )


@watch("M-15", "DataSN counts from 0 in each sequence.", DataOut, founds=True)
def data_sn(scene: Scene, pdu: DataOut) -> Remarks:
    task = scene.connection.task(pdu.itt)
    burst = None if task is None else burst_of(task, pdu)
    if burst is not None:
        yield DATA_SN.holds(
            pdu.data_sn == burst.data_sn, f"DataSN {pdu.data_sn}, {burst.data_sn} is the next"
        )


@watch(
    "M-16",
    "The data for an R2T are contiguous, within it, and end with F.",
    DataOut,
    founds=True,
)
def in_sequence(scene: Scene, pdu: DataOut) -> Remarks:
    task = scene.connection.task(pdu.itt)
    burst = None if task is None else burst_of(task, pdu)
    if task is None or burst is None:
        return
    end = pdu.buffer_offset + len(pdu.data)
    if scene.parameters.data_pdu_in_order:
        yield CONTIGUOUS.holds(
            pdu.buffer_offset == burst.position,
            f"data from byte {pdu.buffer_offset}, {burst.position} is the next",
        )
    if pdu.ttt == NO_TASK:
        return
    yield IN_R2T.holds(
        burst.start <= pdu.buffer_offset and end <= burst.end,
        f"bytes {pdu.buffer_offset} to {end}, asked for were {burst.start} to {burst.end}",
    )
    if end == burst.end and scene.parameters.data_pdu_in_order:
        yield FINAL_ON_LAST.holds(pdu.final, "the last data for an R2T, without F")
    elif pdu.final and scene.parameters.data_pdu_in_order:
        # Who aborts a task set ends these sequences as quickly as possible (section 11.5.1).
        yield FINAL_ON_LAST.holds(
            _aborting(scene, task.pdu.lun), f"F at byte {end}, asked for was {burst.end}"
        )


def _aborting(scene: Scene, lun: int) -> bool:
    session = scene.session
    return session is not None and any(
        isinstance(request.pdu, TaskManagementRequest) and request.pdu.lun == lun
        for request in session.tags.values()
    )


@watch("M-17", "Data-Out copies tag and LUN of the R2T that it answers.", DataOut, founds=True)
def transfer_tag(scene: Scene, pdu: DataOut) -> Remarks:
    task = scene.connection.task(pdu.itt)
    if task is None or pdu.ttt == NO_TASK:
        return
    burst = task.r2ts.get(pdu.ttt)
    yield TTT_COPIED.holds(burst is not None, f"no R2T with tag {pdu.ttt:#x} is to be answered")
    if burst is not None:
        # An R2T for another unit than that of its command has no LUN to be copied (4.2.5.3).
        kept = pdu.lun in (burst.lun, task.pdu.lun)
        yield TTT_COPIED.holds(kept, "the LUN is not that of the R2T")


@watch("M-18", "Data segments are whole words but for the last.", DataOut, alone=True)
def whole_words(scene: Scene, pdu: DataOut) -> Remarks:
    if not pdu.final:
        yield WHOLE_WORDS.holds(len(pdu.data) % 4 == 0, f"{len(pdu.data)} bytes without F")


@watch("M-19", "The R2Ts of a task are answered in their order.", DataOut)
def r2t_order(scene: Scene, pdu: DataOut) -> Remarks:
    task = scene.connection.task(pdu.itt)
    if task is not None and pdu.ttt in task.r2ts:
        first = next(iter(task.r2ts))
        yield R2T_ORDER.holds(
            pdu.ttt == first, f"R2T {pdu.ttt:#x} is answered before {first:#x}, which came first"
        )


@watch("M-20", "No data are sent for a task that is known to be over.", DataOut)
def live_task(scene: Scene, pdu: DataOut) -> Remarks:
    connection = scene.connection
    if connection.task(pdu.itt) is not None:
        yield LIVE_TASK.holds(True)
    elif pdu.itt in connection.ended:
        # Data that were on their way when the status was sent are nobody's fault.
        status = connection.ended[pdu.itt]
        known = status is not None and less(status, pdu.exp_stat_sn)
        yield LIVE_TASK.holds(not known, f"task {pdu.itt:#x} is over, and its status acknowledged")
    elif connection.session is not None and not connection.forgotten:
        retried = any(pdu.itt == itt for itt, _ in connection.session.retriable)
        elsewhere = pdu.itt in connection.session.tags
        yield LIVE_TASK.holds(
            retried,
            f"task {pdu.itt:#x} is one of another connection"
            if elsewhere
            else f"there was no task {pdu.itt:#x}",
        )


@watch("M-44", "All PDUs of a task name the same unit.", DataOut)
def same_unit(scene: Scene, pdu: DataOut) -> Remarks:
    task = scene.connection.task(pdu.itt)
    if task is not None and (pdu.ttt != NO_TASK or pdu.lun):
        yield SAME_LUN.holds(
            pdu.lun == task.pdu.lun, f"LUN {pdu.lun:#x}, the command had {task.pdu.lun:#x}"
        )
