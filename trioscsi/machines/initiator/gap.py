"""PDUs that are missing, and asked for again (RFC 7143 sections 7.8, 7.9 and 11.16).

The RFC tells this in prose, so the labels are ours.  There is one such machine for the statuses of
a connection, and one for the data and the R2Ts of each command, from error recovery level 1 on.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What the initiator has to do after a transition."""

    SEND_SNACK = "Ask for what is missing, and let the timer run."
    STOP_TIMER = "Nothing is waited for any more."
    DO_WITHOUT = "What is missing will not come: let the command fail, or the connection."


class Inputs(Running, Protocol):
    """All that can happen to numbered PDUs."""

    def gap_seen(self) -> Effects:
        """Some have not come, which was not known before."""

    def filled(self) -> Effects:
        """All have come."""

    def timed_out(self) -> Effects:
        """What was asked for has not come in time."""

    def refused(self) -> Effects:
        """The target rejects the SNACK."""

    def tries_over(self) -> Effects:
        """It was asked for often enough."""


rows = Rows(
    "initiator.gap",
    Inputs,
    section="7.9",
    sentence="What an initiator misses among numbered PDUs, until it is there or is not to be had.",
)
COMPLETE = rows.state("COMPLETE", "P0", "All that is known of has come.")
ASKED = rows.state("ASKED", "P1", "A SNACK is on its way, or what it asks for.")
LOST = rows.state("LOST", "PX", "What is missing is not to be had.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("gap", COMPLETE.upon(I.gap_seen).to(ASKED), E.SEND_SNACK)
rfc("gap", ASKED.upon(I.gap_seen).to(ASKED), E.SEND_SNACK)
rfc("again", ASKED.upon(I.timed_out).to(ASKED), E.SEND_SNACK)
rfc("filled", ASKED.upon(I.filled).to(COMPLETE), E.STOP_TIMER)
rfc("refused", ASKED.upon(I.refused).to(LOST), E.STOP_TIMER, E.DO_WITHOUT)
rfc("lost", ASKED.upon(I.tries_over).to(LOST), E.STOP_TIMER, E.DO_WITHOUT)

machine = rows.build()
