"""A clock of our own, for initiators in the same process: it jumps when all of them wait."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
from trio.testing import MockClock

T = TypeVar("T")

QUIET = 0.005
"""Seconds without any event after which the clock jumps to the next deadline."""


class _AtOnce(trio.abc.HostnameResolver):
    """Looks names up without a thread, for which the clock would not wait."""

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - as the standard library calls it
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        await trio.lowlevel.checkpoint()
        return socket.getaddrinfo(host, port, family, type, proto, flags)

    async def getnameinfo(
        self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int
    ) -> tuple[str, str]:
        await trio.lowlevel.checkpoint()
        return socket.getnameinfo(sockaddr, flags)


def run_in_no_time(play: Callable[[], Awaitable[T]]) -> T:
    """Run something from beginning to end by such a clock."""

    async def main() -> T:
        trio.socket.set_custom_hostname_resolver(_AtOnce())
        return await play()

    return trio.run(main, clock=MockClock(autojump_threshold=QUIET))
