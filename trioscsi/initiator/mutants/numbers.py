"""Numbers and tags (section 4.2.2): one fault a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.deviations import Deviation, Rule, changing, repeating
from trioscsi.initiator.mutants.rows import ACKNOWLEDGING, REQUESTS, counted, plus, row, solicited
from trioscsi.pdu import NO_TASK, NopOut, Pdu, ScsiCommand, TaskManagementRequest

_HALF = 2**31


def _counts_pings(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, NopOut) and pdu.immediate:
        connection.session.numbers.take()
    return (pdu,)


MUTANTS: tuple[Deviation, ...] = (
    row("cmdsn-skips", "4.2.2.1", "leaves a CmdSN out", changing(ScsiCommand, when=counted, cmd_sn=plus("cmd_sn"))),
    row("cmdsn-stays", "4.2.2.1", "uses a CmdSN twice", repeating(ScsiCommand)),
    row("cmdsn-far", "4.2.2.1", "uses a CmdSN far outside the window", changing(ScsiCommand, when=counted, cmd_sn=plus("cmd_sn", 2**20))),
    row("window-ignored", "4.2.2.1", "sends commands while the window is closed", Rule.WINDOW),
    row("exp-stat-sn-zero", "4.2.2.2", "never acknowledges a status", changing(*ACKNOWLEDGING, exp_stat_sn=0)),
    row("exp-stat-sn-ahead", "4.2.2.2", "acknowledges a status that has not come", changing(*ACKNOWLEDGING, exp_stat_sn=plus("exp_stat_sn"))),
    row("tag-reused", "11.2.1.8", "gives a tag to two tasks", Rule.UNIQUE_TAGS),
    row("tag-reserved", "11.2.1.8", "gives a command the reserved tag", changing(ScsiCommand, itt=NO_TASK)),
    row("all-immediate", "11.2.1.1", "sends every request as an immediate one", changing(*REQUESTS, immediate=True)),
    row("immediate-waits", "4.2.2.1", "sends no immediate request while the window is closed", Rule.IMMEDIATE_PASSES),
    row("window-shrinks", "4.2.2.1", "believes a MaxCmdSN below one that has come", Rule.NEWEST_WINDOW),
    row("window-contradicts", "4.2.2.1", "believes a MaxCmdSN below ExpCmdSN - 1", Rule.CONSISTENT_WINDOW),
    row("status-missed", "7.9", "goes on though a status is missing", Rule.STATUS_GAP),
    row("status-again", "7.9", "takes a status twice", Rule.STATUS_ONCE),
    row("stray-panic", "4.2.5.3", "ends the session when something has a tag that nothing has", Rule.STRAYS_DISCARDED),
    row("any-connection", "4.2.5.1", "takes what comes by another connection than its task's", Rule.OWN_CONNECTION),
    row("cmdsn-no-zero", "4.2.2.1", "leaves the CmdSN 0 out when it wraps", changing(ScsiCommand, when=lambda pdu: pdu.cmd_sn < _HALF, cmd_sn=plus("cmd_sn"))),
    row("immediate-counted", "4.2.2.1", "counts CmdSN up with immediate pings", _counts_pings),
    row("management-number", "4.2.2.1", "gives immediate task management a CmdSN that is not the next", changing(TaskManagementRequest, cmd_sn=plus("cmd_sn", 3))),
    row("management-counted", "4.2.2.1", "sends task management as no immediate request, whatever the window", changing(TaskManagementRequest, immediate=False)),
    row("retry-changed", "7.2.1", "sends a command again with another tag", repeating(ScsiCommand, itt=0x7777)),
    row("ping-late", "4.2.2.2", "acknowledges all but the last status with its answer to a ping", changing(NopOut, when=solicited, exp_stat_sn=plus("exp_stat_sn", -1))),
)  # fmt: skip
