"""What users say about CHAP, made into what logins have to prove (RFC 7143 section 9.2.1)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from trioscsi.protocol import Account, Authentication, Challenges, Secret

log = logging.getLogger("trioscsi")

Password: TypeAlias = str | bytes
"""A CHAP secret; a string stands for its UTF-8."""

Credentials: TypeAlias = tuple[str, Password] | Mapping[str, Password | tuple[Password, str]]
"""A CHAP name and its secret, or several; beside a secret there may be the name of the initiator
that is to prove itself by it, or a glob of such names: then no other may."""

_CHALLENGES = Challenges(secrets.token_bytes)
"""All challenges of this process: one that comes back through another target is known too."""


def authentication(
    chap: Credentials | None,
    mutual_chap: tuple[str, Password] | None = None,
    algorithms: Sequence[int] = (8, 7, 6, 5),
) -> Authentication | None:
    """What initiators have to prove, or None if ``chap`` is; raises UsageError.

    A secret that is short enough to be guessed by who has listened is logged, not refused: the
    network may be safe by other means.
    """
    if chap is None:
        return None
    found = Authentication(
        tuple(_accounts(chap)),
        _CHALLENGES,
        mutual=None if mutual_chap is None else _account(*mutual_chap),
        algorithms=tuple(algorithms),
    )
    for name in found.short_secrets:
        log.warning(
            "the CHAP secret of %s is shorter than 12 bytes: "
            "on a network without IPsec it can be guessed (RFC 7143 section 9.2.1)",
            name,
        )
    return found


def _accounts(chap: Credentials) -> Iterator[Account]:
    for name, said in chap.items() if isinstance(chap, Mapping) else [chap]:
        password, initiator = said if isinstance(said, tuple) else (said, "*")
        yield _account(name, password, initiator)


def _account(name: str, password: Password, initiator: str = "*") -> Account:
    """Names of initiators are compared in lower case, as everywhere."""
    secret = Secret(password.encode() if isinstance(password, str) else password)
    return Account(name, secret, initiator.lower())
