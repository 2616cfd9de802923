"""The negotiation of keys, from either side (RFC 7143 sections 6.2 to 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from trioscsi.errors import PeerError
from trioscsi.text.key import Irrelevance, Kind, Side, Stage, Syntax, Use
from trioscsi.text.keys import KEYS
from trioscsi.text.offer import Offer
from trioscsi.text.parameters import Parameters, attribute, result
from trioscsi.text.rules import (
    IRRELEVANT,
    NOT_UNDERSTOOD,
    REJECT,
    RESERVED,
    RULES,
    Breach,
    parse,
    write,
)
from trioscsi.text.states import KeyEvent, KeyState, KeyStates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trioscsi.text.codec import Pair
    from trioscsi.text.key import Key


# A Discovery session has no digests, as some initiators cannot, and no error recovery, as section
# 7.4.1 demands.
_IN_DISCOVERY: Mapping[str, Any] = {
    "HeaderDigest": ("None",),
    "DataDigest": ("None",),
    "ErrorRecoveryLevel": 0,
}

_REPORTING = {"RFC3720", "ResponseFence"}
"""What whoever proposes TaskReporting has to offer (section 13.23)."""


@attrs.define
class Negotiation:
    """One login, or one sequence of Text Requests and Responses.

    ``parameters`` are the values in force before: the RFC's defaults in the login of a leading
    connection; the session's, by ``Parameters.for_new_connection``, in that of another, where
    ``leading`` is false; the connection's in a Text Request. They are never touched: ``settle``
    returns the new ones, so a negotiation that fails changes nothing.

    Names are not judged here, and neither SendTargets nor the keys of authentication methods are
    answered: ``send_targets`` and ``security`` hold them for the caller.
    """

    side: Side
    offer: Offer
    leading: bool = True
    parameters: Parameters = attrs.field(factory=Parameters)
    overlooked: frozenset[Breach] = frozenset()
    """What the peer may do wrong: nothing, but for a side that breaks rules on purpose."""
    send_targets: str | None = attrs.field(default=None, init=False)
    """The value of SendTargets; None: it was not sent."""
    security: list[Pair] = attrs.field(factory=list, init=False)
    """The keys of authentication methods that arrived, in order; the caller empties it."""
    states: KeyStates = attrs.field(factory=KeyStates, init=False)
    """How far each key is; what this side declares does not count."""
    _declared: set[str] = attrs.field(factory=set, init=False)
    _proposals: dict[str, Any] = attrs.field(factory=dict, init=False)
    _results: dict[str, Any] = attrs.field(factory=dict, init=False)
    _so_far: Parameters | None = attrs.field(default=None, init=False)
    """None: there are new results since it was made."""

    @property
    def pending(self) -> frozenset[str]:
        """The keys that this side proposed and that still need an answer."""
        return frozenset(
            name
            for name, proposal in self._proposals.items()
            if self.states[name] is KeyState.PROPOSED
            and not RULES[KEYS[name].kind].decided(proposal)
        )

    @property
    def so_far(self) -> Parameters:
        """The parameters as they would be if nothing more were negotiated, not yet checked."""
        if self._so_far is None:
            self._so_far = attrs.evolve(self.parameters, **self._results)
        return self._so_far

    def settle(self) -> Parameters:
        """End the negotiation: all results together, within the rules between them.

        A proposal that the peer left unanswered changes nothing, unless it decides the result by
        itself (section 6.2.2). Raises ``PeerError`` if the peer led to values that contradict
        each other, or refused a digest that this side cannot do without.
        """
        for name, proposal in self._proposals.items():
            if self.states[name] is KeyState.PROPOSED:
                self.states.advance(name, KeyEvent.ANSWER)
                if RULES[KEYS[name].kind].decided(proposal):
                    self._record(KEYS[name], proposal)
        end = self.so_far
        if Breach.BURSTS in self.overlooked:
            return end
        self._check_bursts(end)
        self._check_digests(end)
        return end.constrained()

    def receive(self, pairs: Iterable[Pair], stage: Stage) -> list[Pair]:
        """Take one complete text from the peer; returns the answers, in the order of the keys.

        The answer to SendTargets is no negotiation and does not belong here. Raises
        ``PeerError`` for a key that is sent twice, by the wrong side or in the wrong stage, for
        a reserved constant as a proposal, for a declaration that is out of range and for an
        answer that its proposal does not admit. The negotiation has then failed.
        """
        pairs = list(pairs)
        answers: dict[str, str] = {}
        for name, value in sorted(pairs, key=_dependence):
            try:
                answer = self._take(name, value, stage)
            except PeerError as error:
                error.subject = name
                raise
            if answer is not None:
                answers[name] = answer
        return [(name, answers[name]) for name, _ in pairs if name in answers]

    def propose(self, stage: Stage) -> list[Pair]:
        """What this side has to say by itself in this stage and has not said yet.

        A target only declares, and proposes a digest if it cannot do without: some initiators
        answer none of the keys that a target proposes.
        """
        pairs = []
        for key in KEYS.values():
            if stage in key.stages and self._wants(key, stage):
                value = self._proposed(key)
                if key.kind is Kind.DECLARATION:
                    self._declared.add(key.name)
                    self._record(key, value, self.side)
                else:
                    self.states.advance(key.name, KeyEvent.PROPOSE)
                    self._proposals[key.name] = value
                pairs.append((key.name, write(value)))
        return pairs

    # --- What the peer sent

    def _take(self, name: str, value: str, stage: Stage) -> str | None:
        key = KEYS.get(name)
        if key is None:
            return self._unknown(name, value)
        if name in self._declared and value == NOT_UNDERSTOOD and key.newer:
            return None
        if self.side.other not in key.senders:
            raise PeerError(f"the {self.side.other.value} sent {name}", section=key.section)
        if stage not in key.stages:
            self._breach(Breach.OUT_OF_STAGE, f"{name} in stage {stage.name}", "6.3")
        answered = self.states[name] is KeyState.PROPOSED or key.kind is Kind.EXCHANGE
        if value in RESERVED and not answered:
            self._breach(Breach.RESERVED, f"{name} proposed as {value}", "6.2")
            return None
        if self.states[name] is KeyState.SETTLED and Breach.SENT_TWICE in self.overlooked:
            return None
        if key.syntax is Syntax.BOOLEAN and Breach.LOWER_CASE in self.overlooked:
            value = value.capitalize()
        return _HANDLERS[key.kind](self, key, value)

    def _unknown(self, name: str, value: str) -> str | None:
        self.states.advance(name, KeyEvent.DECLARATION)
        if value in (REJECT, IRRELEVANT):
            self._breach(Breach.RESERVED, f"{name} proposed as {value}", "6.2")
            return None
        return None if value == NOT_UNDERSTOOD else NOT_UNDERSTOOD

    def _declaration(self, key: Key, value: str) -> None:
        if not key.repeatable:
            self.states.advance(key.name, KeyEvent.DECLARATION)
        try:
            declared = parse(key, value)
        except PeerError:
            if Breach.INADMISSIBLE in self.overlooked:
                return
            raise
        if key.use is Use.LEADING_ONLY and not self.leading:
            self._check_repeated(key, declared)
        elif key.repeatable:
            name = str(key.parameter)
            self._results[name] = (*getattr(self.so_far, name), declared)
            self._so_far = None
        else:
            self._record(key, declared, self.side.other)

    def _negotiated(self, key: Key, value: str) -> str | None:
        if self.states[key.name] is KeyState.PROPOSED:
            self.states.advance(key.name, KeyEvent.ANSWER)
            self._answered(key, value)
            return None
        self.states.advance(key.name, KeyEvent.PROPOSAL)
        answer = self._answer(key, value)
        self.states.advance(key.name, KeyEvent.ANSWER)
        return answer

    def _answer(self, key: Key, value: str) -> str:
        if key.use is Use.LEADING_ONLY and not self.leading:
            # The session's value stands, which is what Reject says (section 6.2).
            return REJECT
        if self._irrelevant(key):
            return IRRELEVANT
        if key.offer is None and self.side is Side.INITIATOR:
            # A target declines markers: initiators of RFC 3720 may take Reject for a failure.
            return REJECT
        try:
            proposed = parse(key, value)
        except PeerError:
            # Section 6.2.2 has us choose between Reject and a value of our own. A value of our
            # own would pretend that the proposal was understood.
            return REJECT
        selected = RULES[key.kind].select(proposed, self._acceptable(key))
        if selected is None:
            return REJECT
        self._record(key, selected)
        return write(selected)

    def _answered(self, key: Key, value: str) -> None:
        if value in (REJECT, IRRELEVANT) or (value == NOT_UNDERSTOOD and key.newer):
            return
        if value == NOT_UNDERSTOOD:
            self._breach(Breach.NOT_UNDERSTOOD, f"{key.name} was not understood", "6.2")
            return
        try:
            selected = parse(key, value)
        except PeerError:
            if Breach.INADMISSIBLE in self.overlooked:
                return
            raise
        if not RULES[key.kind].admits(self._proposals[key.name], selected):
            reason = f"{key.name}={value!r} does not answer our proposal"
            self._breach(Breach.INADMISSIBLE, reason, "6.2")
            if key.kind is Kind.LIST:
                return
        self._record(key, selected)

    def _obsolete(self, key: Key, _: str) -> str:
        self.states.advance(key.name, KeyEvent.PROPOSAL)
        self.states.advance(key.name, KeyEvent.ANSWER)
        return REJECT

    def _query(self, key: Key, value: str) -> None:
        self.states.advance(key.name, KeyEvent.DECLARATION)
        self.send_targets = parse(key, value)

    def _exchange(self, key: Key, value: str) -> None:
        self.states.advance(key.name, KeyEvent.DECLARATION)
        self.security.append((key.name, value))

    # --- What this side holds

    def _wants(self, key: Key, stage: Stage) -> bool:
        if key.offer is None or self.side not in key.senders or key.name in self._declared:
            return False
        if self._offered(key) is None or (key.use is Use.LEADING_ONLY and not self.leading):
            return False
        if key.kind is Kind.DECLARATION:
            return stage is not Stage.FULL_FEATURE or self._changes(key)
        if key.name in self.offer.reticent:
            return False
        if self.states[key.name] is not KeyState.UNTOUCHED or self._irrelevant(key):
            return False
        if key.name == "TaskReporting" and not set(self.offer.task_reporting) >= _REPORTING:
            return False
        return self.side is Side.INITIATOR or self._insists(key)

    def _offered(self, key: Key) -> Any:
        if self.so_far.discovery and key.name in _IN_DISCOVERY:
            return _IN_DISCOVERY[key.name]
        # No offer at all is a marker, which this side always declines.
        return False if key.offer is None else getattr(self.offer, key.offer)

    def _proposed(self, key: Key) -> Any:
        # With error recovery and sequences in order there is one R2T at most (section 13.19).
        offer = self.offer
        one_r2t = offer.error_recovery_level > 0 and offer.data_sequence_in_order
        return 1 if one_r2t and key.name == "MaxOutstandingR2T" else self._offered(key)

    def _acceptable(self, key: Key) -> Any:
        offered = self._offered(key)
        if not key.depends:
            return offered
        name = str(key.parameter)
        return getattr(attrs.evolve(self.so_far, **{name: offered}).constrained(), name)

    def _changes(self, key: Key) -> bool:
        return bool(self._offered(key) != getattr(self.parameters, attribute(key, self.side)))

    def _insists(self, key: Key) -> bool:
        return key.syntax is Syntax.DIGESTS and "None" not in self._offered(key)

    def _irrelevant(self, key: Key) -> bool:
        # That there is no unsolicited data is certain once both keys are: the defaults that they
        # still have may change in a later text.
        so_far = self.so_far
        certain = {"initial_r2t", "immediate_data"} <= self._results.keys()
        unsolicited = not so_far.initial_r2t or so_far.immediate_data
        return (so_far.discovery and Irrelevance.DISCOVERY in key.irrelevant) or (
            certain and not unsolicited and Irrelevance.NO_UNSOLICITED_DATA in key.irrelevant
        )

    # --- Results

    def _breach(self, breach: Breach, reason: str, section: str) -> None:
        """The peer has broken a rule: raise PeerError, unless that is overlooked."""
        if breach not in self.overlooked:
            raise PeerError(reason, section=section)

    def _record(self, key: Key, value: Any, sender: Side | None = None) -> None:
        self._results |= result(key, value, sender)
        self._so_far = None

    def _check_repeated(self, key: Key, declared: Any) -> None:
        # The type of a session cannot change with its second connection; whatever else a peer
        # repeats there is of no consequence.
        if key.name == "SessionType" and declared != self.parameters.session_type:
            raise PeerError("SessionType differs from the session's", section=key.section)

    def _check_bursts(self, end: Parameters) -> None:
        negotiated = {"first_burst_length", "max_burst_length"} <= self._results.keys()
        if negotiated and end.first_burst_length > end.max_burst_length:
            raise PeerError("FirstBurstLength exceeds MaxBurstLength", section="13.14")

    def _check_digests(self, end: Parameters) -> None:
        for name, used in (("HeaderDigest", end.header_digest), ("DataDigest", end.data_digest)):
            if not used and self._insists(KEYS[name]):
                raise PeerError(f"{name}=None is not acceptable here", section="13.1")


def _dependence(pair: Pair) -> int:
    """What a key means may depend on others in the same text, so these are taken first."""
    key = KEYS.get(pair[0])
    if key is None or key.kind is not Kind.DECLARATION:
        return 2 if key is not None and key.depends else 1
    return 0


_HANDLERS: Mapping[Kind, Callable[[Negotiation, Key, str], str | None]] = {
    Kind.DECLARATION: Negotiation._declaration,
    Kind.QUERY: Negotiation._query,
    Kind.EXCHANGE: Negotiation._exchange,
    Kind.OBSOLETE: Negotiation._obsolete,
    **dict.fromkeys(RULES, Negotiation._negotiated),
}
