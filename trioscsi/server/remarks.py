"""What is logged of connections and sessions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from trioscsi.errors import PeerError
from trioscsi.protocol import Session
from trioscsi.protocol.line import Remark
from trioscsi.server.refusals import Refusals
from trioscsi.server.tracing import Tap

log = logging.getLogger("trioscsi")

MAXIMUM = 100
"""Log lines of one connection: a peer that errs without end must not fill the log."""

ENDS: Mapping[str, str] = {
    "closed": "it was logged out",
    "reinstated": "a new login of the same initiator port has taken its place",
    "timed_out": "its connection is lost, and none has come in its place",
}
"""Why a session has ended, by what its machine heard."""


def tell_of_login(session: Session, peer: str) -> None:
    """Log that a session has begun, by a connection from this peer."""
    proven = session.proven_name
    proof = "no authentication" if proven is None else f"CHAP as {proven}"
    log.info("%s at %s: logged in, %s, %s", session.initiator_name, peer, _which(session), proof)


def tell_of_end(session: Session, cause: str) -> None:
    """Log that a session is over, and why."""
    log.info("%s: %s is over: %s", session.initiator_name, _which(session), ENDS[cause])


def _which(session: Session) -> str:
    kind = f"session with {session.node.name}" if session.normal else "discovery session"
    return f"{kind} (ISID 0x{session.isid.hex()}, TSIH {session.tsih})"


class Remarks:
    """Logs what there is to say of a connection: each refusal with what can be done about it.

    They are all noted in the trace, if there is one, and among the refusals.
    """

    def __init__(self, peer: str, refusals: Refusals, tap: Tap | None) -> None:
        self._peer, self._refusals, self._tap = peer, refusals, tap
        self._count = 0

    def make(self, remarks: Iterable[Remark], initiator: str) -> None:
        """``initiator`` is its name, or nothing as long as that is not known."""
        who = f"{initiator} at {self._peer}" if initiator else self._peer
        for remark in remarks:
            refusal = None
            if isinstance(remark, PeerError):
                refusal = self._refusals.note(remark, self._peer, initiator)
            if self._tap is not None:
                self._tap.note(f"refused: {remark}" if refusal else str(remark))
            self._count += 1
            if self._count > MAXIMUM:
                continue
            if refusal is None:
                log.info("%s: %s", who, remark)
            else:
                log.warning("%s: %s; %s", who, remark, refusal.advice, extra={"refusal": refusal})
            if self._count == MAXIMUM:
                log.warning("%s: no more is logged of this connection", who)
