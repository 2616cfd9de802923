"""A SCSI command, as the target sees it (RFC 7143 sections 4.2.2.1, 4.2.5 and 11.3 to 11.8).

The RFC tells this in prose; the labels are ours.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a task has to do after a transition."""

    HOLD = "Keep the command until those before it have arrived."
    DELIVER = "Hand the command to the device server."
    SOLICIT = "Ask for the data that is missing, by R2T."
    RESUME = "Tell the device server that its data is there, or what was wrong with it."
    RESPOND = "Send status, the last of a command's PDUs."
    FORGET = "Take the task out of the task set without an answer."


class Inputs(Running, Protocol):
    """All that can happen to a task."""

    def arrived_in_order(self) -> Effects:
        """The command arrived, and is immediate or has the CmdSN that was expected."""

    def arrived_early(self) -> Effects:
        """The command arrived before one with a lower CmdSN."""

    def turn_came(self) -> Effects:
        """All commands before this one have arrived."""

    def data_wanted(self) -> Effects:
        """The device server wants data of which not all is there."""

    def data_completed(self) -> Effects:
        """All sequences that were announced have ended, and nothing is left to ask for."""

    def finished(self) -> Effects:
        """The device server is done, and no data is on its way."""

    def finished_early(self) -> Effects:
        """The device server is done, but data that was announced is still on its way."""

    def terminated(self) -> Effects:
        """Another initiator ended the task, and this one is told so; no data is on its way."""

    def terminated_early(self) -> Effects:
        """The same, but data that was announced is still on its way."""

    def aborted(self) -> Effects:
        """Task management, a logout or the loss of the nexus ended the task."""


rows = Rows(
    "task",
    Inputs,
    section="11.3",
    sentence="One SCSI command, from its PDU to its status.",
)
NEW = rows.state("NEW", "A0", "The PDU is read; the task has no place yet.")
HELD = rows.state("HELD", "A0h", "The task waits for commands that come before it.")
EXECUTING = rows.state("EXECUTING", "A1", "The device server has the task.")
RECEIVING = rows.state("RECEIVING", "A3", "The device server waits for data from the initiator.")
DRAINING = rows.state("DRAINING", "A3e", "Status is known; announced data must still arrive.")
RESPONDED = rows.state("RESPONDED", "A6", "Status is sent.")
ABORTED = rows.state("ABORTED", "A7", "The task has ended without status.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("deliver", NEW.upon(I.arrived_in_order).to(EXECUTING), E.DELIVER)
rfc("hold", NEW.upon(I.arrived_early).to(HELD), E.HOLD)
rfc("deliver", HELD.upon(I.turn_came).to(EXECUTING), E.DELIVER)
rfc("receive", EXECUTING.upon(I.data_wanted).to(RECEIVING), E.SOLICIT)
rfc("resume", RECEIVING.upon(I.data_completed).to(EXECUTING), E.RESUME)
rfc("finish", EXECUTING.upon(I.finished).to(RESPONDED), E.RESPOND)
# Status goes out only after the last sequence that was announced (section 11.4.2).
rfc("finish-early", EXECUTING.upon(I.finished_early).to(DRAINING))
for state in (EXECUTING, RECEIVING):
    rfc("terminate", state.upon(I.terminated).to(RESPONDED), E.RESPOND)
    rfc("terminate-early", state.upon(I.terminated_early).to(DRAINING))
rfc("drain", DRAINING.upon(I.data_completed).to(RESPONDED), E.RESPOND)

for state in (HELD, EXECUTING, RECEIVING, DRAINING):
    rfc("abort", state.upon(I.aborted).to(ABORTED), E.FORGET)

machine = rows.build()
