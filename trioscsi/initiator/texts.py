"""Text Requests: discovery, and negotiation after the login (RFC 7143 sections 6.4 and 11.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import PeerError
from trioscsi.initiator.requests import TextWish
from trioscsi.initiator.rules import Rule
from trioscsi.pdu import NO_TASK, TextRequest, TextResponse
from trioscsi.text import Collector, Negotiation, Pair, Side, Stage, encode, split

if TYPE_CHECKING:
    from trioscsi.initiator.full_feature import FullFeature
    from trioscsi.initiator.session import InitiatorSession


class Texts:
    """The text exchanges of one connection, one after the other (section 11.10)."""

    def __init__(self, full_feature: FullFeature) -> None:
        self._full_feature = full_feature
        self._connection = full_feature.connection
        self._session: InitiatorSession = full_feature.session
        self._current: TextWish | None = None
        self._held: tuple[TextWish, TextResponse] | None = None
        """What goes on when the command window opens, and the response that it answers."""
        self._queue: list[TextWish] = []
        self._parts: list[bytes] = []
        self._heard = self._empty = 0
        self._collector = Collector(self._connection.limits)
        self._negotiation: Negotiation | None = None

    @property
    def busy(self) -> bool:
        """Whether an exchange is under way."""
        return self._current is not None and not self._current.over

    def start(self, wish: TextWish) -> None:
        """Begin an exchange, or have it wait for the one before it."""
        self._queue.append(wish)
        self.look()

    def look(self) -> None:
        """Begin the next exchange if none is under way."""
        held, self._held = self._held, None
        if held is not None and not held[0].over:
            self._send(*held)
        apart = self._session.rules.keep(Rule.ONE_TEXT)
        while self._queue and not (self.busy and apart):
            wish = self._queue.pop(0)
            refusal = self._connection.refusal(wish)
            if refusal:
                self._session.end(wish, refusal)
            elif not wish.over:
                self._begin(wish)
        if not self.busy:
            self._connection.deadlines.cancel("text")

    def hear(self, pdu: TextResponse) -> None:
        """Go on with the exchange."""
        wish = self._full_feature.request(pdu.itt, TextWish, "a Text Response")
        if wish is None:
            return
        if wish is not self._current:
            raise PeerError("a Text Response to what was not asked yet", section="11.11.3")
        if pdu.final and pdu.continue_:
            raise PeerError("a final Text Response that goes on", section="11.11.1")
        if not pdu.final and pdu.ttt == NO_TASK:
            raise PeerError("a Text Response that neither ends nor goes on", section="11.11.4")
        self._bound(pdu)
        self._watch()
        rules = self._session.rules
        if not pdu.final and not rules.keep(Rule.WHOLE_TEXT):
            self._session.end(wish)
            return
        if pdu.final and pdu.ttt != NO_TASK and not rules.keep(Rule.FINAL_TEXT):
            self._parts = [b""]
            self._send(wish, pdu)
            return
        if self._parts:
            if pdu.data or pdu.continue_ or pdu.final:
                raise PeerError("text while our request was not over", section="6.2")
            self._send(wish, pdu)
            return
        try:
            pairs = self._collector.add(pdu.data, pdu.continue_)
            if pairs is not None:
                self._take(wish, pdu, pairs)
                return
        except PeerError as error:
            self._fail(wish, pdu, error)
            return
        self._parts = [b""]
        self._send(wish, pdu)

    def _fail(self, wish: TextWish, pdu: TextResponse, error: PeerError) -> None:
        """A negotiation has failed: nothing of it takes effect, and the session goes on (7.12).

        If the target would go on with it, another exchange makes it forget this one (section 6.4).
        """
        self._connection.remark(error)
        self._session.end(wish, f"the negotiation failed: {error}")
        if not pdu.final:
            reset = TextWish(immediate=not self._session.numbers.open)
            self._session.submit(reset, self._connection)

    def _bound(self, pdu: TextResponse) -> None:
        """Have an end to what a target may say in one exchange."""
        limits = self._connection.limits
        self._heard += len(pdu.data)
        self._empty += not pdu.data and not self._parts
        if self._heard > limits.target_list or self._empty > limits.keys:
            raise PeerError("a text exchange without an end", section="6.4")

    def _take(self, wish: TextWish, pdu: TextResponse, pairs: list[Pair]) -> None:
        wish.answer += pairs
        answers: list[Pair] = []
        if self._negotiation is not None:
            answers = self._negotiation.receive(pairs, Stage.FULL_FEATURE)
        if not pdu.final:
            self._parts = self._split(answers)
            self._send(wish, pdu)
            return
        if answers:
            raise PeerError("keys that want an answer, with the F bit", section="6.4")
        self._settle()
        self._session.end(wish)

    def _settle(self) -> None:
        if self._negotiation is None:
            return
        connection = self._connection
        connection.parameters = self._negotiation.settle()
        # What the target has sent by the old length is on its way still.
        connection.framer.max_data_segment_length = max(
            connection.framer.max_data_segment_length,
            connection.parameters.initiator_max_recv_data_segment_length,
        )

    def _watch(self) -> None:
        connection = self._connection
        when = connection.now + connection.limits.text_time
        connection.deadlines.set("text", when, self._late)

    def _late(self) -> None:
        """A target that does not go on with an exchange cannot be asked for another (11.10)."""
        if self.busy:
            seconds = self._connection.limits.text_time
            self._connection.give_up(f"no answer to a Text Request in {seconds:g} seconds")

    def _begin(self, wish: TextWish) -> None:
        self._current = wish
        self._watch()
        limits = self._connection.limits
        if not wish.negotiates:
            limits = attrs.evolve(limits, text=limits.target_list, keys=limits.target_list)
        self._collector = Collector(limits)
        self._negotiation, self._heard, self._empty = None, 0, 0
        pairs = list(wish.pairs)
        if wish.negotiates:
            self._negotiation = Negotiation(
                Side.INITIATOR,
                self._session.intent.offer,
                parameters=self._connection.parameters,
                overlooked=self._session.rules.overlooked,
            )
            pairs += self._negotiation.propose(Stage.FULL_FEATURE) or self._nothing_new()
        self._parts = self._split(pairs)
        self._send(wish, None)

    def _nothing_new(self) -> list[Pair]:
        """What may be said again at any time: a text without data wants a reason (section 6.2)."""
        length = self._connection.parameters.initiator_max_recv_data_segment_length
        return [("MaxRecvDataSegmentLength", str(length))]

    def _split(self, pairs: list[Pair]) -> list[bytes]:
        segment = self._connection.parameters.target_max_recv_data_segment_length
        return split(encode(pairs), segment)

    def _send(self, wish: TextWish, answered: TextResponse | None) -> None:
        """Send the next part of a text; ``answered`` is the response that asks for it."""
        closed = not self._session.numbers.open and self._session.rules.keep(Rule.WINDOW)
        if answered is not None and closed and not wish.immediate:
            self._held = wish, answered
            return
        part = self._parts.pop(0)
        request = TextRequest(
            final=not self._parts,
            continue_=bool(self._parts),
            lun=0 if answered is None else answered.lun,
            ttt=NO_TASK if answered is None else answered.ttt,
            data=part,
        )
        self._connection.send(self._full_feature.number(request, wish))
