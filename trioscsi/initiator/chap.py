"""CHAP in a login, at the initiator (RFC 7143 sections 9.2.1 and 12.1.3)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

from trioscsi.errors import PeerError
from trioscsi.initiator.intent import Credentials
from trioscsi.initiator.rules import Rule, Rules
from trioscsi.machines._automat import Effects, Watcher
from trioscsi.machines.initiator import chap as machine
from trioscsi.machines.initiator.chap import Effect
from trioscsi.protocol.credentials import ALGORITHMS, CHALLENGE_MAXIMUM, IDENTIFIERS
from trioscsi.text import Pair, decode_binary, decode_number, encode_binary

_NO_LIMIT = 2**16
_CHALLENGE_LENGTH = 16
_ALL = Rules()


class Chap:
    """The authentication of one login."""

    def __init__(
        self,
        credentials: Credentials,
        watcher: Watcher | None,
        rules: Rules = _ALL,
    ) -> None:
        self._credentials = credentials
        self._rules = rules
        self._machine = machine.machine.start(watcher)
        self._algorithm = 0
        self._theirs = (0, b"")
        self._ours = (0, b"")

    @property
    def fresh(self) -> bool:
        """Whether nothing was said yet."""
        return self._machine.state == machine.UNPROVEN.name

    @property
    def responded(self) -> bool:
        """Whether this side has said what it has to."""
        return self._machine.state in (machine.CHALLENGING.name, machine.DONE.name)

    @property
    def done(self) -> bool:
        """Whether all is proven that has to be."""
        return self._machine.state == machine.DONE.name

    def agree(self) -> list[Pair]:
        """The target has chosen CHAP: what to say to that."""
        return self._do(self._machine.method_agreed())

    def receive(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Take the keys of one text; returns what to send.  Raises PeerError."""
        keys = dict(pairs)
        if not self._rules.keep(Rule.CHAP_STEPS) and "CHAP_C" in keys:
            keys = {"CHAP_A": str(self._credentials.algorithms[0]), "CHAP_I": "0", **keys}
        try:
            if keys.keys() == {"CHAP_A", "CHAP_I", "CHAP_C"}:
                self._expect("challenged", "CHAP_A, CHAP_I and CHAP_C")
                self._take_challenge(keys)
                if self._credentials.target is None:
                    return self._do(self._machine.challenged())
                return self._do(self._machine.challenged_by_suspect())
            if keys.keys() == {"CHAP_N", "CHAP_R"}:
                self._expect("target_proven", "CHAP_N and CHAP_R")
                self._check_proof(keys)
                return self._do(self._machine.target_proven())
            raise _failure(f"{', '.join(keys)} is no step of CHAP")
        except PeerError:
            self._machine.failed()
            raise

    def _expect(self, cause: str, keys: str) -> None:
        if not self._machine.hears(cause):
            raise _failure(f"{keys} came out of turn")

    def _take_challenge(self, keys: Mapping[str, str]) -> None:
        self._algorithm = decode_number(keys["CHAP_A"])
        if self._algorithm not in self._credentials.algorithms and (
            self._rules.keep(Rule.OFFERED_ALGORITHM) or self._algorithm not in ALGORITHMS
        ):
            raise _failure(f"algorithm {self._algorithm} was not offered")
        limit = CHALLENGE_MAXIMUM if self._rules.keep(Rule.CHALLENGE_LENGTH) else _NO_LIMIT
        identifier = decode_number(keys["CHAP_I"])
        challenge = decode_binary(keys["CHAP_C"], limit)
        if identifier >= IDENTIFIERS or not challenge:
            raise _failure("a challenge that is none")
        fresh = self._credentials.challenges.take(challenge)
        stale = "a challenge that was used before, by this initiator or by a target"
        self._rules.insist(Rule.FRESH_CHALLENGE, fresh, stale, "9.2.1")
        for name in self._credentials.short_secrets:
            short = f"the CHAP secret of {name} has less than 96 bits: who listens could guess it"
            self._rules.insist(Rule.LONG_SECRETS, False, short, "9.2.1")
        self._theirs = identifier, challenge

    def _check_proof(self, keys: Mapping[str, str]) -> None:
        """Check that the target is who it has to be, and does not send our own proof back."""
        account, target = self._credentials.account, self._credentials.target
        assert target is not None, "nobody else is challenged"
        response = decode_binary(keys["CHAP_R"], CHALLENGE_MAXIMUM)
        if not self._rules.keep(Rule.CHECK_PROOF):
            return
        if hmac.compare_digest(account.secret.proof(self._algorithm, *self._ours), response):
            raise _failure("the target uses the secret of the initiator")
        expected = target.secret.proof(self._algorithm, *self._ours)
        if not hmac.compare_digest(expected, response) or keys["CHAP_N"] != target.name:
            raise _failure(f"the target has not proven to be {target.name!r}")

    def _do(self, effects: Effects) -> list[Pair]:
        pairs: list[Pair] = []
        for effect in effects:
            match effect:
                case Effect.OFFER:
                    pairs += [("CHAP_A", ",".join(map(str, self._credentials.algorithms)))]
                case Effect.RESPOND:
                    pairs += self._response()
                case Effect.RESPOND_AND_CHALLENGE:
                    pairs += self._response() + self._challenge()
        return pairs

    def _response(self) -> list[Pair]:
        account = self._credentials.account
        proof = account.secret.proof(self._algorithm, *self._theirs)
        return [("CHAP_N", account.name), ("CHAP_R", encode_binary(proof))]

    def _challenge(self) -> list[Pair]:
        challenges = self._credentials.challenges
        self._ours = challenges.random(1)[0], challenges.issue(_CHALLENGE_LENGTH)
        identifier, challenge = self._ours
        return [("CHAP_I", str(identifier)), ("CHAP_C", encode_binary(challenge))]


def _failure(reason: str) -> PeerError:
    return PeerError(reason, section="12.1.3")
