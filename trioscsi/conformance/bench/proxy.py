"""Standing between an initiator and any target, and judging both while nothing is changed."""

from __future__ import annotations

from collections.abc import Callable

import trio

from trioscsi.conformance.bench.wire import peer_of
from trioscsi.conformance.judge import Judge, ignore
from trioscsi.conformance.verdicts import Finding
from trioscsi.errors import why_unreachable
from trioscsi.server.listener import format_address
from trioscsi.server.tracing import Tap, Trace
from trioscsi.text import Side

_BYTES = 262_144
_PATIENCE = 10.0
"""Seconds within which the target has to take a connection."""


class Proxy:
    """Passes on what comes to it, and has it judged.

    ``tell`` is called with the first finding of each rule on each connection, as a fault that a
    peer has it may have in every PDU; the judge counts all.  ``say`` is called with what becomes
    of connections.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        trace: Trace | None = None,
        tell: Callable[[Finding], None] = ignore,
        say: Callable[[str], None] = print,
    ) -> None:
        self._host, self._port = host, port
        self._trace, self._tell, self._say = trace, tell, say
        self._told: dict[int, set[str]] = {}
        self.judge = Judge(tell=self._found)

    async def converse(self, initiator: trio.SocketStream) -> None:
        """One connection of an initiator, until both sides have closed it."""
        peer = peer_of(initiator)
        try:
            with trio.fail_after(_PATIENCE):
                target = await trio.open_tcp_stream(self._host, self._port)
        except (OSError, UnicodeError, trio.TooSlowError) as error:
            target_is_at = format_address((self._host, self._port))
            self._say(f"{target_is_at} cannot be reached: {why_unreachable(error)}")
            await trio.aclose_forcefully(initiator)
            return
        number = self.judge.open()
        self._told[number] = set()
        tap = None
        if self._trace is not None:
            own = initiator.socket.getsockname()[:2]
            tap = self._trace.connect(peer, own, own)
        self._say(f"connection {number} from {format_address(peer)}")
        streams = {Side.INITIATOR: initiator, Side.TARGET: target}
        try:
            async with trio.open_nursery() as nursery:
                for side in Side:
                    nursery.start_soon(self._pump, number, side, streams, tap)
        finally:
            for stream in streams.values():
                stream.socket.close()
            if tap is not None:
                tap.close()
            del self._told[number]
        self._say(f"connection {number} is over")

    def _found(self, finding: Finding) -> None:
        told = self._told[finding.evidence.connection]
        if finding.rule.id not in told:
            told.add(finding.rule.id)
            self._tell(finding)

    async def _pump(
        self, number: int, side: Side, streams: dict[Side, trio.SocketStream], tap: Tap | None
    ) -> None:
        """What one side says, to the other; the end of it as well."""
        other = streams[side.other]
        try:
            while data := await streams[side].receive_some(_BYTES):
                self.judge.receive(number, side, data, trio.current_time())
                if tap is not None and side is Side.INITIATOR:
                    tap.received(data)
                    tap.settle()
                elif tap is not None:
                    tap.sent([data], len(data))
                await other.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.judge.close(number, side, trio.current_time())
            if tap is not None and side is Side.INITIATOR:
                tap.ended(broken=True)
            for stream in streams.values():
                stream.socket.close()
            return
        self.judge.close(number, side, trio.current_time())
        if tap is not None and side is Side.INITIATOR:
            tap.ended()
        try:
            await other.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.lowlevel.checkpoint()
