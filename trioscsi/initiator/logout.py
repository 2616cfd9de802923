"""Ending connections and sessions by agreement, at the initiator (RFC 7143 section 11.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.initiator.requests import LogoutWish, Task
from trioscsi.initiator.rules import Rule
from trioscsi.pdu import LogoutReason, LogoutRequest, LogoutResponse, LogoutResult

if TYPE_CHECKING:
    from trioscsi.initiator.full_feature import FullFeature
    from trioscsi.initiator.session import InitiatorSession


class Logout:
    """The logout of one connection, whoever wants it."""

    def __init__(self, full_feature: FullFeature) -> None:
        self._full_feature = full_feature
        self._connection = full_feature.connection
        self._session: InitiatorSession = full_feature.session
        self._wish: LogoutWish | None = None
        self._asked_for = False
        self.seconds = 0
        """How long the target waits for a logout that it has asked for."""

    def prepare(self) -> None:
        """The target wants a logout: end what is under way, for half of the time at most."""
        self._asked_for = True
        connection = self._connection
        connection.deadlines.set("logout due", connection.now + self.seconds / 2, self._log_out)

    def look(self) -> None:
        """Log out if that was asked for and nothing is under way any more."""
        if self._asked_for and not any(
            isinstance(request, Task) and request.connection is self._connection
            for request in self._session.requests.values()
        ):
            self._log_out()

    def start(self, wish: LogoutWish) -> None:
        """Begin a logout: nothing new is said from here on."""
        if self._is_of_other(wish):
            self._send(wish)
            return
        self._asked_for, self._wish = False, wish
        if wish.reason == LogoutReason.CLOSE_SESSION and self._session.rules.keep(
            Rule.SILENCE_EVERYWHERE
        ):
            self._session.closing = True
        self._connection.deadlines.cancel("logout due")
        self._connection.do(self._connection.machine.logout_wanted())

    def send(self) -> None:
        """Transition T9 or T10 was taken."""
        wish, connection = self._wish, self._connection
        assert wish is not None, "only a request leads to a logout"
        self._send(wish)
        when = connection.now + connection.limits.logout_time
        connection.deadlines.set("logout", when, self._late)

    def _is_of_other(self, wish: LogoutWish) -> bool:
        """Whether it is another connection that this one logs out: one that has failed."""
        whole = wish.reason == LogoutReason.CLOSE_SESSION
        return not whole and wish.cid != self._connection.cid

    def _send(self, wish: LogoutWish) -> None:
        # Where the whole session is meant, the CID is reserved (section 11.14.3).
        cid = 0 if wish.reason == LogoutReason.CLOSE_SESSION else wish.cid
        request = LogoutRequest(reason=wish.reason, cid=cid)
        self._connection.send(self._full_feature.number(request, wish))

    def hear(self, pdu: LogoutResponse) -> None:
        """The target has logged the connection out, or could not."""
        wish = self._full_feature.request(pdu.itt, LogoutWish, "a Logout Response")
        if wish is None:
            return
        connection, session = self._connection, self._session
        failed = pdu.response != LogoutResult.SUCCESS
        if not session.rules.keep(Rule.LOGOUT_FAILURE if failed else Rule.LOGOUT_CLOSES):
            return
        wish.result, wish.time2wait = pdu.response, pdu.time2wait
        session.end(wish)
        if self._is_of_other(wish):
            return
        if failed:
            session.closing = False
            connection.said_wait = pdu.time2wait, pdu.time2retain
            connection.reason = f"the logout failed with {pdu.response}"
            connection.do(connection.machine.logout_failed())
            return
        if wish.reason == LogoutReason.REMOVE_FOR_RECOVERY:
            session.rescue.take_over(connection, pdu.time2wait)
        if wish.reason == LogoutReason.CLOSE_SESSION:
            for other in session.others(connection):
                other.logout_ended_session()
        connection.do(connection.machine.logout_succeeded())

    def _log_out(self) -> None:
        alone = not any(other.full_feature for other in self._session.others(self._connection))
        reason = LogoutReason.CLOSE_SESSION if alone else LogoutReason.CLOSE_CONNECTION
        self._session.log_out(self._connection, reason)

    def _late(self) -> None:
        connection = self._connection
        if not self._session.rules.keep(Rule.LOGOUT_TIME):
            return
        connection.reason = f"no answer to the logout in {connection.limits.logout_time:g} seconds"
        connection.do(connection.machine.logout_timed_out())
