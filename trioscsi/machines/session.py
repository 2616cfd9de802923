"""A session, as the target sees it (RFC 7143 section 8.3)."""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a session has to do after a transition."""

    CREATE_NEXUS = "The I_T nexus exists: SCSI learns of a new initiator port."
    REPORT_NEXUS_LOSS = "The I_T nexus is lost: SCSI ends its commands (section 6.3.5)."
    FREE_SESSION = "Forget the session and its numbers."


class Inputs(Running, Protocol):
    """All that can happen to a session."""

    def leading_connection_in_login(self) -> Effects:
        """The first connection of the session reached IN_LOGIN."""

    def leading_login_failed(self) -> Effects:
        """The login of the first connection came to nothing."""

    def connection_logged_in(self) -> Effects:
        """A connection of the session reached LOGGED_IN."""

    def closed(self) -> Effects:
        """The session was logged out, or its last connection was with nothing left to recover."""

    def reinstated(self) -> Effects:
        """A login with the same ISID and TSIH 0 has taken the place of this session."""

    def failed(self) -> Effects:
        """The last connection in full feature phase was lost."""

    def timed_out(self) -> Effects:
        """The last connection state timeout has passed, and no task waits for reassignment."""

    def continuation_started(self) -> Effects:
        """A login that continues this failed session has begun."""

    def continuation_failed(self) -> Effects:
        """The last login that tried to continue this session came to nothing."""


rows = Rows(
    "session",
    Inputs,
    section="8.3",
    sentence="The connections between one initiator port and one target portal group.",
)
FREE = rows.state("FREE", "Q1", "The session does not exist, or is forgotten.")
ACTIVE = rows.state("ACTIVE", "Q2", "The first connection of the session is logging in.")
LOGGED_IN = rows.state("LOGGED_IN", "Q3", "At least one connection is in full feature phase.")
FAILED = rows.state("FAILED", "Q4", "No connection is left; the session waits to be recovered.")
IN_CONTINUE = rows.state("IN_CONTINUE", "Q5", "A login tries to bring the session back.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("N1", FREE.upon(I.leading_connection_in_login).to(ACTIVE))
rfc("N2", ACTIVE.upon(I.connection_logged_in).to(LOGGED_IN), E.CREATE_NEXUS)
rfc("N9", ACTIVE.upon(I.leading_login_failed).to(FREE), E.FREE_SESSION)
rfc("N3", LOGGED_IN.upon(I.closed).to(FREE), E.REPORT_NEXUS_LOSS, E.FREE_SESSION)
rfc("N3", LOGGED_IN.upon(I.reinstated).to(FREE), E.REPORT_NEXUS_LOSS, E.FREE_SESSION)
rfc("N5", LOGGED_IN.upon(I.failed).to(FAILED))
rfc(
    "N6",
    FAILED.upon(I.timed_out).to(FREE),
    E.REPORT_NEXUS_LOSS,
    E.FREE_SESSION,
)
rfc(
    "N6",
    FAILED.upon(I.reinstated).to(FREE),
    E.REPORT_NEXUS_LOSS,
    E.FREE_SESSION,
)
rfc("N7", FAILED.upon(I.continuation_started).to(IN_CONTINUE))
rfc("N8", IN_CONTINUE.upon(I.continuation_failed).to(FAILED))
rfc("N10", IN_CONTINUE.upon(I.connection_logged_in).to(LOGGED_IN))
rfc("N11", IN_CONTINUE.upon(I.reinstated).to(FREE), E.REPORT_NEXUS_LOSS, E.FREE_SESSION)

machine = rows.build()
