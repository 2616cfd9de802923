"""The login: who is there, and how the two will talk (RFC 7143 sections 6.3, 11.12 and 11.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.errors import PeerError
from trioscsi.machines import login as machine
from trioscsi.machines._automat import Effects
from trioscsi.machines.login import Effect
from trioscsi.pdu import LoginRequest, LoginResponse, LoginStage, LoginStatus, Received
from trioscsi.protocol.admission import admit, take_place
from trioscsi.protocol.node import Redirection
from trioscsi.protocol.proof import NoMethod, Proof
from trioscsi.text import Collector, Negotiation, Pair, Stage, encode, split
from trioscsi.text.rules import REJECT

if TYPE_CHECKING:
    from trioscsi.protocol.connection import TargetConnection

_STAGES = {
    LoginStage.SECURITY_NEGOTIATION: Stage.SECURITY,
    LoginStage.LOGIN_OPERATIONAL_NEGOTIATION: Stage.OPERATIONAL,
}
_MOVES = {
    (0, 1): "moves_to_operational",
    (0, 3): "moves_to_full_feature",
    (1, 3): "moves_to_full_feature",
}
"""CSG and NSG of the moves between stages that exist (section 6.3.1)."""

_VERSION = 0
"""The only version of the protocol that there is (section 11.12.4)."""


class Login:
    """The login of one connection."""

    def __init__(self, connection: TargetConnection) -> None:
        self._connection = connection
        self._machine = machine.machine.start(connection.watcher)
        self._collector = Collector(connection.limits)
        self._negotiation: Negotiation | None = None
        self._proof: Proof  # it is there as soon as the negotiation is
        self._first: LoginRequest | None = None
        self._request = LoginRequest()
        self._requests = 0
        self._parts: list[bytes] = []
        self._refusal: PeerError | None = None

    def hear(self, pdu: LoginRequest) -> None:
        """Go on with the login."""
        self._request = pdu
        try:
            self._check(pdu)
            self._hear(pdu)
        except PeerError as error:
            self.broken(error)

    def hear_other(self, received: Received) -> None:
        """Refuse a PDU that is no Login Request, damaged or whole (section 11.13.5)."""
        self.broken(
            PeerError(
                f"a {type(received).__name__} during the login",
                section="11.13.5",
                answer=LoginStatus.INVALID_DURING_LOGIN,
            )
        )

    def broken(self, error: PeerError) -> None:
        """Refuse the login."""
        error.stage = f"login, {self._stage.name.lower().replace('_', ' ')}"
        self._refusal = error
        self._do(self._machine.refused())

    def end(self) -> None:
        """The transport is lost, or time is up."""
        self._machine.ended()

    def _check(self, pdu: LoginRequest) -> None:
        """Check what has to be so in every request, and what may not change (section 11.12)."""
        self._requests += 1
        if self._requests > self._connection.limits.login_pdus:
            raise _error("a login of too many requests", "6.3")
        if pdu.version_min > _VERSION:
            raise _error(
                f"version {pdu.version_min} is the lowest that the initiator speaks",
                "11.12.4",
                LoginStatus.UNSUPPORTED_VERSION,
            )
        if pdu.transit and pdu.continue_:
            raise _error("a Login Request with both T and C", "11.12.2")
        first = self._first
        if first is None:
            self._start(pdu)
        elif any(getattr(pdu, name) != getattr(first, name) for name in _CONSTANT):
            raise _error("ISID, TSIH, CID, task tag or version changed during the login", "11.12")
        elif pdu.csg != self._stage:
            raise _error(f"stage {pdu.csg} during stage {self._stage}", "6.3.1")

    def _start(self, pdu: LoginRequest) -> None:
        self._first = pdu
        self._connection.cid = pdu.cid
        if pdu.csg not in _STAGES:
            raise _error(f"a login that starts in stage {pdu.csg}", "6.3.1")
        if pdu.csg == LoginStage.SECURITY_NEGOTIATION:
            self._machine.starts_in_security()
        else:
            self._machine.starts_in_operational()

    @property
    def _stage(self) -> LoginStage:
        if self._machine.state.startswith(machine.SECURITY.name):
            return LoginStage.SECURITY_NEGOTIATION
        return LoginStage.LOGIN_OPERATIONAL_NEGOTIATION

    def _hear(self, pdu: LoginRequest) -> None:
        if self._parts:
            self._hear_in_long_answer(pdu)
            return
        pairs = self._collector.add(pdu.data, pdu.continue_)
        if pairs is None:
            self._do(self._machine.text_goes_on())
            return
        if self._machine.hears("text_is_whole"):
            self._do(self._machine.text_is_whole())
        self._parts = split(encode(self._answer(pairs)), _segment(self._negotiation))
        if len(self._parts) > 1:
            self._do(self._machine.answer_is_long())
        else:
            self._do(self._move(pdu))

    def _hear_in_long_answer(self, pdu: LoginRequest) -> None:
        if pdu.data or pdu.continue_:
            raise _error("text while our answer was not over", "6.2")
        if len(self._parts) > 1:
            self._do(self._machine.asks_for_part())
        else:
            self._do(self._machine.asks_for_last_part())

    def _answer(self, pairs: list[Pair]) -> list[Pair]:
        """Take the keys of one whole text; the first one says who wants to talk to whom."""
        stage = _STAGES[self._stage]
        if self._negotiation is None:
            assert self._first is not None
            self._negotiation = admit(self._connection, self._first, pairs)
            self._proof = Proof(self._connection, self._negotiation)
        answers = self._negotiation.receive(pairs, stage)
        answers += self._proof.receive(pairs, answers)
        if stage is Stage.OPERATIONAL:
            self._proof.is_due(stage)
        return answers + self._negotiation.propose(stage)

    def _move(self, pdu: LoginRequest) -> Effects:
        """Feed the machine with what the T bit and the stages of a request ask for."""
        assert self._negotiation is not None
        session = self._connection.session
        assert session is not None
        move = "stays"
        if pdu.transit:
            wanted = _MOVES.get((pdu.csg, pdu.nsg))
            if wanted is None:
                raise _error(f"a move from stage {pdu.csg} to {pdu.nsg}", "6.3.1")
            is_due = self._proof.is_due(_STAGES[self._stage])
            if not is_due and not self._negotiation.pending:
                move = wanted
        if move != "stays":
            self._proof.come_in()
        if move == "moves_to_full_feature":
            # This may fail, and a machine that has moved does not move back.
            self._connection.parameters = self._negotiation.settle()
            if not session.tsih:
                session.node.make_room(session.node.find(session.nexus))
        effects: Effects = getattr(self._machine, move)()
        return effects

    def _do(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Effect.ASK_FOR_MORE:
                    self._respond(b"")
                case Effect.ANSWER:
                    self._respond(self._parts.pop(0))
                case Effect.ANSWER_AND_MOVE_ON:
                    self._respond(self._parts.pop(0), transit=True)
                case Effect.SEND_PART:
                    self._respond(self._parts.pop(0), more=bool(self._parts))
                case Effect.ACCEPT:
                    self._accept()
                case Effect.REFUSE:
                    self._refuse()

    def _accept(self) -> None:
        """The final response of a login that succeeds (section 6.3.1)."""
        connection, session = self._connection, self._connection.session
        assert session is not None
        parameters = connection.parameters
        if not session.tsih:
            session.parameters = parameters
            session.tsih = session.node.new_tsih()
            # Another login of the same initiator port may have ended since this one began.
            take_place(connection, session)
        self._respond(self._parts.pop(0), transit=True)
        # Digests count from the first PDU after the login (section 13.1).
        connection.framer.header_digest = parameters.header_digest
        connection.framer.data_digest = parameters.data_digest
        connection.framer.max_data_segment_length = parameters.target_max_recv_data_segment_length
        connection.login_ended(None)

    def _refuse(self) -> None:
        refusal = self._refusal
        assert refusal is not None
        status = LoginStatus.INITIATOR_ERROR
        if isinstance(refusal.answer, LoginStatus):
            status = refusal.answer
        refusal.answer = status
        keys: list[Pair] = []
        if isinstance(refusal, Redirection):
            keys = [("TargetAddress", refusal.address)]
        elif isinstance(refusal, NoMethod):
            keys = [("AuthMethod", REJECT)]
        self._respond(encode(keys), status=status)
        self._connection.login_ended(refusal)

    def _respond(
        self,
        text: bytes,
        *,
        transit: bool = False,
        more: bool = False,
        status: LoginStatus = LoginStatus.SUCCESS,
    ) -> None:
        request, session = self._request, self._connection.session
        refused = status is not LoginStatus.SUCCESS
        response = LoginResponse(
            transit=transit,
            continue_=more,
            csg=request.csg,
            nsg=request.nsg if transit else 0,
            version_max=_VERSION,
            version_active=_VERSION,
            isid=request.isid,
            tsih=session.tsih if session is not None and not refused else request.tsih,
            itt=request.itt,
            exp_cmd_sn=request.cmd_sn,
            max_cmd_sn=request.cmd_sn,
            status_class=status >> 8,
            status_detail=status & 0xFF,
            data=text,
        )
        self._connection.send_status(response)


_CONSTANT = ("isid", "tsih", "cid", "itt", "version_max", "version_min")
"""What stays the same in all requests of a login (section 11.12)."""


def _segment(negotiation: Negotiation | None) -> int:
    """How much text one response may carry: 8192 bytes until the login is over (section 13.12)."""
    declared = (
        8192 if negotiation is None else (negotiation.so_far.initiator_max_recv_data_segment_length)
    )
    return min(declared, 8192)


def _error(
    reason: str, section: str, answer: LoginStatus = LoginStatus.INITIATOR_ERROR
) -> PeerError:
    return PeerError(reason, section=section, answer=answer)
