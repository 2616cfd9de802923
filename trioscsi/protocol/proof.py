"""What the initiator of a login has to prove, if anything (sections 6.3.2, 9.2 and 12.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.errors import PeerError
from trioscsi.pdu import LoginStatus
from trioscsi.protocol.chap import Chap
from trioscsi.text import Negotiation, Pair, Stage
from trioscsi.text.rules import REJECT

if TYPE_CHECKING:
    from trioscsi.protocol.connection import TargetConnection


class NoMethod(PeerError):
    """The initiator and this target share no method: it is told so by AuthMethod=Reject."""

    def __init__(self) -> None:
        super().__init__(
            "the initiator and this target share no method to authenticate",
            section="12.1",
            answer=LoginStatus.AUTHENTICATION_FAILURE,
        )


class Proof:
    """The authentication of one login, from its first keys on.

    Its methods raise PeerError with the status that ends the login.
    """

    def __init__(self, connection: TargetConnection, negotiation: Negotiation) -> None:
        session = connection.session
        assert session is not None, "admission finds a session"
        self._gatekeeper, self._session = connection.gatekeeper, session
        self._negotiation = negotiation
        self._chap: Chap | None = None
        self._has_come_in = False
        if session.node.authentication is not None:
            self._chap = Chap(
                session.node.authentication, session.initiator_name, connection.watcher
            )

    def receive(self, pairs: list[Pair], answers: list[Pair]) -> list[Pair]:
        """Take what one text says of a method, and the keys of its steps; returns what to send.

        ``answers`` are those to the keys of the text: they tell which method was agreed on.
        """
        if ("AuthMethod", REJECT) in answers:
            raise NoMethod
        keys, self._negotiation.security = self._negotiation.security, []
        chap = self._chap
        if chap is None or self._negotiation.so_far.auth_method is None:
            if keys:
                reason = f"{keys[0][0]}, which belongs to no method that was agreed on"
                raise PeerError(reason, section="9.2", answer=LoginStatus.INITIATOR_ERROR)
            return []
        is_due = chap.awaited
        if any(name == "AuthMethod" for name, _ in pairs):
            chap.agree()
        return chap.receive(keys) if keys or is_due else []

    def is_due(self, stage: Stage) -> bool:
        """Whether the initiator has to go on with it before anything else."""
        if self._chap is None or self._chap.proven:
            return False
        if stage is not Stage.SECURITY or self._negotiation.so_far.auth_method is None:
            raise _unauthenticated("the initiator wants to log in without authentication")
        return True

    def come_in(self) -> None:
        """Let the gatekeeper look once more at an initiator that has proven who it is.

        That has to be the one to whom its session belongs.
        """
        if self._has_come_in:
            return
        self._has_come_in = True
        session, name = self._session, None if self._chap is None else self._chap.name
        if not session.tsih:
            session.proven_name = name
        elif name != session.proven_name:
            raise _unauthenticated("another name was proven in this session", "9.2")
        if session.node.name:
            self._gatekeeper.proven(session.initiator_name, session.node.name)


def _unauthenticated(reason: str, section: str = "12.1") -> PeerError:
    return PeerError(reason, section=section, answer=LoginStatus.AUTHENTICATION_FAILURE)
