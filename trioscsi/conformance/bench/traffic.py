"""What an initiator makes of the keys that it was told, as far as lengths show it.

::

    traffic = alter_logins(play, lambda said: {"FirstBurstLength": "512"})
    await traffic.watch()
    traffic.check(traffic.burst <= 512, f"{traffic.burst} bytes unasked")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from trioscsi.conformance.bench.faults import saying
from trioscsi.conformance.bench.link import Link, Silence
from trioscsi.conformance.bench.logins import said
from trioscsi.conformance.bench.play import Play
from trioscsi.pdu import NO_TASK, DataOut, LoginRequest, LoginResponse, ScsiCommand
from trioscsi.text import Stage

Keys = Mapping[str, str | None]


@attrs.define
class Traffic:
    """All that comes from the initiator after its logins; lengths in bytes."""

    play: Play
    altered: int = 0
    """Logins that have been told other keys than the target has said."""
    pdus: int = 0
    writes: int = 0
    """Commands that write."""
    segment: int = 0
    """The longest data segment."""
    immediate: int = 0
    """The most immediate data of a command."""
    burst: int = 0
    """The most unsolicited data of a command, immediate ones included."""
    odd: int = 0
    """Data segments that are no whole words."""
    _bursts: dict[tuple[int, int], int] = attrs.field(factory=dict)
    """Unsolicited data of each task, by connection and tag."""

    def follow(self, link: Link) -> None:
        """Count what comes over one more connection."""
        link.on_request = lambda pdu: self._heard(link, pdu)

    async def watch(self, within: float = 20.0) -> None:
        """Let everything through until the initiator is done, or for so many seconds."""
        try:
            await self.play.ending(within)
        except Silence:
            self.play.note(f"it was not done after {within:g} seconds")

    def check(self, kept: object, breach: str) -> None:
        """The rule may be kept in two ways: by how is written, or by leaving at once."""
        if self.altered and (self.writes or self.refused):
            self.play.check(self.refused or kept, breach)

    @property
    def refused(self) -> bool:
        """Whether the initiator has left a connection, perhaps to try again, and has used none."""
        left = (not (link.is_open or link.has_logged_out) for link in self.play.links)
        return not self.pdus and any(left)

    def _heard(self, link: Link, pdu: Any) -> None:
        if isinstance(pdu, LoginRequest) or not link.known.logged_in:
            return
        length = len(pdu.data)
        self.pdus += 1
        self.segment = max(self.segment, length)
        self.odd += bool(length % 4)
        task = link.number, pdu.itt
        if isinstance(pdu, ScsiCommand) and pdu.write:
            self.writes += 1
            self.immediate = max(self.immediate, length)
            self._bursts[task] = length
        elif isinstance(pdu, DataOut) and pdu.ttt == NO_TASK:
            self._bursts[task] = self._bursts.get(task, 0) + length
        else:
            return
        self.burst = max(self.burst, self._bursts[task])


def alter_logins(
    play: Play, change: Callable[[Mapping[str, str]], Keys | None] = lambda _: {}
) -> Traffic:
    """Say other keys at the end of each login, and count what comes after it.

    ``change`` is given what the initiator has said, and gives None to leave a login as it is.
    To be called before the first connection comes.
    """
    traffic = Traffic(play)

    def prepare(link: Link) -> None:
        def say(pdu: Any) -> Iterable[Any]:
            if isinstance(pdu, LoginResponse) and pdu.transit and pdu.nsg == Stage.FULL_FEATURE:
                keys = change(dict(said(link)))
                if keys is not None:
                    pdu.data = saying(keys)(pdu)
                    traffic.altered += 1
            return (pdu,)

        link.spoil(say)
        traffic.follow(link)

    play.on_link = prepare
    return traffic
