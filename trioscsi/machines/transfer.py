"""One sequence of Data-Out PDUs, as the target sees it (RFC 7143 sections 11.7 and 11.8).

A sequence is the unsolicited burst of a command, or the answer to one R2T; the RFC says its rules
in prose and the labels are ours.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What is done with a Data-Out PDU."""

    STORE = "Put the data where the buffer offset says."
    END_SEQUENCE = "The sequence is over: ask for the next, or go on with the command."
    NOTE_FAULT = "Remember what was wrong for the status of the command."


class Inputs(Running, Protocol):
    """All that a Data-Out PDU can mean to its sequence."""

    def data_arrived(self) -> Effects:
        """Data came as expected, and more will follow."""

    def last_data_arrived(self) -> Effects:
        """Data came as expected, with F, and completes the sequence."""

    def ended_short(self) -> Effects:
        """F came before all the data of the sequence."""

    def fault_found(self) -> Effects:
        """Data came out of place, or more than was asked for; more PDUs will follow."""

    def last_fault_found(self) -> Effects:
        """Data came out of place, or more than was asked for, with F."""


rows = Rows(
    "transfer",
    Inputs,
    section="11.7",
    sentence="One sequence of Data-Out: an unsolicited burst, or the answer to an R2T.",
)
EXPECTED = rows.state("EXPECTED", "C0", "The sequence was announced; none of it has come.")
RECEIVING = rows.state("RECEIVING", "C1", "Some of the sequence has come, all of it in place.")
BROKEN = rows.state("BROKEN", "C1e", "Something was wrong; the rest is dropped until F.")
COMPLETE = rows.state("COMPLETE", "C2", "All data of the sequence has come.")
FAILED = rows.state("FAILED", "C2e", "The sequence has ended, and not all of it is there.")

I, E, rfc = Inputs, Effect, rows.rfc

for state in (EXPECTED, RECEIVING):
    rfc("data", state.upon(I.data_arrived).to(RECEIVING), E.STORE)
    rfc("last", state.upon(I.last_data_arrived).to(COMPLETE), E.STORE, E.END_SEQUENCE)
    rfc("short", state.upon(I.ended_short).to(FAILED), E.STORE, E.NOTE_FAULT, E.END_SEQUENCE)
    rfc("fault", state.upon(I.fault_found).to(BROKEN), E.NOTE_FAULT)
    rfc("fault", state.upon(I.last_fault_found).to(FAILED), E.NOTE_FAULT, E.END_SEQUENCE)
rfc("drop", BROKEN.upon(I.data_arrived).to(BROKEN))
rfc("drop", BROKEN.upon(I.fault_found).to(BROKEN))
rfc("drop", BROKEN.upon(I.last_data_arrived).to(FAILED), E.END_SEQUENCE)
rfc("drop", BROKEN.upon(I.ended_short).to(FAILED), E.END_SEQUENCE)
rfc("drop", BROKEN.upon(I.last_fault_found).to(FAILED), E.END_SEQUENCE)

machine = rows.build()
