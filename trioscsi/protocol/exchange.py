"""Text Requests: discovery and negotiation after the login (RFC 7143 sections 6.4 and 11.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.errors import PeerError
from trioscsi.machines import text as machine
from trioscsi.machines._automat import Effects
from trioscsi.machines.text import Effect
from trioscsi.pdu import NO_TASK, RejectReason, TextRequest, TextResponse
from trioscsi.protocol.discovery import send_targets
from trioscsi.text import Collector, Negotiation, Pair, Side, Stage, encode, split

if TYPE_CHECKING:
    from trioscsi.protocol.full_feature import FullFeature
    from trioscsi.protocol.session import Session


class TextExchange:
    """The text exchange of one connection; an initiator has one at a time."""

    def __init__(self, full_feature: FullFeature, session: Session) -> None:
        self._full_feature = full_feature
        self._connection = full_feature.connection
        self._session = session
        self._machine = machine.machine.start(self._connection.watcher)
        self._request = TextRequest()
        self._parts: list[bytes] = []
        self._ttt = 0
        self._start_over()

    @property
    def itt(self) -> int | None:
        """The task tag of the exchange that is under way, if there is one."""
        return None if self._machine.state == machine.IDLE.name else self._request.itt

    def hear(self, pdu: TextRequest) -> None:
        """Go on with the exchange, or begin a new one."""
        try:
            self._hear(pdu)
        except PeerError as error:
            self._do(self._machine.broken())
            reason = RejectReason.PROTOCOL_ERROR if error.answer is None else error.answer
            self._full_feature.reject(RejectReason(reason), str(error))

    def _hear(self, pdu: TextRequest) -> None:
        if pdu.ttt == NO_TASK:
            self._do(self._machine.started())
        elif self._machine.state == machine.IDLE.name or (pdu.itt, pdu.ttt) != (
            self._request.itt,
            self._ttt,
        ):
            raise PeerError(
                "a Text Request that continues no exchange",
                section="11.10.4",
                answer=RejectReason.INVALID_PDU_FIELD,
            )
        self._request = pdu
        if pdu.final and pdu.continue_:
            raise PeerError("a Text Request with both F and C", section="11.10.2")
        if self._machine.state == machine.SENDING.name:
            self._hear_in_long_answer(pdu)
            return
        pairs = self._collector.add(pdu.data, pdu.continue_)
        if pairs is None:
            self._stay_open()
            self._do(self._machine.text_goes_on())
            return
        segment = self._connection.parameters.initiator_max_recv_data_segment_length
        self._parts = split(encode(self._answer(pairs)), segment)
        if len(self._parts) > 1:
            self._stay_open()
            self._do(self._machine.answer_is_long())
        elif pdu.final:
            self._do(self._machine.all_is_said())
        else:
            self._stay_open()
            self._do(self._machine.initiator_goes_on())

    def _stay_open(self) -> None:
        """Take one of the places for exchanges of several requests, if there is one left."""
        node = self._session.node
        if self not in node.texts and len(node.texts) >= node.limits.texts:
            raise PeerError(
                "too many text negotiations that take several requests",
                section="11.17.1",
                answer=RejectReason.LONG_OPERATION_REJECT,
            )
        node.texts.add(self)

    def abandon(self) -> None:
        """Forget what was begun: it has ended, or the connection has."""
        self._session.node.texts.discard(self)
        self._connection.deadlines.cancel("text")

    def _hear_in_long_answer(self, pdu: TextRequest) -> None:
        if pdu.data or pdu.continue_:
            raise PeerError("text while our answer was not over", section="6.2")
        if len(self._parts) <= 1 and pdu.final:
            self._do(self._machine.asks_for_last_part())
        else:
            self._do(self._machine.asks_for_part())

    def _answer(self, pairs: list[Pair]) -> list[Pair]:
        negotiation = self._negotiation
        answers = negotiation.receive(pairs, Stage.FULL_FEATURE)
        if negotiation.send_targets is not None:
            value, negotiation.send_targets = negotiation.send_targets, None
            targets = self._connection.gatekeeper.targets(self._session.initiator_name)
            answers += send_targets(value, self._session, targets)
        return answers + negotiation.propose(Stage.FULL_FEATURE)

    def _do(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Effect.START_OVER | Effect.REJECT:
                    self._start_over()
                case Effect.ASK_FOR_MORE:
                    self._respond(b"", final=False)
                case Effect.ANSWER:
                    self._respond(self._parts.pop(0), final=False)
                case Effect.SEND_PART:
                    self._respond(self._next_part(), final=False, more=bool(self._parts))
                case Effect.ANSWER_AND_END | Effect.SEND_LAST_PART:
                    self._settle()
                    self._respond(self._next_part(), final=True)

    def _settle(self) -> None:
        connection = self._connection
        connection.parameters = self._negotiation.settle()
        # What the initiator has sent by the old length is on its way still.
        connection.framer.max_data_segment_length = max(
            connection.framer.max_data_segment_length,
            connection.parameters.target_max_recv_data_segment_length,
        )

    def _next_part(self) -> bytes:
        """Of our answer; nothing if the initiator goes on asking when it has all of it."""
        return self._parts.pop(0) if self._parts else b""

    def _start_over(self) -> None:
        self._collector = Collector(self._connection.limits)
        self._negotiation = Negotiation(
            Side.TARGET, self._session.node.offer, parameters=self._connection.parameters
        )
        self._parts = []
        self.abandon()

    def _respond(self, text: bytes, *, final: bool, more: bool = False) -> None:
        connection = self._connection
        if final:
            self.abandon()
        else:
            self._ttt = (self._ttt + 1) % NO_TASK
            connection.deadlines.set(
                "text", connection.now + connection.limits.text_time, self._timed_out
            )
        connection.send_status(
            TextResponse(
                final=final,
                continue_=more,
                lun=0 if final else self._request.lun,
                itt=self._request.itt,
                ttt=NO_TASK if final else self._ttt,
                data=text,
            )
        )

    def _timed_out(self) -> None:
        self._do(self._machine.timed_out())
