"""A logout, as the target carries it out (RFC 7143 sections 11.9, 11.14 and 11.15).

The RFC gives the reasons and the answers in prose; the labels are ours.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a logout has to do after a transition."""

    ASK_INITIATOR = "Send the Async Message that asks for a logout, with its time."
    END_SESSION = "End every command of the session."
    END_CONNECTION = "End every command of the connection."
    SEND_SUCCESS = "Send Logout Response 0, then close."
    SEND_CID_NOT_FOUND = "Send Logout Response 1: the session has no such connection."
    SEND_RECOVERY_UNSUPPORTED = "Send Logout Response 2: this error recovery level has none."
    SEND_CLEANUP_FAILED = "Send Logout Response 3: commands could not be ended in time."
    DROP = "Close without a logout: the initiator did not do what it was asked."


class Inputs(Running, Protocol):
    """All that can happen around a logout."""

    def wanted(self) -> Effects:
        """The target wants the initiator to log out."""

    def close_session_requested(self) -> Effects:
        """A Logout Request with reason 0 arrived."""

    def close_connection_requested(self) -> Effects:
        """A Logout Request with reason 1 for this connection arrived."""

    def unknown_connection_requested(self) -> Effects:
        """A Logout Request for a connection that the session does not have arrived."""

    def recovery_requested(self) -> Effects:
        """A Logout Request with reason 2 arrived, and there is no connection recovery."""

    def commands_ended(self) -> Effects:
        """Nothing of what the Logout Request named is under way any more."""

    def commands_stuck(self) -> Effects:
        """Commands could not be ended in time."""

    def initiator_was_silent(self) -> Effects:
        """No Logout Request came in the time that the Async Message gave."""


rows = Rows(
    "logout",
    Inputs,
    section="11.14",
    sentence="How a connection, or a session with all its connections, is brought to its end.",
)
NONE = rows.state("NONE", "O0", "Nobody has asked for a logout.")
ASKED = rows.state("ASKED", "O1", "The initiator was asked to log out and has some time for it.")
ENDING = rows.state("ENDING", "O2", "Commands are being ended before the logout is answered.")
ANSWERED = rows.state("ANSWERED", "O3", "The Logout Response is sent.")
DROPPED = rows.state("DROPPED", "O4", "The connection was closed without a logout.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("ask", NONE.upon(I.wanted).to(ASKED), E.ASK_INITIATOR)
rfc("ask", ASKED.upon(I.wanted).to(ASKED), E.ASK_INITIATOR)
rfc("silent", ASKED.upon(I.initiator_was_silent).to(DROPPED), E.DROP)
for state in (NONE, ASKED):
    rfc("session", state.upon(I.close_session_requested).to(ENDING), E.END_SESSION)
    rfc("connection", state.upon(I.close_connection_requested).to(ENDING), E.END_CONNECTION)
    # The connection that carried a Logout Request stays up where the request named another.
    rfc("unknown", state.upon(I.unknown_connection_requested).to(state), E.SEND_CID_NOT_FOUND)
    rfc("recovery", state.upon(I.recovery_requested).to(state), E.SEND_RECOVERY_UNSUPPORTED)
rfc("done", ENDING.upon(I.commands_ended).to(ANSWERED), E.SEND_SUCCESS)
rfc("stuck", ENDING.upon(I.commands_stuck).to(ANSWERED), E.SEND_CLEANUP_FAILED)

machine = rows.build()
