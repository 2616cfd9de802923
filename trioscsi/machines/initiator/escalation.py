"""What becomes of a command that is not answered in time (RFC 7143 section 7.11).

The RFC tells this in prose, so the labels are ours.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What the initiator has to do after a transition."""

    SEND_ABORT = "Send ABORT TASK for the command."
    SEND_RESET = "Send LOGICAL UNIT RESET for its unit."
    DROP_SESSION = "Drop all connections: the session has failed."


class Inputs(Running, Protocol):
    """All that can happen to a command that somebody waits for."""

    def timed_out(self) -> Effects:
        """No answer has come in time: to the command, or to the function that is to end it."""

    def function_done(self) -> Effects:
        """The target says that the function has ended the command."""

    def function_failed(self) -> Effects:
        """The target says that the function could not be carried out, or cannot be asked."""

    def answered(self) -> Effects:
        """The command is over in its own right."""


rows = Rows(
    "initiator.escalation",
    Inputs,
    section="7.11",
    sentence="A command that takes too long is aborted, or else its unit reset, or all is dropped.",
)
WAITING = rows.state("WAITING", "W0", "The answer to the command is due.")
ABORTING = rows.state("ABORTING", "W1", "ABORT TASK was sent.")
RESETTING = rows.state("RESETTING", "W2", "LOGICAL UNIT RESET was sent.")
OVER = rows.state("OVER", "WX", "The command has ended, one way or another.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("abort", WAITING.upon(I.timed_out).to(ABORTING), E.SEND_ABORT)
rfc("aborted", ABORTING.upon(I.function_done).to(OVER))
rfc("reset", ABORTING.upon(I.function_failed).to(RESETTING), E.SEND_RESET)
rfc("reset", ABORTING.upon(I.timed_out).to(RESETTING), E.SEND_RESET)
rfc("cleared", RESETTING.upon(I.function_done).to(OVER))
rfc("drop", RESETTING.upon(I.function_failed).to(OVER), E.DROP_SESSION)
rfc("drop", RESETTING.upon(I.timed_out).to(OVER), E.DROP_SESSION)
for state in (WAITING, ABORTING, RESETTING):
    rfc("answer", state.upon(I.answered).to(OVER))

machine = rows.build()
