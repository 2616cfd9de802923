"""A server as its feed tells it, and how tasks wait for what the feed tells them."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import trio

from trioscsi.server.listener import format_address
from trioscsi.server.portals import Open
from trioscsi.teaching.live import Feed, Filter, Message

if TYPE_CHECKING:
    from trioscsi.server.target import Target

_PAUSE = 0.03
"""Seconds for which messages are gathered, so that a busy server is not asked for each of them."""

_MOST = 512
"""Messages that are taken at once."""


def surroundings(targets: Iterable[Target], doors: Iterable[Open]) -> dict[str, Any]:
    """What there is besides connections (specs/feed.md)."""
    return {
        "targets": [
            {"name": target.name, "alias": target.alias, "units": _units(target)}
            for target in targets
        ],
        "portals": [
            {"address": format_address(door.address), "group": door.portal.group} for door in doors
        ],
    }


def _units(target: Target) -> list[dict[str, Any]]:
    return [
        {
            "lun": unit.number,
            "blocks": unit.blocks,
            "block_size": unit.block_size,
            "read_only": unit.read_only,
        }
        for unit in (each.logical for each in target.performer.units)
    ]


class Listener:
    """A subscription whose messages can be waited for; left with ``with``."""

    def __init__(self, feed: Feed, wanted: Filter | None = None) -> None:
        self._feed = feed
        self._something = trio.Event()
        self._subscription = feed.subscribe(wanted or Filter(), wake=self._wake)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing more is wanted."""
        self._subscription.close()

    def _wake(self) -> None:
        self._something.set()

    async def take(self) -> list[Message]:
        """The next messages; waits until there are some, and a little longer for more."""
        await trio.sleep(_PAUSE)
        while True:
            self._something = trio.Event()
            due = self._feed.tick()
            messages = self._subscription.take(_MOST)
            if messages:
                return messages
            with trio.move_on_after(due):
                await self._something.wait()
