"""Which transition of one machine feeds which input of another (RFC 7143 sections 6.3 and 8).

The machines know nothing of one another; this table is all that joins them.  The protocol layer
asks it at each labelled transition, so nothing else has to remember what follows from what.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs


class When(enum.Enum):
    """What has to be true of the connection and its session, besides the transition."""

    ALWAYS = "always"
    LEADING = "the connection is the first of a new session"
    CONTINUING = "the session has failed, and this login may bring it back"
    LAST = "no other connection of the session is in full feature phase"
    LAST_AND_CLEAN = "no connection of the session is left, not even one that waits for cleanup"
    LAST_ATTEMPT = "no other login tries to bring the session back"


class Whom(enum.Enum):
    """Whose machine is fed."""

    SESSION = "the session of the connection"
    OTHERS = "the other connections of the session"
    OLD_SESSION = "the session whose place was taken"
    OLD_CONNECTIONS = "the connections of the session whose place was taken"


@attrs.frozen
class Coupling:
    """``label`` of ``source``, if ``when`` holds, feeds ``cause`` to the ``machine`` of ``whom``."""

    source: str
    label: str
    when: When
    whom: Whom
    machine: str
    cause: str
    section: str


COUPLINGS = (
    Coupling(
        "connection",
        "T4",
        When.LEADING,
        Whom.SESSION,
        "session",
        "leading_connection_in_login",
        "8.3.4",
    ),
    Coupling(
        "connection",
        "T4",
        When.CONTINUING,
        Whom.SESSION,
        "session",
        "continuation_started",
        "8.3.4",
    ),
    Coupling(
        "connection", "T5", When.LEADING, Whom.OLD_CONNECTIONS, "connection", "reinstated", "6.3.5"
    ),
    Coupling("connection", "T5", When.LEADING, Whom.OLD_SESSION, "session", "reinstated", "6.3.5"),
    Coupling(
        "connection", "T5", When.LEADING, Whom.SESSION, "session", "connection_logged_in", "8.3.4"
    ),
    Coupling(
        "connection",
        "T5",
        When.CONTINUING,
        Whom.SESSION,
        "session",
        "connection_logged_in",
        "8.3.4",
    ),
    Coupling(
        "connection", "T7", When.LEADING, Whom.SESSION, "session", "leading_login_failed", "8.3.4"
    ),
    Coupling(
        "connection",
        "T7",
        When.LAST_ATTEMPT,
        Whom.SESSION,
        "session",
        "continuation_failed",
        "8.3.4",
    ),
    Coupling("connection", "T13", When.LAST_AND_CLEAN, Whom.SESSION, "session", "closed", "6.3.5"),
    Coupling("connection", "T15", When.LAST, Whom.SESSION, "session", "failed", "6.3.6"),
    Coupling("connection", "T16", When.LAST, Whom.SESSION, "session", "failed", "6.3.6"),
    Coupling("connection", "T17", When.LAST, Whom.SESSION, "session", "failed", "6.3.6"),
    Coupling("cleanup", "M1", When.LAST_AND_CLEAN, Whom.SESSION, "session", "timed_out", "6.3.6"),
    Coupling(
        "logout",
        "session",
        When.ALWAYS,
        Whom.OTHERS,
        "connection",
        "session_logout_received_elsewhere",
        "8.1.2",
    ),
    Coupling(
        "logout",
        "done",
        When.ALWAYS,
        Whom.OTHERS,
        "connection",
        "session_logout_answered_elsewhere",
        "8.1.2",
    ),
    Coupling(
        "logout",
        "done",
        When.ALWAYS,
        Whom.OTHERS,
        "cleanup",
        "session_logout_answered_elsewhere",
        "8.2",
    ),
)


def couplings(source: str, label: str) -> Iterable[Coupling]:
    """The rows for one transition, in the order in which they apply."""
    return (row for row in COUPLINGS if row.source == source and row.label == label)
