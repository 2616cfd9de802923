"""A session, as the initiator sees it (RFC 7143 section 8.3).

Q2 and Q5 belong to targets alone, and so do N2 and N7 to N11.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a session has to do after a transition."""

    CREATE_NEXUS = "The I_T nexus exists: commands may be sent."
    RESUME_NEXUS = "The I_T nexus has a way to its target again: commands may be sent."
    RECOVER = "Wait Time2Wait, then log in anew while Time2Retain lasts."
    REPORT_NEXUS_LOSS = "The I_T nexus is lost: all commands end (section 6.3.5.1)."
    FREE_SESSION = "Forget the session and its numbers."


class Inputs(Running, Protocol):
    """All that can happen to a session."""

    def connection_logged_in(self) -> Effects:
        """A connection of the session reached LOGGED_IN."""

    def closed(self) -> Effects:
        """The session was logged out, or its last connection was with nothing left to recover."""

    def failed(self) -> Effects:
        """The last connection in full feature phase was lost."""

    def timed_out(self) -> Effects:
        """The last connection state timeout has passed, and no task waits for reassignment."""

    def reinstated(self) -> Effects:
        """A login with the same ISID and TSIH 0 has put a new session in the place of this one."""


rows = Rows(
    "initiator.session",
    Inputs,
    section="8.3",
    sentence="The connections between this initiator port and one target portal group.",
)
FREE = rows.state("FREE", "Q1", "The session does not exist yet, or is forgotten.")
LOGGED_IN = rows.state("LOGGED_IN", "Q3", "At least one connection is in full feature phase.")
FAILED = rows.state("FAILED", "Q4", "No connection is left; the session may still be recovered.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("N1", FREE.upon(I.connection_logged_in).to(LOGGED_IN), E.CREATE_NEXUS)
rfc("N3", LOGGED_IN.upon(I.closed).to(FREE), E.REPORT_NEXUS_LOSS, E.FREE_SESSION)
rfc("N5", LOGGED_IN.upon(I.failed).to(FAILED), E.RECOVER)
rfc("N4", FAILED.upon(I.connection_logged_in).to(LOGGED_IN), E.RESUME_NEXUS)
rfc("N6", FAILED.upon(I.timed_out).to(FREE), E.REPORT_NEXUS_LOSS, E.FREE_SESSION)
rfc("N6", FAILED.upon(I.reinstated).to(FREE), E.REPORT_NEXUS_LOSS, E.FREE_SESSION)

machine = rows.build()
