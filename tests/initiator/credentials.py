"""Secrets of both sides, for tests of authentication."""

from __future__ import annotations

from itertools import count

from tests.protocol.peer import Gate
from trioscsi.initiator.intent import Credentials
from trioscsi.protocol import Account, Authentication, Challenges, Node, Secret
from trioscsi.text import Offer

ME = Account("initiator", Secret(b"secret of the initiator"))
YOU = Account("target", Secret(b"secret of the target"))

_DRAWN = count(1)


def unpredictable(size: int) -> bytes:
    """Bytes that come once: good enough for tests."""
    return next(_DRAWN).to_bytes(size, "little") if size > 1 else b"\x07"


def credentials(*, mutual: bool = False, **fields: object) -> Credentials:
    """What the initiator has."""
    target = YOU if mutual else None
    return Credentials(ME, Challenges(unpredictable), target, **fields)  # type: ignore[arg-type]


def locked_gate(*, mutual: bool = False, **fields: object) -> Gate:
    """A target that lets nobody in without proof."""
    gate = Gate()
    authentication = Authentication(
        (ME,),
        Challenges(unpredictable),
        YOU if mutual else None,
        **fields,  # type: ignore[arg-type]
    )
    gate.target = Node(
        gate.target.name,
        Offer(auth_methods=("CHAP",)),
        gate.limits,
        gate.units,
        gate.watcher,
        authentication=authentication,
    )
    gate.disk.node = gate.target
    return gate
