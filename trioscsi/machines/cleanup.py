"""What happens to a connection after CLEANUP_WAIT (RFC 7143 section 8.2).

The RFC's CSM-C is this machine.  Its CSM-I is a new connection whose login logs this one out
implicitly, its CSM-E another connection of the session on which an explicit Logout Request arrives.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a cleanup has to do after a transition."""

    START_TIMER = "Let Time2Wait and Time2Retain run (again)."
    STOP_TIMER = "A logout decides now, not time."
    FREE_CONNECTION = "Forget the connection, and end the commands that belonged to it."


class Inputs(Running, Protocol):
    """All that can happen to a connection that waits for its cleanup."""

    def connection_timed_out(self) -> Effects:
        """Time2Wait and Time2Retain have passed (section 6.3.6)."""

    def session_logout_answered_elsewhere(self) -> Effects:
        """The session was closed by a logout on another connection."""

    def logout_started(self) -> Effects:
        """A reinstating login, or a Logout Request for this CID, arrived on another connection."""

    def logout_succeeded(self) -> Effects:
        """The reinstating login reached LOGGED_IN, or the explicit logout was carried out."""

    def logout_failed(self) -> Effects:
        """The reinstating login, or the explicit logout, came to nothing."""


rows = Rows(
    "cleanup",
    Inputs,
    section="8.2",
    sentence="What is left of a connection whose transport failed, until it may be forgotten.",
)
CLEANUP_WAIT = rows.state("CLEANUP_WAIT", "R1", "Nobody has begun to clean this connection up.")
IN_CLEANUP = rows.state("IN_CLEANUP", "R2", "A logout of this connection is under way elsewhere.")
FREE = rows.state("FREE", "R3", "Nothing of the connection is left.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("M1", CLEANUP_WAIT.upon(I.connection_timed_out).to(FREE), E.FREE_CONNECTION)
rfc(
    "M1",
    CLEANUP_WAIT.upon(I.session_logout_answered_elsewhere).to(FREE),
    E.STOP_TIMER,
    E.FREE_CONNECTION,
)
rfc("M2", CLEANUP_WAIT.upon(I.logout_started).to(IN_CLEANUP), E.STOP_TIMER)
rfc("M3", IN_CLEANUP.upon(I.logout_failed).to(CLEANUP_WAIT), E.START_TIMER)
rfc("M4", IN_CLEANUP.upon(I.logout_succeeded).to(FREE), E.FREE_CONNECTION)
rfc(
    "M4",
    IN_CLEANUP.upon(I.session_logout_answered_elsewhere).to(FREE),
    E.STOP_TIMER,
    E.FREE_CONNECTION,
)

machine = rows.build()
