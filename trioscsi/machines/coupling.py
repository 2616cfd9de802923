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
    LAST_ATTEMPT = "the session has failed, and no other login tries to bring it back"
    LAST = "no other connection of the session is in full feature phase"
    LAST_AND_CLEAN = "no connection of the session is left, not even one that waits for cleanup"
    SESSION_LOGOUT = "the logout is one of the whole session"


class Whom(enum.Enum):
    """Whose machine is fed."""

    SESSION = "the session of the connection"
    OTHERS = "the other connections of the session"
    REPLACED_SESSION = "the session whose place this login takes"
    REPLACED_CONNECTIONS = "the connections whose place this login takes"


@attrs.frozen
class Coupling:
    """``label`` of ``source`` feeds ``cause`` to the ``machine`` of ``whom``, if ``when`` holds."""

    source: str
    label: str
    when: When
    whom: Whom
    machine: str
    cause: str
    section: str


def _row(cause: str, when: When, whom: Whom, fed: str, section: str) -> Coupling:
    source, label = cause.split()
    machine, fed_cause = fed.split(".")
    return Coupling(source, label, when, whom, machine, fed_cause, section)


_ALWAYS, _LEADING, _CONTINUING, _LAST_ATTEMPT, _LAST, _CLEAN, _SESSION_LOGOUT = When
_SESSION, _OTHERS, _OLD_SESSION, _OLD_CONNECTIONS = Whom

COUPLINGS = (
    _row("connection T4", _ALWAYS, _OLD_CONNECTIONS, "cleanup.logout_started", "8.2.2"),
    _row("connection T4", _LEADING, _SESSION, "session.leading_connection_in_login", "8.3.4"),
    _row("connection T4", _CONTINUING, _SESSION, "session.continuation_started", "8.3.4"),
    _row("connection T5", _ALWAYS, _OLD_CONNECTIONS, "connection.reinstated", "6.3.4"),
    # Another login for the same connection may have failed since this one began: then M2 and M4.
    _row("connection T5", _ALWAYS, _OLD_CONNECTIONS, "cleanup.logout_started", "8.2.2"),
    _row("connection T5", _ALWAYS, _OLD_CONNECTIONS, "cleanup.logout_succeeded", "8.2.2"),
    _row("connection T5", _LEADING, _OLD_SESSION, "session.reinstated", "6.3.5"),
    # A login that the initiator of this session had under way makes way like its other connections.
    _row("connection T5", _ALWAYS, _OLD_CONNECTIONS, "connection.dropped", "6.3.5"),
    _row("connection T5", _LEADING, _SESSION, "session.connection_logged_in", "8.3.4"),
    # The session may have failed after this login had begun: then N7 and N10 come together.
    _row("connection T5", _CONTINUING, _SESSION, "session.continuation_started", "8.3.4"),
    _row("connection T5", _CONTINUING, _SESSION, "session.connection_logged_in", "8.3.4"),
    _row("connection T7", _ALWAYS, _OLD_CONNECTIONS, "cleanup.logout_failed", "8.2.2"),
    _row("connection T7", _LEADING, _SESSION, "session.leading_login_failed", "8.3.4"),
    _row("connection T7", _LAST_ATTEMPT, _SESSION, "session.continuation_failed", "8.3.4"),
    # The last cleanup may have ended while this login tried: then nothing else ends the session.
    _row("connection T7", _CLEAN, _SESSION, "session.timed_out", "6.3.5"),
    _row("connection T13", _CLEAN, _SESSION, "session.closed", "6.3.5"),
    # Where a connection still waits for cleanup, the session is not closed: it has failed.
    _row("connection T13", _LAST, _SESSION, "session.failed", "6.3.6"),
    _row("connection T15", _LAST, _SESSION, "session.failed", "6.3.6"),
    _row("connection T16", _LAST, _SESSION, "session.failed", "6.3.6"),
    _row("connection T17", _LAST, _SESSION, "session.failed", "6.3.6"),
    _row("cleanup M1", _CLEAN, _SESSION, "session.timed_out", "6.3.5"),
    _row(
        "logout session", _ALWAYS, _OTHERS, "connection.session_logout_received_elsewhere", "8.1.2"
    ),
    _row(
        "logout done",
        _SESSION_LOGOUT,
        _OTHERS,
        "connection.session_logout_answered_elsewhere",
        "8.1.2",
    ),
    _row(
        "logout done",
        _SESSION_LOGOUT,
        _OTHERS,
        "cleanup.session_logout_answered_elsewhere",
        "8.2.2",
    ),
    # Logins that came after the Logout Request find no session any more.
    _row("logout done", _SESSION_LOGOUT, _OTHERS, "connection.dropped", "6.3.5"),
)
"""In the order in which they apply.

A connection is fed only what its machine has a row for in its present state: a logout of the
session means something else to a connection that logs in than to one in full feature phase.

No row says ``reinstatement_failed`` (T15): an initiator that has not proven who it is could cut
another one off by a login that fails.
"""


def couplings(source: str, label: str) -> Iterable[Coupling]:
    """The rows for one transition, in the order in which they apply."""
    return (row for row in COUPLINGS if row.source == source and row.label == label)
