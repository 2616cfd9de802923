"""What somebody wants of a target, as a login says it: from a URL and options to an `Intent`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from trioscsi.errors import UsageError
from trioscsi.initiator.intent import Credentials, Intent
from trioscsi.initiator.url import Url
from trioscsi.protocol import Account, Challenges, Secret
from trioscsi.text import Offer, SessionType

NAME = "iqn.2025-12.local:trioscsi-initiator"
"""Who we are if nobody says otherwise."""

_OF_INTENT = frozenset({"first_stage", "first_cmd_sn", "more"})


def intent_of(
    where: Url, name: str, isid: bytes, challenges: Challenges, options: Mapping[str, Any]
) -> Intent:
    """The login that a URL stands for; ``options`` are fields of `Offer` and of `Intent`.

    ``protected`` is another: nobody can listen, so that CHAP secrets may be short.  Raises
    UsageError for what cannot be.
    """
    options = {**where.options, **options}
    protected = bool(options.pop("protected", False))
    mine = {key: options.pop(key) for key in _OF_INTENT & options.keys()}
    whom: dict[str, Any] = {"initiator_name": name, "target_name": where.target}
    if where.target is None:
        whom = {"initiator_name": name, "session_type": SessionType.DISCOVERY}
    credentials = _credentials(where, challenges, protected)
    if credentials is not None:
        methods = ("CHAP",) if credentials.target is not None else ("CHAP", "None")
        whom["auth_methods"] = methods
    unknown = options.keys() - {field.name for field in attrs.fields(Offer)}
    if unknown:
        raise UsageError(f"unknown options of a login: {', '.join(sorted(unknown))}")
    return Intent(offer=Offer.of(**{**whom, **options}), isid=isid, credentials=credentials, **mine)


def _credentials(where: Url, challenges: Challenges, protected: bool) -> Credentials | None:
    if where.user is None:
        return None
    if not where.secret:
        raise UsageError(f"no secret for {where.user}")
    target = None
    if where.target_user is not None:
        target = Account(where.target_user, Secret(_bytes(where.target_secret or "")))
    account = Account(where.user, Secret(_bytes(where.secret)))
    return Credentials(account, challenges, target, protected=protected)


def _bytes(secret: str) -> bytes:
    """What was said on the command line or in the environment, UTF-8 or not."""
    return secret.encode(errors="surrogateescape")
