"""The machines of a connection and its session, run by what is seen of them on the wire.

It is the target's machines that are run, and they are told only what both sides can see: what the
target knows besides, such as its timers, is not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trioscsi.machines import connection as connection_machine
from trioscsi.machines import session as session_machine
from trioscsi.pdu import (
    BHS_LENGTH,
    CLASSES,
    AsyncEvent,
    AsyncMessage,
    LoginRequest,
    LoginResponse,
    LogoutReason,
    LogoutRequest,
    LogoutResponse,
    Pdu,
)
from trioscsi.pdu.opcodes import OPCODE_BITS
from trioscsi.teaching.splitting import Cut

if TYPE_CHECKING:
    from trioscsi.teaching.live.talk import Talk


class Guess:
    """What a connection must have gone through; nothing, if its login was not seen."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._connection = connection_machine.machine.start(talk.moved)
        self._of_session = False
        """Whether the logout under way is one of the whole session."""

    def hear(self, cut: Cut) -> None:
        """A PDU has passed, and the talk has heard it."""
        cls = CLASSES.get(cut.header[0] & OPCODE_BITS) if cut.header else None
        if cls is None or len(cut.header) < BHS_LENGTH:
            return
        pdu: Pdu = cls.unpack(cut.header[:BHS_LENGTH], 0, b"")
        if isinstance(pdu, LoginRequest):
            self._login_requested()
        elif isinstance(pdu, LoginResponse):
            self._login_answered(pdu)
        elif isinstance(pdu, LogoutRequest):
            self._of_session = pdu.reason == LogoutReason.CLOSE_SESSION
            self._feed("logout_received")
        elif isinstance(pdu, LogoutResponse):
            self._logout_answered(pdu)
        elif isinstance(pdu, AsyncMessage) and pdu.async_event == AsyncEvent.LOGOUT_REQUEST:
            self._feed("decommissioned")

    def close(self) -> None:
        """The transport is gone."""
        before = self._connection.state
        self._feed("transport_lost")
        if before == connection_machine.IN_LOGIN.name:
            self._feed_session("leading_login_failed")
        elif self._connection.state != connection_machine.FREE.name and self._is_last:
            self._feed_session("failed")

    def _login_requested(self) -> None:
        if self._connection.state == connection_machine.FREE.name:
            self._feed("transport_connected")
            self._feed("login_requested")
            self._feed_session("leading_connection_in_login")

    def _login_answered(self, pdu: LoginResponse) -> None:
        if pdu.status_class:
            self._feed("login_refused")
            self._feed_session("leading_login_failed")
        elif pdu.transit and pdu.nsg == 3:
            self._feed("login_accepted")
            self._feed_session("connection_logged_in")

    def _logout_answered(self, pdu: LogoutResponse) -> None:
        if pdu.response:
            self._feed("logout_failed")
        else:
            self._feed("logout_succeeded")
            if self._of_session or self._is_last:
                self._feed_session("closed")

    @property
    def _is_last(self) -> bool:
        """Whether no other connection of the session is there."""
        session = self._talk.session
        return session is None or all(talk is self._talk for talk in session.talks)

    def _feed(self, cause: str) -> None:
        _feed(self._connection, cause)

    def _feed_session(self, cause: str) -> None:
        """The session has no machine of its own here: its state is where one begins."""
        session = self._talk.session
        if session is not None:
            machine = session_machine.machine.start(self._talk.moved)
            machine.state = session.state
            _feed(machine, cause)


def _feed(machine: Any, cause: str) -> None:
    if machine.hears(cause):
        getattr(machine, cause)()
