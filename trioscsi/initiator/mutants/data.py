"""Commands and the data that they write (sections 11.3 and 11.7): one fault a row."""

from __future__ import annotations

from trioscsi.initiator.deviations import Deviation, Rule, changing, dropping, repeating
from trioscsi.initiator.mutants.rows import cut, plus, reads, row, solicited, unsolicited, writes
from trioscsi.pdu import DataOut, ScsiCommand

MUTANTS: tuple[Deviation, ...] = (
    row("immediate-data", "13.11", "sends immediate data that was not agreed", Rule.IMMEDIATE_DATA),
    row("unsolicited-data", "13.10", "sends an unsolicited burst that was not agreed", Rule.INITIAL_R2T),
    row("first-burst", "13.14", "sends more than FirstBurstLength unasked", Rule.FIRST_BURST),
    row("segment", "13.12", "sends segments above MaxRecvDataSegmentLength", Rule.SEGMENT),
    row("command-without-f", "11.3.1", "announces data that does not come", changing(ScsiCommand, when=writes, final=False)),
    row("command-not-a-write", "11.3.1", "sends data with a command that does not write", changing(ScsiCommand, when=writes, write=False)),
    row("command-no-direction", "11.3.1", "does not say that a command reads", changing(ScsiCommand, when=reads, read=False)),
    row("command-length", "11.3.4", "expects to transfer nothing", changing(ScsiCommand, expected_data_transfer_length=0)),
    row("priority-unagreed", "11.3", "gives commands a priority, whatever was agreed", changing(ScsiCommand, priority=5)),
    row("command-attribute", "11.3.1", "has a task attribute that there is not", changing(ScsiCommand, attributes=7)),
    row("data-without-f", "11.7.1", "never ends a sequence", changing(DataOut, final=False)),
    row("data-early-f", "11.7.1", "ends a sequence with each PDU", changing(DataOut, final=True)),
    row("data-sn", "11.7.5", "counts DataSN from 1", changing(DataOut, data_sn=plus("data_sn"))),
    row("data-sn-stays", "11.7.5", "does not count DataSN", changing(DataOut, data_sn=0)),
    row("data-offset", "11.7.6", "puts data beside its place", changing(DataOut, buffer_offset=plus("buffer_offset", 4))),
    row("data-short", "11.8.4", "sends less than was asked for", changing(DataOut, data=cut(4))),
    row("data-tag", "11.7.4", "answers an R2T with another tag", changing(DataOut, when=solicited, ttt=plus("ttt"))),
    row("data-unasked-tag", "11.7.4", "sends unsolicited data with a tag", changing(DataOut, when=unsolicited, ttt=7)),
    row("data-task", "11.7", "sends data for a task that there is not", changing(DataOut, itt=plus("itt", 1000))),
    row("data-twice", "11.7", "sends each Data-Out twice", repeating(DataOut)),
    row("r2t-ignored", "11.8", "does not answer R2Ts", dropping(DataOut, when=solicited)),
    row("data-unacknowledged", "11.7.2", "does not acknowledge data that asks for it", Rule.ACKNOWLEDGE_DATA),
    row("r2t-missed", "7.9", "goes on though an R2T is missing", Rule.R2T_GAP),
    row("r2t-again", "7.9", "answers an R2T twice", Rule.R2T_ONCE),
    row("r2t-untagged", "11.8.5", "answers an R2T with the reserved tag", Rule.R2T_TAG),
    row("r2t-empty", "11.8.4", "waits after an R2T for nothing", Rule.R2T_LENGTH),
    row("r2t-long", "11.8.4", "answers an R2T for more than MaxBurstLength", Rule.R2T_BURST),
    row("r2t-beyond", "11.8.4", "answers an R2T for data that there is not", Rule.R2T_END),
    row("any-lun", "4.2.5.3", "answers an R2T for another unit", Rule.SAME_LUN),
    row("data-missed", "7.9", "goes on though data are missing", Rule.DATA_GAP),
    row("data-again", "7.9", "takes the data of a Data-In that comes twice", Rule.DATA_ONCE),
    row("data-uncounted", "11.4.8", "does not look how many Data-In there were", Rule.DATA_COUNT),
    row("data-beside", "13.18", "takes data beside their place", Rule.DATA_ORDER),
    row("data-beyond", "11.7.6", "takes data beyond what it expects", Rule.DATA_END),
    row("data-damaged", "7.8", "takes data that are damaged", Rule.DATA_DIGEST),
    row("header-damaged", "7.8", "does not look at header digests", Rule.HEADER_DIGEST),
    row("status-without-f", "11.7.3", "takes a status without F", Rule.FINAL_STATUS),
    row("residual-both", "11.4.5.1", "takes a residual of both kinds", Rule.ONE_RESIDUAL),
    row("sense-missing", "7.7", "takes CHECK CONDITION without sense data", Rule.SENSE_PRESENT),
    row("response-ignored", "11.4.3", "takes the status of a command that could not be carried out", Rule.RESPONSE_CODE),
)  # fmt: skip
