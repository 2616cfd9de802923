"""Asynchronous Messages, and what the initiator has to do upon each (RFC 7143 section 11.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trioscsi.initiator.events import Noticed
from trioscsi.initiator.requests import Task, TextWish
from trioscsi.initiator.rules import Rule
from trioscsi.pdu import AsyncEvent, AsyncMessage

if TYPE_CHECKING:
    from trioscsi.initiator.full_feature import FullFeature
    from trioscsi.initiator.session import InitiatorSession


class Notices:
    """Obeys what the target says unasked; each message is an event for the caller as well."""

    def __init__(self, full_feature: FullFeature) -> None:
        self._full_feature = full_feature
        self._connection = full_feature.connection
        self._session: InitiatorSession = full_feature.session

    def hear(self, pdu: AsyncMessage) -> None:
        """Do what the protocol asks for; SCSI events and those of vendors are the caller's."""
        pdu.data = bytes(pdu.data)
        self._session.events.append(Noticed(pdu))
        action = self._actions.get(pdu.async_event)
        if action is not None:
            action(self, pdu)

    def _logout_asked_for(self, pdu: AsyncMessage) -> None:
        connection = self._connection
        if self._session.rules.keep(Rule.ANSWER_LOGOUT_REQUEST) and connection.machine.hears(
            "logout_asked_for"
        ):
            self._full_feature.logout.seconds = pdu.parameter3
            connection.do(connection.machine.logout_asked_for())

    def _connection_drops(self, pdu: AsyncMessage) -> None:
        for connection in list(self._session.connections):
            if connection.cid == pdu.parameter1:
                connection.said_wait = pdu.parameter2, pdu.parameter3
                connection.drop_announced("the target drops the connection")

    def _session_drops(self, pdu: AsyncMessage) -> None:
        connections = list(self._session.connections)
        for connection in connections:
            connection.said_wait = pdu.parameter2, pdu.parameter3
        for connection in connections:
            connection.drop_announced("the target drops the session")

    def _negotiation_wanted(self, pdu: AsyncMessage) -> None:
        """Begin a negotiation, unless one is under way (event 4)."""
        if (
            self._session.rules.keep(Rule.ANSWER_NEGOTIATION_REQUEST)
            and not self._full_feature.texts.busy
        ):
            wish = TextWish(negotiates=True, immediate=not self._session.numbers.open)
            self._session.submit(wish, self._connection)

    def _tasks_terminated(self, pdu: AsyncMessage) -> None:
        """Send nothing more for these tasks, and say that this is so (section 4.2.3.4)."""
        rules = self._session.rules
        for request in list(self._session.requests.values()):
            here = request.connection is self._connection
            if not rules.keep(Rule.TERMINATION_STOPS_DATA):
                break
            if isinstance(request, Task) and here and request.lun == pdu.lun:
                self._session.abandon(request, "terminated by the target")
        if rules.keep(Rule.ANSWER_TERMINATION):
            self._full_feature.pings.say_nothing(lun=pdu.lun)

    _actions: dict[int, Callable[[Notices, AsyncMessage], None]] = {
        AsyncEvent.LOGOUT_REQUEST: _logout_asked_for,
        AsyncEvent.CONNECTION_DROP: _connection_drops,
        AsyncEvent.SESSION_DROP: _session_drops,
        AsyncEvent.NEGOTIATION_REQUEST: _negotiation_wanted,
        AsyncEvent.TASK_TERMINATION: _tasks_terminated,
    }
