"""Commands and the data that they write (sections 11.3 and 11.7): one fault a row."""

from __future__ import annotations

from trioscsi.initiator.deviations import Deviation, Rule, changing, dropping, repeating
from trioscsi.initiator.mutants.rows import cut, plus, row, solicited, unsolicited, writes
from trioscsi.pdu import DataOut, ScsiCommand

MUTANTS: tuple[Deviation, ...] = (
    row("immediate-data", "13.11", "sends immediate data that was not agreed", Rule.IMMEDIATE_DATA),
    row("unsolicited-data", "13.10", "sends an unsolicited burst that was not agreed", Rule.INITIAL_R2T),
    row("first-burst", "13.14", "sends more than FirstBurstLength unasked", Rule.FIRST_BURST),
    row("segment", "13.12", "sends segments above MaxRecvDataSegmentLength", Rule.SEGMENT),
    row("command-without-f", "11.3.1", "announces data that does not come", changing(ScsiCommand, when=writes, final=False)),
    row("command-not-a-write", "11.3.1", "sends data with a command that does not write", changing(ScsiCommand, when=writes, write=False)),
    row("command-length", "11.3.4", "expects to transfer nothing", changing(ScsiCommand, expected_data_transfer_length=0)),
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
)  # fmt: skip
