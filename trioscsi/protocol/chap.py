"""CHAP in a login (RFC 7143 section 12.1.3)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from trioscsi.errors import PeerError
from trioscsi.machines import chap as machine
from trioscsi.machines._automat import Effects, Watcher
from trioscsi.machines.chap import Effect
from trioscsi.pdu import LoginStatus
from trioscsi.protocol.credentials import (
    ALGORITHMS,
    CHALLENGE_MAXIMUM,
    IDENTIFIERS,
    Authentication,
    Secret,
)
from trioscsi.text import Pair, decode_binary, decode_number, encode_binary

_OFFER = frozenset({"CHAP_A"})
_PROOF = frozenset({"CHAP_N", "CHAP_R"})
_CHALLENGE = frozenset({"CHAP_I", "CHAP_C"})
_PROOF_AND_CHALLENGE = _PROOF | _CHALLENGE
"""The keys of the steps of an initiator (section 12.1.3)."""


class Chap:
    """The authentication of one login."""

    def __init__(
        self, authentication: Authentication, initiator_name: str, watcher: Watcher | None
    ) -> None:
        self._authentication = authentication
        self._initiator_name = initiator_name
        self.name: str | None = None
        """The name that was proven."""
        self._machine = machine.machine.start(watcher)
        self._algorithm = 0
        self._identifier = 0
        self._challenge = b""
        self._theirs = (0, b"")
        """The identifier and the challenge of the initiator, if it sent one."""

    @property
    def proven(self) -> bool:
        """Whether the initiator has proven who it is."""
        return self._machine.state == machine.PROVEN.name

    @property
    def awaited(self) -> bool:
        """Whether the next text has to bring a step."""
        return self._machine.state in (machine.AGREED.name, machine.CHALLENGED.name)

    def agree(self) -> None:
        """Both sides have chosen CHAP."""
        self._machine.method_agreed()

    def receive(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Take the keys of one text; returns what to send back.

        Raises PeerError; the authentication is then over. Its status is AUTHENTICATION FAILURE for
        what is not proven, and tells of an error of the initiator, or of a parameter that is
        missing, for what is no step at all (section 9.2).
        """
        keys = dict(pairs)
        try:
            if keys.keys() == _OFFER:
                return self._do(self._offered(keys["CHAP_A"]))
            if keys.keys() == _PROOF:
                self._check(keys)
                return self._do(self._machine.proven())
            if keys.keys() == _PROOF_AND_CHALLENGE:
                self._check(keys)
                self._take_challenge(keys)
                return self._do(self._machine.proven_and_challenged())
            raise self._misstep(keys)
        except PeerError as error:
            self._machine.failed()
            if error.answer is None:
                raise _error(error.reason) from None
            raise

    def _misstep(self, keys: Mapping[str, str]) -> PeerError:
        """What is wrong with keys that are no step: some are missing, or they are others.

        Who leaves CHAP_R out may want to have our own response reflected (section 9.2).
        """
        if self._machine.state == machine.AGREED.name:
            due = _OFFER
        else:
            due = _PROOF_AND_CHALLENGE if keys.keys() & _CHALLENGE else _PROOF
        missing = sorted(due - keys.keys())
        if keys.keys() <= due:
            return _error(f"{' and '.join(missing)} did not come", LoginStatus.MISSING_PARAMETER)
        return _error(f"{', '.join(keys)} is no step of CHAP")

    def _expect(self, cause: str, keys: str) -> None:
        if not self._machine.hears(cause):
            raise _error(f"{keys} came out of turn")

    def _offered(self, value: str) -> Effects:
        self._expect("algorithms_offered", "CHAP_A")
        offered = [decode_number(item) for item in value.split(",")]
        ours = self._authentication.algorithms
        chosen = next((number for number in ours if number in offered), None)
        if chosen is None:
            raise _failure(
                f"none of the algorithms {value} is taken, only {', '.join(map(str, ours))}"
            )
        self._algorithm = chosen
        return self._machine.algorithms_offered()

    def _check(self, keys: Mapping[str, str]) -> None:
        """Check that the response proves the name."""
        self._expect("proven", "CHAP_N and CHAP_R")
        name = keys["CHAP_N"]
        response = decode_binary(keys["CHAP_R"], CHALLENGE_MAXIMUM)
        account, mutual = self._authentication.account_of(name), self._authentication.mutual
        # The time it takes does not tell whether there is such a name.
        secret = Secret(b"nobody") if account is None else account.secret
        expected = secret.proof(self._algorithm, self._identifier, self._challenge)
        if not hmac.compare_digest(expected, response) or account is None:
            raise _failure(f"{name!r} has not proven itself")
        if mutual is not None and hmac.compare_digest(
            mutual.secret.proof(self._algorithm, self._identifier, self._challenge), response
        ):
            raise _failure("the initiator uses the secret of the target")
        if not account.is_of(self._initiator_name):
            raise _failure(f"{name!r} is no name of {self._initiator_name}", "9.2")
        self.name = name

    def _take_challenge(self, keys: Mapping[str, str]) -> None:
        """Take the challenge of an initiator that wants a proof in return."""
        if self._authentication.mutual is None:
            raise _failure("the initiator asks for a proof of the target, which has no secret")
        identifier = decode_number(keys["CHAP_I"])
        challenge = decode_binary(keys["CHAP_C"], CHALLENGE_MAXIMUM)
        if identifier >= IDENTIFIERS or not challenge:
            raise _error("a challenge that is none")
        if not self._authentication.challenges.take(challenge):
            raise _failure("a challenge that was used before, by this target or by an initiator")
        self._theirs = identifier, challenge

    def _do(self, effects: Effects) -> list[Pair]:
        pairs: list[Pair] = []
        for effect in effects:
            match effect:
                case Effect.CHALLENGE:
                    pairs += self._new_challenge()
                case Effect.RESPOND:
                    mutual = self._authentication.mutual
                    assert mutual is not None, "who has no secret fails before"
                    response = mutual.secret.proof(self._algorithm, *self._theirs)
                    pairs += [("CHAP_N", mutual.name), ("CHAP_R", encode_binary(response))]
        return pairs

    def _new_challenge(self) -> list[Pair]:
        """It is as long as what the algorithm makes of it."""
        challenges = self._authentication.challenges
        length = hashlib.new(ALGORITHMS[self._algorithm], usedforsecurity=False).digest_size
        self._identifier = challenges.random(1)[0]
        self._challenge = challenges.issue(length)
        return [
            ("CHAP_A", str(self._algorithm)),
            ("CHAP_I", str(self._identifier)),
            ("CHAP_C", encode_binary(self._challenge)),
        ]


def _failure(reason: str, section: str = "12.1.3") -> PeerError:
    """Something is not proven."""
    return PeerError(reason, section=section, answer=LoginStatus.AUTHENTICATION_FAILURE)


def _error(reason: str, answer: LoginStatus = LoginStatus.INITIATOR_ERROR) -> PeerError:
    """Keys or values are none of the step that is due."""
    return PeerError(reason, section="9.2", answer=answer)
