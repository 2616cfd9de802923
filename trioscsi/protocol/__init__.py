"""iSCSI at the target without I/O: numbers, sessions, logins, tasks (RFC 7143 chapters 4 to 7).

`TargetConnection` is where to start: bytes in, bytes and events out, time as an argument.
"""

from __future__ import annotations

from trioscsi.protocol.connection import TargetConnection
from trioscsi.protocol.credentials import Account, Authentication, Challenges, Secret
from trioscsi.protocol.events import (
    CommandsCleared,
    Event,
    SessionBegan,
    SessionEnded,
    TasksAborted,
    TasksCleared,
    UnitReset,
)
from trioscsi.protocol.names import normalise
from trioscsi.protocol.node import Gatekeeper, Node, Redirection, Units
from trioscsi.protocol.session import Session
from trioscsi.protocol.tasks import Task
from trioscsi.protocol.view import EVERYTHING, View

__all__ = [
    "EVERYTHING",
    "Account",
    "Authentication",
    "Challenges",
    "CommandsCleared",
    "Event",
    "Gatekeeper",
    "Node",
    "Redirection",
    "Secret",
    "Session",
    "SessionBegan",
    "SessionEnded",
    "TargetConnection",
    "Task",
    "TasksAborted",
    "TasksCleared",
    "UnitReset",
    "Units",
    "View",
    "normalise",
]
