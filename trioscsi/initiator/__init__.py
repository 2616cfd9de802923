"""The other side: an iSCSI initiator, without I/O (RFC 7143 chapters 4 to 7).

`InitiatorSession` is where to start: it makes connections, into which bytes go and out of which
bytes come, and it takes requests.  It speaks at all error recovery levels and by several
connections, negotiates everything, and breaks a rule where a `Deviation` tells it to.
"""

from __future__ import annotations

from trioscsi.initiator.connection import InitiatorConnection, Said
from trioscsi.initiator.deviations import Deviation, Rule
from trioscsi.initiator.events import (
    ConnectionLost,
    ConnectionWanted,
    Ended,
    Event,
    LoggedIn,
    LoginFailed,
    Noticed,
    Redirected,
    Refused,
    SessionEnded,
    SessionFailed,
)
from trioscsi.initiator.intent import Credentials, Intent
from trioscsi.initiator.recovery import Policy
from trioscsi.initiator.requests import LogoutWish, Management, Ping, Request, Task, TextWish
from trioscsi.initiator.session import InitiatorSession

__all__ = [
    "ConnectionLost",
    "ConnectionWanted",
    "Credentials",
    "Deviation",
    "Ended",
    "Event",
    "InitiatorConnection",
    "InitiatorSession",
    "Intent",
    "LoggedIn",
    "LoginFailed",
    "LogoutWish",
    "Management",
    "Noticed",
    "Ping",
    "Policy",
    "Redirected",
    "Refused",
    "Request",
    "Rule",
    "Said",
    "SessionEnded",
    "SessionFailed",
    "Task",
    "TextWish",
]
