"""An initiator and a target in memory, on the two ends of a wire that a test can look at.

`Pair` joins an `InitiatorSession` to the `Gate` of the tests of the target, or to a target that the
test plays itself::

    pair = Pair(Gate())
    task = pair.do(reading(0, 512))
"""

from __future__ import annotations

from typing import Any

import attrs

from tests.conformance.witness import Witness
from tests.protocol.peer import INITIATOR, ISID, READ, TARGET, WRITE, Gate, cdb
from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.events import Event
from trioscsi.initiator.intent import Credentials, Intent
from trioscsi.initiator.numbering import carries_status
from trioscsi.initiator.requests import Request, Task
from trioscsi.initiator.session import InitiatorSession
from trioscsi.limits import Limits
from trioscsi.machines import Watcher
from trioscsi.pdu import Framer, LoginRequest, LoginResponse, Pdu, encode
from trioscsi.protocol import TargetConnection
from trioscsi.text import Offer, SessionType, Stage

PIECE = 5


def intent(
    *,
    discovery: bool = False,
    credentials: Credentials | None = None,
    first_stage: Stage = Stage.OPERATIONAL,
    more: tuple[tuple[str, str], ...] = (),
    **offer: Any,
) -> Intent:
    """A login to the target of the tests, straight into operational negotiation."""
    whom: dict[str, Any] = {"target_name": TARGET}
    if discovery:
        whom = {"session_type": SessionType.DISCOVERY}
    if credentials is not None:
        first_stage = Stage.SECURITY
        offer = {"auth_methods": ("CHAP", "None"), **offer}
    return Intent(
        offer=Offer(**{"initiator_name": INITIATOR, **whom, **offer}),
        isid=ISID,
        credentials=credentials,
        first_stage=first_stage,
        more=more,
    )


def reading(offset: int, length: int, expected: int | None = None, **more: Any) -> Task:
    return Task(
        cdb=cdb(READ, offset, length), expected_in=length if expected is None else expected, **more
    )


def writing(offset: int, data: bytes, length: int | None = None, **more: Any) -> Task:
    length = len(data) if length is None else length
    return Task(cdb=cdb(WRITE, offset, length), data_out=data, **more)


@attrs.define(eq=False)
class Wire:
    """One connection: both ends, and every PDU that went either way."""

    initiator: InitiatorConnection
    target: TargetConnection
    out: list[Any] = attrs.field(factory=list)
    """What the initiator has sent."""
    back: list[Any] = attrs.field(factory=list)
    """What the target has sent."""
    _seen_out: Framer = attrs.field(factory=lambda: Framer(2**24 - 1))
    _seen_back: Framer = attrs.field(factory=lambda: Framer(2**24 - 1))

    def carry_out(self) -> bytes:
        data = _joined(self.initiator)
        self._see(self._seen_out, self.out, data)
        return data

    def carry_back(self) -> bytes:
        data = _joined(self.target)
        self._see(self._seen_back, self.back, data)
        return data

    def _see(self, framer: Framer, seen: list[Any], data: bytes) -> None:
        framer.receive(data)
        while (pdu := framer.next_pdu()) is not None:
            seen.append(pdu)
            if isinstance(pdu, LoginResponse) and pdu.transit and pdu.nsg == 3:
                digests = self.target.framer
                for each in (self._seen_out, self._seen_back):
                    each.header_digest = digests.header_digest
                    each.data_digest = digests.data_digest


def _joined(end: InitiatorConnection | TargetConnection) -> bytes:
    return b"".join(map(bytes, end.take_output()))


