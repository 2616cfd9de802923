"""An initiator to use: `connect` to a target and send it commands.

::

    async with connect("iscsi://127.0.0.1:3260/iqn.2025-12.local:disk/0") as session:
        data = await session.read(0, 8)

`trioscsi.initiator.driver` and `trioscsi.initiator.carrier` do the work; with this module they are
all of the initiator that has sockets and a clock.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from trioscsi.errors import LoginFailure, unwrapped
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.driver import Session
from trioscsi.initiator.ports import Ports
from trioscsi.initiator.recovery import Policy
from trioscsi.initiator.results import Found
from trioscsi.initiator.rules import Rules
from trioscsi.initiator.url import Url
from trioscsi.initiator.wishes import NAME, intent_of
from trioscsi.limits import Limits
from trioscsi.machines import Watcher
from trioscsi.protocol import Challenges

__all__ = ["Session", "connect", "discover"]

_PORTS = Ports(os.urandom)
_CHALLENGES = Challenges(os.urandom)
"""All challenges of this process: none may be answered for another login (section 9.2.1)."""


@asynccontextmanager
async def connect(
    url: str | Url,
    *,
    name: str = NAME,
    limits: Limits | None = None,
    deviation: Deviation | None = None,
    watcher: Watcher | None = None,
    isid: bytes | None = None,
    portal_group: int | None = None,
    recover: bool | Policy = False,
    connections: int = 1,
    **offer: Any,
) -> AsyncIterator[Session]:
    """Log in to a target, or (where the URL names none) to discovery; log out at the end.

    ``isid`` names the initiator port; by default it is one that no other session with this target
    has.  ``portal_group`` is the tag that the target has to have there.  ``offer`` are fields of
    `trioscsi.text.Offer`: what is negotiated; and of `Intent`, such as ``first_stage``.  With
    ``recover`` a session that fails is brought back, and commands that were lost with it are sent
    anew, as a `Policy` says; and a first login that fails for now is tried again.  Where error
    recovery level 2 was agreed, only the connection is brought back, and the commands go on.
    ``connections`` is how many to use, if the target agrees to so many.

    Raises LoginFailure if the target refuses or cannot be reached, and UsageError for what cannot
    be.
    """
    where = Url.parse(url) if isinstance(url, str) else url
    policy = Policy() if recover is True else recover or None
    rules = Rules(frozenset() if deviation is None else deviation.breaks)
    with _PORTS.one(name, where.target, rules) as port, unwrapped():
        if connections > 1:
            offer = {"max_connections": connections, **offer}
        intent = intent_of(where, name, isid or port, _CHALLENGES, offer)
        session = Session(
            intent, where, limits=limits, deviation=deviation, watcher=watcher, policy=policy
        )
        async with trio.open_nursery() as nursery:
            try:
                await session.open(nursery)
                tag = session.core.parameters.target_portal_group_tag
                if portal_group not in (None, tag):
                    await session.log_out()
                    raise LoginFailure(f"portal group {tag} answers, not {portal_group}", None)
                while len(session.core.connections) < connections:
                    if not session.core.admits_connection:
                        break
                    await session.add_connection()
                yield session
                await session.log_out()
            finally:
                nursery.cancel_scope.cancel()


async def discover(url: str | Url, **options: Any) -> list[Found]:
    """The targets that a portal tells of; ``options`` are those of `connect`."""
    where = Url.parse(url) if isinstance(url, str) else url
    async with connect(attrs.evolve(where, target=None), **options) as session:
        return await session.discover()
