"""Ending connections and sessions by agreement (RFC 7143 sections 11.9, 11.14 and 11.15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.machines import logout as machine
from trioscsi.machines._automat import Effects
from trioscsi.machines.logout import Effect
from trioscsi.pdu import (
    LogoutReason,
    LogoutRequest,
    LogoutResponse,
    LogoutResult,
    RejectReason,
)
from trioscsi.protocol.tasks import Task

if TYPE_CHECKING:
    from trioscsi.protocol.full_feature import FullFeature
    from trioscsi.protocol.session import Session


class Logout:
    """The end of a connection, asked for by either side."""

    def __init__(self, full_feature: FullFeature, session: Session) -> None:
        self._full_feature = full_feature
        self._connection = full_feature.connection
        self._session = session
        self._machine = machine.machine.start(self._connection.watch)
        self._itt = 0
        self.ends_session = False

    def ask(self) -> None:
        """Ask the initiator to log out, once more if it was asked before."""
        self._do(self._machine.wanted())

    def hear(self, pdu: LogoutRequest) -> None:
        """Carry out what an initiator asks for."""
        self._itt = pdu.itt
        if pdu.reason == LogoutReason.CLOSE_SESSION:
            self.ends_session = True
            self._do(self._machine.close_session_requested())
        elif pdu.reason > LogoutReason.REMOVE_FOR_RECOVERY:
            self._full_feature.reject(RejectReason.INVALID_PDU_FIELD, "an unknown logout reason")
        elif pdu.cid != self._connection.cid:
            self._do(self._machine.unknown_connection_requested())
        elif pdu.reason == LogoutReason.CLOSE_CONNECTION:
            self._do(self._machine.close_connection_requested())
        else:
            self._do(self._machine.recovery_requested())

    def carry_out(self) -> None:
        """Transition T9 or T10 was taken: nothing new is heard, and what is under way ends."""
        self._full_feature.machine.logout_began()
        self._connection.deadlines.set(
            "logout", self._connection.now + self._connection.limits.logout_time, self._stuck
        )
        session, dying = self._session, self._session.node.dying
        session.abort([task for task in session.tasks if self._concerns(task)])
        dying.when_gone([task for task in dying if self._concerns(task)], self._ended)

    def _concerns(self, task: Task) -> bool:
        if self.ends_session:
            return task.connection.session is self._session
        return task.connection is self._connection

    def abandon(self) -> None:
        """The connection is closed: whatever was under way has no one to answer any more."""
        self._connection.deadlines.cancel("logout")
        self._connection.deadlines.cancel("logout overdue")

    def _ended(self) -> None:
        if self._machine.hears("commands_ended") and not self._connection.closed:
            self._do(self._machine.commands_ended())

    def _stuck(self) -> None:
        self._do(self._machine.commands_stuck())

    def _overdue(self) -> None:
        """Half of the time has passed: let no new commands begin, or this never ends."""
        if self._full_feature.machine.hears("logout_overdue"):
            self._full_feature.machine.logout_overdue()

    def _silent(self) -> None:
        self._do(self._machine.initiator_was_silent())

    def _do(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Effect.ASK_INITIATOR:
                    self._ask_initiator()
                case Effect.END_SESSION | Effect.END_CONNECTION:
                    self._connection.deadlines.cancel("logout")
                    self._connection.do(self._connection.machine.logout_received())
                case Effect.SEND_SUCCESS:
                    self._respond(LogoutResult.SUCCESS)
                    self._connection.couple()
                    self._connection.do(self._connection.machine.logout_succeeded())
                case Effect.SEND_CLEANUP_FAILED:
                    self._respond(LogoutResult.CLEANUP_FAILED)
                    self._connection.do(self._connection.machine.logout_failed())
                case Effect.SEND_CID_NOT_FOUND:
                    self._respond(LogoutResult.CID_NOT_FOUND)
                case Effect.SEND_RECOVERY_UNSUPPORTED:
                    self._respond(LogoutResult.RECOVERY_NOT_SUPPORTED)
                case Effect.DROP:
                    self._full_feature.notices.connection_drops(self._connection.cid)
                    self._connection.drop("no logout came although one was asked for")

    def _ask_initiator(self) -> None:
        """Event 1: a logout is wanted within Parameter3 seconds (section 11.9.1)."""
        seconds = self._connection.limits.logout_time
        self._full_feature.notices.logout_wanted(seconds)
        now = self._connection.now
        self._connection.deadlines.set("logout overdue", now + seconds / 2, self._overdue)
        self._connection.deadlines.set("logout", now + seconds, self._silent)

    def _respond(self, result: LogoutResult) -> None:
        parameters = self._session.parameters
        failed = result in (LogoutResult.RECOVERY_NOT_SUPPORTED, LogoutResult.CLEANUP_FAILED)
        self._connection.send_status(
            LogoutResponse(
                itt=self._itt,
                response=result,
                # The times count where something is left to recover (section 11.15.3).
                time2wait=parameters.default_time2wait if failed else 0,
                time2retain=parameters.default_time2retain if failed else 0,
            )
        )
