"""The login, at the initiator (RFC 7143 sections 6.3, 11.12 and 11.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.errors import PeerError
from trioscsi.initiator.chap import Chap
from trioscsi.initiator.events import LoginFailed, Redirected
from trioscsi.initiator.rules import Rule
from trioscsi.limits import LOGIN_SEGMENT
from trioscsi.machines._automat import Effects
from trioscsi.machines.initiator import login as machine
from trioscsi.machines.initiator.login import Effect
from trioscsi.pdu import LoginRequest, LoginResponse, LoginStatus, Received
from trioscsi.text import (
    Collector,
    KeyState,
    Negotiation,
    Pair,
    Parameters,
    Side,
    Stage,
    encode,
    split,
)

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection

_NEXT = {Stage.SECURITY: Stage.OPERATIONAL, Stage.OPERATIONAL: Stage.FULL_FEATURE}
_TOO_FEW = 4
"""Requests of an initiator that has less patience than section 6.2 asks for."""
_MOVED = 1
"""The status class of redirections (section 11.13.5)."""


class Login:
    """The login of one connection."""

    def __init__(self, connection: InitiatorConnection) -> None:
        session = connection.session
        intent = session.intent
        self._connection = connection
        self._intent = intent
        self._rules = session.rules
        self._machine = machine.machine.start(connection.watcher)
        self._negotiation = Negotiation(
            Side.INITIATOR,
            intent.offer,
            leading=not session.tsih,
            parameters=session.parameters.for_new_connection() if session.tsih else Parameters(),
            overlooked=session.rules.overlooked,
        )
        self._collector = Collector(connection.limits)
        self._chap: Chap | None = None
        if intent.credentials is not None:
            self._chap = Chap(intent.credentials, connection.watcher, session.rules)
        self._itt = session.new_itt()
        self._requests = 0
        self._parts: list[bytes] = []
        self._more = list(intent.more)
        self._wants_to_move = False
        """Whether the last request has the T bit."""
        self._response = LoginResponse()

    def start(self) -> None:
        """Send the first request."""
        if self._intent.first_stage is Stage.SECURITY:
            self._machine.starts_in_security()
        else:
            self._machine.starts_in_operational()
        self._speak([])

    def hear(self, received: Received) -> None:
        """Go on with the login."""
        try:
            name = type(received).__name__
            expected = isinstance(received, LoginResponse)
            self._rules.insist(
                Rule.ONLY_LOGIN_RESPONSES, expected, f"a {name} during the login", "4.2.4"
            )
            if isinstance(received, LoginResponse):
                self._response = received
                self._hear(received)
        except PeerError as error:
            self.broken(error)

    def broken(self, error: PeerError) -> None:
        """The target has broken a rule: end the login."""
        error.stage = f"login, {self._stage.name.lower()}"
        self._connection.remark(error)
        self._do(self._machine.broken())
        self._fail(None, str(error))

    def end(self, reason: str) -> None:
        """The transport is lost, or time is up."""
        self._machine.ended()
        self._connection.session.events.append(LoginFailed(self._connection, None, reason))

    @property
    def _stage(self) -> Stage:
        in_security = self._machine.state.startswith(machine.SECURITY.name)
        return Stage.SECURITY if in_security else Stage.OPERATIONAL

    def _hear(self, pdu: LoginResponse) -> None:
        if pdu.status_class and self._rules.keep(Rule.REFUSAL_ENDS):
            # Some targets (tgt) copy neither tag nor ISID into a refusal; it means this login.
            self._take_status(pdu)
            return
        self._check(pdu)
        session = self._connection.session
        self._connection.statuses.take(pdu.stat_sn)
        session.numbers.learn(pdu.exp_cmd_sn, pdu.max_cmd_sn)
        if self._parts:
            self._hear_in_long_request(pdu)
            return
        # What ends a stage is over, whatever its C bit: _check lets none with both through.
        pairs = self._collector.add(pdu.data, pdu.continue_ and not pdu.transit)
        if pairs is None:
            self._do(self._machine.text_goes_on())
            return
        if self._machine.hears("text_is_whole"):
            self._do(self._machine.text_is_whole())
        self._take(pdu, pairs)

    def _check(self, pdu: LoginResponse) -> None:
        """What has to be so in every response of a login that goes on (section 11.13)."""
        insist, stage = self._rules.insist, self._stage
        same = pdu.itt == self._itt and pdu.isid == self._intent.isid
        insist(Rule.SAME_LOGIN, same, "a Login Response to another login", "11.13")
        sent = not self._connection.output_size
        insist(Rule.ONE_RESPONSE, sent, "a Login Response before its request was sent", "6.3")
        active = pdu.version_active
        insist(Rule.OFFERED_VERSION, not active, f"version {active} is active", "11.13.2")
        insist(Rule.SAME_STAGE, pdu.csg == stage, f"stage {pdu.csg} during stage {stage}", "6.3.1")
        if not pdu.transit:
            return
        both = "a Login Response with both T and C"
        insist(Rule.TRANSIT_OR_CONTINUE, not pdu.continue_, both, "11.13.7")
        unasked = "a Login Response with a T bit that was not asked for"
        insist(Rule.ASKED_TRANSIT, self._wants_to_move, unasked, "11.13.6")
        elsewhere = f"a move to stage {pdu.nsg}, not as it was asked for"
        insist(Rule.NEXT_STAGE, pdu.nsg == _NEXT[stage], elsewhere, "6.3")

    def _hear_in_long_request(self, pdu: LoginResponse) -> None:
        if pdu.data or pdu.continue_ or pdu.transit:
            raise PeerError("text while our request was not over", section="6.2")
        if len(self._parts) > 1:
            self._do(self._machine.asked_for_part())
        else:
            self._do(self._machine.asked_for_last_part())

    def _take(self, pdu: LoginResponse, pairs: list[Pair]) -> None:
        """Take in the keys of a whole text, then go where the response leads."""
        connection, stage = self._connection, self._stage
        connection.note("target", stage, pairs)
        answers = self._negotiation.receive(pairs, stage) + self._authenticate()
        if not pdu.transit:
            self._do(self._machine.answered())
            self._speak(answers)
            return
        unsettled = "keys that want an answer, with the T bit"
        self._rules.insist(Rule.SETTLED_TRANSIT, not answers, unsettled, "6.3")
        self._check_proven()
        if stage is Stage.SECURITY:
            self._do(self._machine.moved_to_operational())
            self._speak([])
        else:
            if not pdu.tsih:
                raise PeerError("a login that ends without a TSIH", section="11.13.3")
            self._check_portal_group()
            # This may fail, and a machine that has moved does not move back.
            connection.parameters = self._negotiation.settle()
            self._do(self._machine.moved_to_full_feature())

    def _check_portal_group(self) -> None:
        """All connections of a session lead to one portal group (sections 4.4.1 and 13.9)."""
        session, tag = self._connection.session, self._negotiation.so_far.target_portal_group_tag
        if session.tsih:
            first = session.parameters.target_portal_group_tag
            reason = f"portal group {tag} in a session with portal group {first}"
            self._rules.insist(Rule.ONE_PORTAL_GROUP, tag == first, reason, "4.4.1")
        elif tag is None and self._intent.offer.target_name is not None:
            self._connection.remark("the target does not say which portal group it is (13.9)")

    def _authenticate(self) -> list[Pair]:
        """Take the keys of an authentication method, if there are any (section 12.1)."""
        negotiation, chap = self._negotiation, self._chap
        keys, negotiation.security = negotiation.security, []
        method = negotiation.so_far.auth_method
        settled = negotiation.states["AuthMethod"] is KeyState.SETTLED
        rejected = settled and method is None
        self._rules.insist(
            Rule.AGREED_METHOD, not rejected, "the target rejects all methods", "7.12"
        )
        if keys and (chap is None or method != "CHAP"):
            raise PeerError("keys of a method that was not agreed", section="12.1")
        if chap is None or method != "CHAP":
            return []
        answers = chap.receive(keys) if keys else []
        if chap.fresh:
            answers += chap.agree()
        return answers

    def _check_proven(self) -> None:
        """Let nobody pass who had to prove himself and has not."""
        credentials = self._intent.credentials
        if self._stage is not Stage.SECURITY or self._chap is None or credentials is None:
            return
        agreed = self._negotiation.so_far.auth_method == "CHAP"
        proven = self._chap.done or not (agreed or credentials.target is not None)
        reason = "the target goes on without authentication"
        self._rules.insist(Rule.PROVEN_TARGET, proven, reason, "12.1.3")

    def _may_move(self) -> bool:
        """Whether the next request may have the T bit (section 6.3.1)."""
        if self._stage is not Stage.SECURITY or self._chap is None:
            return True
        if "AuthMethod" in self._negotiation.pending:
            return False
        agreed = self._negotiation.so_far.auth_method == "CHAP"
        return self._chap.responded if agreed else True

    def _speak(self, answers: list[Pair]) -> None:
        """Say what there is to say, in as many requests as it takes."""
        connection, stage = self._connection, self._stage
        if not self._rules.keep(Rule.ANSWER_KEYS):
            answers = []
        pairs = answers + self._negotiation.propose(stage) + self._more
        self._more = []
        deviation = connection.session.deviation
        if deviation is not None and deviation.pair is not None:
            pairs = [said for pair in pairs for said in deviation.pair(*pair)]
        connection.note("initiator", stage, pairs)
        self._parts = split(encode(pairs), LOGIN_SEGMENT)
        if len(self._parts) > 1:
            self._do(self._machine.request_is_long())
        else:
            self._do(self._machine.request_is_ready())

    def _take_status(self, pdu: LoginResponse) -> None:
        code = pdu.status_class << 8 | pdu.status_detail
        status = LoginStatus(code) if code in set(LoginStatus) else code
        if pdu.status_class == _MOVED and self._rules.keep(Rule.FOLLOW_REDIRECTION):
            pairs = self._collector.add(pdu.data, False) or []
            addresses = tuple(value for name, value in pairs if name == "TargetAddress")
            if not addresses:
                raise PeerError("a redirection that leads nowhere", section="11.13.5")
            self._do(self._machine.redirected())
            permanent = status == LoginStatus.TARGET_MOVED_PERMANENTLY
            events = self._connection.session.events
            events.append(Redirected(self._connection, addresses, permanent))
            self._connection.login_ended(accepted=False)
            return
        name = status.name if isinstance(status, LoginStatus) else f"{status:#06x}"
        self._do(self._machine.refused())
        self._fail(status, f"the target refuses the login: {name.lower().replace('_', ' ')}")

    def _fail(self, status: LoginStatus | int | None, reason: str) -> None:
        connection = self._connection
        connection.session.events.append(LoginFailed(connection, status, reason))
        connection.login_ended(accepted=False)

    def _do(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Effect.SEND_REQUEST:
                    self._send(self._parts.pop(0), transit=self._may_move())
                case Effect.SEND_PART:
                    part, more = self._parts.pop(0), bool(self._parts)
                    self._send(part, transit=not more and self._may_move(), more=more)
                case Effect.ASK_FOR_MORE:
                    self._send(b"")
                case Effect.FINISH:
                    self._finish()

    def _finish(self) -> None:
        """The final response: what was agreed takes effect (section 6.3.1)."""
        connection, session = self._connection, self._connection.session
        parameters = connection.parameters
        if not session.tsih:
            session.tsih = self._response.tsih
            session.parameters = parameters
        framer = connection.framer
        framer.header_digest = parameters.header_digest
        framer.data_digest = parameters.data_digest
        framer.max_data_segment_length = parameters.initiator_max_recv_data_segment_length
        connection.login_ended(accepted=True)

    def _send(self, text: bytes, *, transit: bool = False, more: bool = False) -> None:
        self._requests += 1
        most = self._connection.limits.login_pdus
        if self._requests > (most if self._rules.keep(Rule.SIX_EXCHANGES) else _TOO_FEW):
            raise PeerError("a login of too many requests", section="6.3")
        self._wants_to_move = transit
        connection, session, stage = self._connection, self._connection.session, self._stage
        connection.send(
            LoginRequest(
                transit=transit,
                continue_=more,
                csg=stage,
                nsg=_NEXT[stage] if transit else 0,
                isid=self._intent.isid,
                tsih=session.tsih,
                itt=self._itt,
                cid=connection.cid,
                cmd_sn=session.numbers.next,
                exp_stat_sn=connection.statuses.acknowledged,
                data=text,
            )
        )
