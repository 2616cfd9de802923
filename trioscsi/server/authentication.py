"""What users say about CHAP, made into what logins have to prove (RFC 7143 section 9.2.1)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from trioscsi.protocol import Account, Authentication, Challenges, Secret

log = logging.getLogger("trioscsi")

Password: TypeAlias = str | bytes
"""A CHAP secret; a string stands for its UTF-8."""

Credentials: TypeAlias = tuple[str, Password] | Mapping[str, Password]
"""A CHAP name and its secret, or several."""

_CHALLENGES = Challenges(secrets.token_bytes)
"""All challenges of this process: one that comes back through another target is known too."""


def authentication(
    chap: Credentials | None,
    mutual_chap: tuple[str, Password] | None = None,
    algorithms: Sequence[int] = (8, 7, 6, 5),
    challenge_length: int | None = None,
) -> Authentication | None:
    """What initiators have to prove, or None if ``chap`` is; raises UsageError.

    A secret that is short enough to be guessed by who has listened is logged, not refused: the
    network may be safe by other means.
    """
    if chap is None:
        return None
    found = Authentication(
        tuple(_account(*item) for item in (chap.items() if isinstance(chap, Mapping) else [chap])),
        _CHALLENGES,
        mutual=None if mutual_chap is None else _account(*mutual_chap),
        algorithms=tuple(algorithms),
        challenge_length=challenge_length,
    )
    for name in found.short_secrets:
        log.warning(
            "the CHAP secret of %s is shorter than 12 bytes: "
            "on a network without IPsec it can be guessed (RFC 7143 section 9.2.1)",
            name,
        )
    return found


def _account(name: str, password: Password) -> Account:
    return Account(name, Secret(password.encode() if isinstance(password, str) else password))
