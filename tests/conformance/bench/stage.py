"""A link between two sockets that a test holds the other ends of: no initiator, and no target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from tests.conformance.talk import ISID, LEADING
from trioscsi.conformance import Judge
from trioscsi.conformance.bench.clock import QUIET
from trioscsi.conformance.bench.cutter import Cutter
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.relay import Relay
from trioscsi.conformance.stream import Thing
from trioscsi.pdu import LoginRequest, LoginResponse, Pdu, encode
from trioscsi.text import Side
from trioscsi.text import encode as encode_text

_BYTES = 65_536
_LIMIT = 60
"""Seconds, of a clock that jumps, after which nothing will happen any more."""


class Remembering:
    """A watcher that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Side, str]] = []

    def passed(self, link: Relay, sender: Side, thing: Thing | None, raw: bytes) -> None:
        self.told.append((sender, type(thing).__name__))

    def ended(self, link: Relay, sender: Side) -> None:
        self.told.append((sender, "the end"))


@attrs.define
class End:
    """One side, as a test plays it."""

    stream: trio.SocketStream
    cutter: Cutter = attrs.field(factory=Cutter)
    come: list[Any] = attrs.field(factory=list)

    async def send(self, *pdus: Pdu) -> None:
        await self.stream.send_all(b"".join(part for pdu in pdus for part in encode(pdu)))

    async def send_bytes(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def receive(self) -> Any:
        """The next PDU, or what else comes; b"" at the end."""
        while not self.come:
            data = await self.stream.receive_some(_BYTES)
            if not data:
                return b""
            self.cutter.receive(data)
            self.come += [piece.thing for piece in self.cutter.pieces()]
        return self.come.pop(0)

    async def receive_bytes(self) -> bytes:
        """What TCP has, as it comes."""
        return bytes(await self.stream.receive_some(_BYTES))

    async def close(self) -> None:
        await self.stream.aclose()


@attrs.frozen
class Stage:
    """A link with both its sides."""

    link: Link
    initiator: End
    target: End
    watcher: Remembering

    async def log_in(self, **keys: str) -> None:
        """Both sides log in; the PDUs are taken from both."""
        text = encode_text({**LEADING, **keys}.items())
        await self.initiator.send(
            LoginRequest(transit=True, csg=1, nsg=3, isid=ISID, cmd_sn=1, data=text)
        )
        await self.link.see(LoginRequest)
        await self.target.send(
            LoginResponse(
                transit=True, csg=1, nsg=3, isid=ISID, tsih=1, stat_sn=10, exp_cmd_sn=1,
                max_cmd_sn=8, data=encode_text(keys.items()),
            )
        )  # fmt: skip
        await self.link.login()
        assert isinstance(await self.target.receive(), LoginRequest)
        assert isinstance(await self.initiator.receive(), LoginResponse)


async def _pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    """Two ends of one TCP connection on this machine."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        outer = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
        return outer, await listener.accept()


def on_stage(act: Callable[[Stage], Awaitable[None]], *, logged_in: bool = True) -> None:
    """Let something happen on a new stage, in no time."""

    async def run() -> None:
        initiator, inner = await _pair()
        target, outer = await _pair()
        watcher = Remembering()
        link = Link(inner, outer, Judge(), Judge(()), watcher)
        stage = Stage(link, End(initiator), End(target), watcher)
        async with initiator, target, trio.open_nursery() as nursery:
            nursery.start_soon(link.run)
            with trio.fail_after(_LIMIT):
                if logged_in:
                    await stage.log_in()
                await act(stage)
            nursery.cancel_scope.cancel()

    trio.run(run, clock=MockClock(autojump_threshold=QUIET))