class Pair:
    """A session of an initiator with the target of a gate."""

    def __init__(
        self,
        gate: Gate,
        wish: Intent | None = None,
        *,
        limits: Limits | None = None,
        deviation: Deviation | None = None,
        watcher: Watcher | None = None,
        log_in: bool = True,
    ) -> None:
        self.gate = gate
        self.now = 0.0
        self.session = InitiatorSession(
            wish or intent(), limits, deviation=deviation, watcher=watcher
        )
        self.witness = Witness(initiators=deviation is None)
        self.events: list[Event] = []
        self.wires: list[Wire] = []
        if log_in:
            self.connect()

    @property
    def wire(self) -> Wire:
        return self.wires[0]

    @property
    def connection(self) -> InitiatorConnection:
        return self.wires[0].initiator

    def connect(self) -> Wire:
        """Open one more connection, and log in by it."""
        target = TargetConnection(
            self.gate, self.gate.limits, now=self.now, watcher=self.gate.watcher
        )
        self.witness.watch(target)
        wire = Wire(self.session.connect(self.now), target)
        self.wires.append(wire)
        wire.initiator.connected(self.now)
        self.run()
        return wire

    def run(self) -> None:
        """Carry bytes both ways, and let the disk work, until nothing is left to say."""
        moved = True
        while moved:
            moved = False
            for wire in self.wires:
                moved |= self._carry(wire.carry_out(), wire.target, wire)
                self.gate.disk.handle()
                moved |= self._carry(wire.carry_back(), wire.initiator, wire)
                self._notice_closed(wire)
            self.events += self.session.take_events()

    def _carry(self, data: bytes, end: InitiatorConnection | TargetConnection, wire: Wire) -> bool:
        if data and not end.closed:
            end.receive(memoryview(bytearray(data)))
            while end.pump(self.now, PIECE):
                self.gate.disk.handle()
        return bool(data)

    def _notice_closed(self, wire: Wire) -> None:
        if wire.target.closed and not wire.initiator.closed:
            self._carry(wire.carry_back(), wire.initiator, wire)
            wire.initiator.lost("the target has closed the connection", self.now)
        elif wire.initiator.closed and not wire.target.closed:
            wire.target.lost("closed", self.now)

    def do(self, request: Any, wire: Wire | None = None) -> Any:
        """Send a request, and carry on until nothing is left to say."""
        self.session.submit(request, None if wire is None else wire.initiator)
        self.run()
        return request

    def pass_time(self, seconds: float) -> None:
        """Time passes on both sides."""
        self.now += seconds
        self.session.handle_timer(self.now)
        for wire in self.wires:
            wire.target.handle_timer(self.now)
        for node in self.gate.nodes:
            node.deadlines.run(self.now)
        self.run()

    def sent(self, kind: type[Pdu]) -> list[Any]:
        """The PDUs of a class that the initiator has sent by its first connection."""
        return [pdu for pdu in self.wire.out if isinstance(pdu, kind)]

    def happened(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Script:
    """A session whose target is the test: it says what it likes."""

    def __init__(
        self, wish: Intent | None = None, limits: Limits | None = None, **keys: Any
    ) -> None:
        self.session = InitiatorSession(wish or intent(), limits or Limits(ping_interval=0), **keys)
        self.connection = self.session.connect(0.0)
        self.connection.connected(0.0)
        self.framer = Framer(2**24 - 1)
        self.now = 0.0
        self.stat_sn = 0
        self.events: list[Event] = []
        self.said: list[Any] = self.hear()

    def hear(self) -> list[Any]:
        """What the initiator has sent since."""
        self.framer.receive(_joined(self.connection))
        heard: list[Any] = []
        while (pdu := self.framer.next_pdu()) is not None:
            heard.append(pdu)
        return heard

    def say(self, *pdus: Any, number: bool = True) -> list[Any]:
        """Send PDUs with the numbers that are due; returns what the initiator answers."""
        for pdu in pdus:
            if number:
                self.number(pdu)
            self.feed(b"".join(map(bytes, encode(pdu))))
        return self.hear()

    def feed(self, data: bytes) -> None:
        if not self.connection.closed:
            self.connection.receive(data)
            while self.connection.pump(self.now, PIECE):
                pass
        self.events += self.session.take_events()

    def number(self, pdu: Any) -> None:
        pdu.stat_sn = self.stat_sn
        if carries_status(pdu):
            self.stat_sn += 1
        if not pdu.max_cmd_sn:
            pdu.exp_cmd_sn = self.session.numbers.next
            pdu.max_cmd_sn = pdu.exp_cmd_sn + 7

    def answer_login(self, text: bytes = b"", **fields: Any) -> list[Any]:
        """A Login Response that agrees to what the last request asked for."""
        request = self.said[-1]
        assert isinstance(request, LoginRequest), request
        response = LoginResponse(
            **{
                "transit": request.transit,
                "csg": request.csg,
                "nsg": request.nsg,
                "isid": request.isid,
                "tsih": 1,
                "itt": request.itt,
                "data": text,
                **fields,
            }
        )
        self.said = self.say(response)
        return self.said

    def request(self, request: Request) -> list[Any]:
        """Submit a request; what is sent for it."""
        self.session.submit(request)
        return self.hear()

    def pass_time(self, seconds: float) -> list[Any]:
        self.now += seconds
        self.session.handle_timer(self.now)
        self.events += self.session.take_events()
        return self.hear()

    def happened(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def logged_in(wish: Intent | None = None, text: bytes = b"", **keys: Any) -> Script:
    """A script whose initiator is in full feature phase."""
    script = Script(wish, **keys)
    script.answer_login(text)
    assert script.connection.full_feature, script.events
    return script
