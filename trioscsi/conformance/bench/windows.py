"""A command window that has run out (RFC 7143 section 4.2.2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.numbers import is_numbered
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.pdu import FROM_INITIATOR, LoginRequest
from trioscsi.serial import add, less

WIDTH = 4
"""Commands that are granted where the window is to run out."""


async def narrow(play: Play) -> Link:
    """A session in which all commands that were granted have come, and no more are.

    Raises NotExercised if the initiator does not give so many.
    """
    while True:
        link = await play.connection()
        request = await link.see(LoginRequest)
        link.numbers.ceiling = last = add(request.cmd_sn, WIDTH - 1)
        await link.login()
        session = link.known.session
        if session is None or session.discovery:
            link.open_window()
            play.leave(link)
            continue
        try:
            await link.see(*FROM_INITIATOR, where=_reaching(last), within=5)
        except (Left, Silence):
            raise NotExercised(f"it has not given {WIDTH} commands") from None
        return link


def _reaching(number: int) -> Callable[[Any], bool]:
    return lambda pdu: is_numbered(pdu) and not less(pdu.cmd_sn, number)
