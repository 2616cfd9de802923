"""Sessions at error recovery level 1 or 2, which the target behind the stage does not have.

What belongs to recovery is said by the scenario; everything else is the target's.
"""

from __future__ import annotations

from typing import Any, TypeVar

import trio

from trioscsi.conformance.bench.faults import changing, saying
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.errors import PeerError
from trioscsi.pdu import LoginRequest, LoginResponse, Pdu
from trioscsi.text import decode, encode

P = TypeVar("P", bound=Pdu)
_KEY = "ErrorRecoveryLevel"
_DECLINED = {"HeaderDigest": "None", "DataDigest": "None", "MaxConnections": "1"}
"""What is answered to proposals where nobody else answers them."""


def proposed(link: Link) -> dict[str, str]:
    """What the initiator has said in the login of a connection."""
    said: dict[str, str] = {}
    for pdu in link.heard:
        if isinstance(pdu, LoginRequest):
            try:
                said |= dict(decode(bytes(pdu.data)))
            except PeerError:
                continue
    return said


async def session_at(play: Play, level: int) -> Link:
    """The next session, for which this level is agreed; raises NotExercised if it cannot be."""
    link = await play.connection()

    def answers(pdu: Any) -> bool:
        wanted = proposed(link).get(_KEY, "0")
        return f"{_KEY}=".encode() in bytes(pdu.data) and wanted >= str(level)

    link.spoil(changing(LoginResponse, when=answers, data=saying({_KEY: str(level)})))
    await link.login()
    if link.parameters.error_recovery_level < level:
        raise NotExercised(f"error recovery level {level} was not agreed")
    return link


async def take_beside(link: Link, other: Link, *classes: type[P], within: float = 10.0) -> P:
    """The next PDU of these classes on one connection, while the other goes on."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.rest)
        try:
            return await link.take(*classes, within=within)
        finally:
            other.interrupt()


async def log_in_instead(link: Link, request: LoginRequest, tsih: int) -> None:
    """Answer a login in the target's stead, to its end; ``request`` was taken."""
    while True:
        pairs = dict(decode(bytes(request.data)))
        text = encode((name, value) for name, value in _DECLINED.items() if name in pairs)
        await link.answer(request, tsih=tsih, data=text)
        if link.known.logged_in:
            return
        request = await link.take(LoginRequest, within=10)
