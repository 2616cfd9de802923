"""A session with several connections whose target is the test: what `Script` is for one."""

from __future__ import annotations

from typing import Any

import attrs

from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.events import Event
from trioscsi.initiator.intent import Intent
from trioscsi.initiator.numbering import carries_status
from trioscsi.initiator.session import InitiatorSession
from trioscsi.pdu import Framer, LoginRequest, LoginResponse, encode

TSIH = 7


@attrs.define(eq=False)
class End:
    """The target's end of one connection."""

    talk: Talk
    connection: InitiatorConnection
    stat_sn: int = 0
    heard: list[Any] = attrs.field(factory=list)
    """All that the initiator has sent by it."""
    _framer: Framer = attrs.field(factory=lambda: Framer(2**24 - 1))

    def hear(self) -> list[Any]:
        """What the initiator has sent since."""
        self._framer.receive(b"".join(map(bytes, self.connection.take_output())))
        new = []
        while (pdu := self._framer.next_pdu()) is not None:
            new.append(pdu)
        self.heard += new
        return new

    def say(self, pdu: Any) -> list[Any]:
        """Send a PDU with the numbers that are due; returns what the initiator answers there."""
        self.put(pdu)
        return self.hear()

    def put(self, pdu: Any) -> None:
        """Send a PDU with the numbers that are due."""
        pdu.stat_sn = self.stat_sn
        self.stat_sn += carries_status(pdu)
        pdu.exp_cmd_sn, pdu.max_cmd_sn = self.talk.expected, self.talk.expected + 31
        self._feed(b"".join(map(bytes, encode(pdu))))

    def feed(self, data: bytes) -> list[Any]:
        self._feed(data)
        return self.hear()

    def _feed(self, data: bytes) -> None:
        self.connection.receive(data)
        self.connection.pump(self.talk.now, 32)
        self.talk.look()

    def cut(self, reason: str) -> None:
        """The transport is lost."""
        self.connection.lost(reason, self.talk.now)
        self.talk.look()


class Talk:
    """The session, and all of its connections in the order in which they were opened."""

    def __init__(self, wish: Intent, text: bytes, **more: Any) -> None:
        self.session = InitiatorSession(wish, **more)
        self.now = 0.0
        self.expected = 1
        """The ExpCmdSN that the target sends."""
        self.ends: list[End] = []
        self.events: list[Event] = []
        self._text = text
        self.later = b""
        """What the target says in the logins of further connections."""

    def open(self) -> End:
        """One more connection, logged in."""
        return self._log_in(self._begin(self.session.connect(self.now)))

    def begin(self, old: InitiatorConnection) -> End:
        """A connection in the place of another, in its login."""
        return self._begin(self.session.reconnect(old, self.now))

    def reconnect(self, old: InitiatorConnection | None = None) -> End:
        """The same, logged in."""
        return self._log_in(self.begin(old or self.ends[0].connection))

    def _begin(self, connection: InitiatorConnection) -> End:
        end = End(self, connection)
        self.ends.append(end)
        connection.connected(self.now)
        end.hear()
        return end

    def _log_in(self, end: End) -> End:
        (request,) = [pdu for pdu in end.heard if isinstance(pdu, LoginRequest)]
        leading = not request.tsih
        response = LoginResponse(
            transit=True,
            csg=1,
            nsg=3,
            isid=request.isid,
            tsih=TSIH,
            itt=request.itt,
            stat_sn=end.stat_sn,
            exp_cmd_sn=self.expected,
            max_cmd_sn=self.expected + 31,
            data=self._text if leading else self.later,
        )
        end.stat_sn += 1
        end.connection.receive(b"".join(map(bytes, encode(response))))
        end.connection.pump(self.now, 32)
        self.look()
        return end

    def do(self, request: Any, place: int | None = None) -> Any:
        """Submit a request, perhaps by one of the connections."""
        connection = None if place is None else self.ends[place].connection
        self.session.submit(request, connection, now=self.now)
        for end in self.ends:
            end.hear()
        return request

    def pass_time(self, seconds: float) -> list[Any]:
        """Time passes; what is sent because of that, on whatever connection."""
        self.now += seconds
        self.session.handle_timer(self.now)
        self.look()
        return [pdu for end in self.ends for pdu in end.hear()]

    def look(self) -> None:
        self.events += self.session.take_events()

    def happened(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def scripted(wish: Intent, text: bytes, connections: int = 1, **more: Any) -> Talk:
    """A session with so many connections in full feature phase."""
    talk = Talk(wish, text, **more)
    for _ in range(connections):
        talk.open()
    return talk
