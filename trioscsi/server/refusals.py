"""Why initiators were refused: one event each, the last ones kept to be asked for.

Nothing vexes a user more than a login that fails without a reason.  So whatever is refused, a
login, a PDU or a key, is told with who it was, what it was about, which rule it broke and what can
be done about it.
"""

from __future__ import annotations

import enum
import logging
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import attrs

from trioscsi.errors import PeerError
from trioscsi.pdu import LoginStatus, RejectReason

log = logging.getLogger("trioscsi")

ADVICE: Mapping[enum.IntEnum, str] = {
    LoginStatus.TARGET_MOVED_TEMPORARILY: "nothing has to be done: initiators follow by themselves",
    LoginStatus.TARGET_MOVED_PERMANENTLY: "give the initiator the new address",
    LoginStatus.INITIATOR_ERROR: "the initiator breaks the protocol: look at the section, or at "
    "the initiator's settings for what is named here",
    LoginStatus.AUTHENTICATION_FAILURE: "compare the CHAP name, secret and algorithms of both "
    "sides; the two directions need two secrets",
    LoginStatus.AUTHORIZATION_FAILURE: "if it should be let in, allow its name (--allow) or its "
    "network (--allow-from)",
    LoginStatus.NOT_FOUND: "compare the name of the target with what discovery shows",
    LoginStatus.TARGET_REMOVED: "remove the target from the initiator's configuration",
    LoginStatus.UNSUPPORTED_VERSION: "there is one version of the protocol, 0",
    LoginStatus.TOO_MANY_CONNECTIONS: "the session has as many connections as MaxConnections says",
    LoginStatus.MISSING_PARAMETER: "the initiator has to say its name, and whom it wants",
    LoginStatus.CANNOT_INCLUDE_IN_SESSION: "log in to a session of its own",
    LoginStatus.SESSION_TYPE_NOT_SUPPORTED: "log in to a normal session, or to discovery",
    LoginStatus.SESSION_DOES_NOT_EXIST: "the session has ended here: the initiator has to begin "
    "a new one, with TSIH 0",
    LoginStatus.INVALID_DURING_LOGIN: "nothing but Login Requests may come before the login ends",
    LoginStatus.TARGET_ERROR: "look for a fault of this target in the lines before",
    LoginStatus.SERVICE_UNAVAILABLE: "try again later: the target is being stopped or started",
    LoginStatus.OUT_OF_RESOURCES: "let other sessions log out, or raise the limit on sessions",
    RejectReason.DATA_DIGEST_ERROR: "data are damaged on their way: look at network cards and "
    "offloading",
    RejectReason.SNACK_REJECT: "only error recovery levels above 0 have SNACK",
    RejectReason.PROTOCOL_ERROR: "the initiator breaks the protocol",
    RejectReason.COMMAND_NOT_SUPPORTED: "the initiator sends a PDU that no initiator sends",
    RejectReason.IMMEDIATE_COMMAND_REJECT: "too many immediate commands at once: the initiator "
    "is to try again",
    RejectReason.TASK_IN_PROGRESS: "the initiator uses the tag of a command that is not answered",
    RejectReason.INVALID_DATA_ACK: "the initiator acknowledges what it was not asked to",
    RejectReason.INVALID_PDU_FIELD: "a field of the PDU has a value that it cannot have",
    RejectReason.LONG_OPERATION_REJECT: "the initiator is to try again later",
    RejectReason.WAITING_FOR_LOGOUT: "the initiator was asked to log out",
}
"""What can be done about each answer."""

_CLOSED = "there was no answer, the connection was closed"


@attrs.frozen
class Refusal:
    """One thing that was refused."""

    time: datetime
    peer: str
    """``host:port``."""
    initiator: str
    """Its name; empty if it was not said yet."""
    stage: str
    """What the connection was doing, such as ``login, security negotiation``."""
    subject: str
    """The key or PDU that it is about; empty if it is about none."""
    reason: str
    answer: str
    """The login status or Reject reason that went out; empty if there was none."""
    section: str
    """Of RFC 7143."""
    advice: str

    @classmethod
    def of(cls, error: PeerError, peer: str, initiator: str) -> Refusal:
        """What has just happened."""
        answer = error.answer
        return cls(
            datetime.now(UTC),
            peer,
            initiator,
            error.stage,
            error.subject,
            error.reason,
            "" if answer is None else answer.name,
            error.section,
            _CLOSED if answer is None else ADVICE.get(answer, ""),
        )


class Refusals:
    """The last refusals of a server, oldest first."""

    def __init__(self, most: int) -> None:
        self._last: deque[Refusal] = deque(maxlen=most)
        self.total = 0
        """How many there have been, those that are forgotten included."""

    def __iter__(self) -> Iterator[Refusal]:
        return iter(list(self._last))

    def __len__(self) -> int:
        return len(self._last)

    def note(self, error: PeerError, peer: str, initiator: str) -> Refusal:
        """Keep a refusal."""
        refusal = Refusal.of(error, peer, initiator)
        self._last.append(refusal)
        self.total += 1
        return refusal
