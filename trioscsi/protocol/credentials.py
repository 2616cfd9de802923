"""Secrets, and what an initiator has to prove with them (RFC 7143 sections 9.2.1 and 12.1.3)."""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

import attrs

from trioscsi.errors import UsageError
from trioscsi.utf8 import fits

SHORT_SECRET = 12
"""Bytes below which a secret needs IPsec: 96 bits (section 9.2.1)."""

CHALLENGE_MAXIMUM = 1024
"""Bytes of a challenge or of a response (section 12.1.3)."""

IDENTIFIERS = 256
"""How many identifiers of challenges there are: one byte (RFC 1994 section 4.1)."""

ALGORITHMS: Mapping[int, str] = {5: "md5", 6: "sha1", 7: "sha256", 8: "sha3_256"}
"""What CHAP_A may say (IANA's registry of PPP authentication algorithms), as hashlib names it."""

_NAME_LENGTH = 255
_REMEMBERED = 4096


@attrs.frozen
class Secret:
    """A secret that no log, trace or traceback shows."""

    value: bytes = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.value:
            raise UsageError("a CHAP secret cannot be empty")

    def proof(self, algorithm: int, identifier: int, challenge: bytes) -> bytes:
        """The response that proves it to who has sent this challenge (RFC 1994 section 4.1)."""
        content = bytes((identifier,)) + self.value + challenge
        return hashlib.new(ALGORITHMS[algorithm], content, usedforsecurity=False).digest()

    def equals(self, other: Secret) -> bool:
        """Whether both are the same, in a time that does not depend on where they differ."""
        return hmac.compare_digest(self.value, other.value)


@attrs.define(eq=False)
class Challenges:
    """The challenges of late, from either side: none may come twice.

    A challenge of ours that comes back is an attempt to have us answer it for the other side
    (section 9.2.1), whether on the same connection or on another one.
    """

    random: Callable[[int], bytes]
    """Gives so many bytes that nobody can guess."""
    _known: set[bytes] = attrs.field(factory=set, init=False)
    _order: deque[bytes] = attrs.field(factory=deque, init=False)

    def issue(self, length: int) -> bytes:
        """A challenge of so many bytes."""
        challenge = self.random(length)
        self._remember(challenge)
        return challenge

    def take(self, challenge: bytes) -> bool:
        """Note a challenge of the peer's; False if it was seen before."""
        if challenge in self._known:
            return False
        self._remember(challenge)
        return True

    def _remember(self, challenge: bytes) -> None:
        self._known.add(challenge)
        self._order.append(challenge)
        if len(self._order) > _REMEMBERED:
            self._known.discard(self._order.popleft())


def _name(_policy: object, _attribute: object, name: str) -> None:
    if not name or not fits(name, _NAME_LENGTH) or "\0" in name:
        raise UsageError(
            f"a CHAP name has from 1 to {_NAME_LENGTH} bytes of UTF-8, none of them zero"
        )


@attrs.frozen
class Account:
    """A name and the secret that proves it."""

    name: str = attrs.field(validator=_name)
    secret: Secret
    initiator: str = "*"
    """Whose name it is: an initiator's, in its normal form, or a glob of such names."""

    def is_of(self, initiator_name: str) -> bool:
        """Whether an initiator may go by this name (section 9.2)."""
        return fnmatchcase(initiator_name, self.initiator)


@attrs.frozen
class Authentication:
    """What logins to one node have to prove, and how it proves itself to those who ask.

    ``algorithms`` are in order of preference. Raises UsageError for what the RFC forbids.
    """

    accounts: tuple[Account, ...]
    challenges: Challenges
    mutual: Account | None = None
    algorithms: tuple[int, ...] = (8, 7, 6, 5)

    def __attrs_post_init__(self) -> None:
        if not self.accounts:
            raise UsageError("CHAP needs the name and the secret of an initiator")
        names = [account.name for account in self.accounts]
        if len(set(names)) != len(names):
            raise UsageError("a CHAP name is given twice")
        unknown = set(self.algorithms) - ALGORITHMS.keys()
        if unknown or not self.algorithms:
            raise UsageError(f"CHAP algorithms are some of {', '.join(map(str, ALGORITHMS))}")
        if self.mutual is not None and any(
            account.secret.equals(self.mutual.secret) for account in self.accounts
        ):
            raise UsageError(
                "the same CHAP secret both ways would let either side pass for the other"
            )

    def account_of(self, name: str) -> Account | None:
        """The account with this name."""
        return next((each for each in self.accounts if each.name == name), None)

    @property
    def short_secrets(self) -> list[str]:
        """The names whose secrets are too short for a network that others can listen to."""
        return short_secrets([*self.accounts, self.mutual])


def short_secrets(accounts: Iterable[Account | None]) -> list[str]:
    """The names among these whose secrets have less than 96 bits (section 9.2.1)."""
    return [
        each.name for each in accounts if each is not None and len(each.secret.value) < SHORT_SECRET
    ]
