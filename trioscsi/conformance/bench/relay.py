"""How PDUs go through a link: with numbers put right, faults laid over them, and judged.

`Relay` is what `Link` is built on: it knows nothing of scenarios, and does nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from math import inf
from typing import Any, Protocol

import trio

from trioscsi.conformance.bench.cutter import Piece
from trioscsi.conformance.bench.faults import Overlay
from trioscsi.conformance.bench.numbers import Numbers
from trioscsi.conformance.bench.wire import Move, Wire, peer_of
from trioscsi.conformance.judge import Judge
from trioscsi.conformance.record import Connection
from trioscsi.conformance.stream import Thing, Undecipherable
from trioscsi.pdu import BadDigest, LogoutRequest, encode
from trioscsi.text import Parameters, Side

_HEARD = 100
"""PDUs of the initiator that are remembered."""


class Left(Exception):
    """A side has closed the connection while a scenario waited for something on it."""

    def __init__(self, side: Side, *, logged_out: bool) -> None:
        super().__init__(
            "the initiator has logged out"
            if logged_out
            else f"the {side.value} has closed the connection"
        )
        self.side = side


class Watcher(Protocol):
    """Is told what goes over the initiator's wire, PDU by PDU (the ladder of a report)."""

    def passed(self, link: Relay, sender: Side, thing: Thing | None, raw: bytes) -> None:
        """A PDU has gone by; ``thing`` is None for bytes that are no PDU."""

    def ended(self, link: Relay, sender: Side) -> None:
        """A side has closed the connection."""


class Relay:
    """See above.  ``number`` is what judge and reports call the connection.

    ``outer`` is the judge of what the initiator sees; ``inner`` follows what the target does.
    """

    def __init__(
        self,
        initiator: trio.SocketStream,
        target: trio.SocketStream,
        outer: Judge,
        inner: Judge,
        watcher: Watcher,
    ) -> None:
        self._wire = Wire(initiator, target, self._hear)
        self._outer, self._inner, self._watcher = outer, inner, watcher
        self.number = outer.open()
        self._inner_number = inner.open()
        self.known: Connection = outer.record.connections[self.number]
        """What a listener knows of it: its phase, parameters, session and tasks."""
        self._behind: Connection = inner.record.connections[self._inner_number]
        self._overlay = Overlay()
        self._gathered: bytearray | None = None
        """What is to be sent at once, while that is collected."""
        self.numbers = Numbers()
        self.segment: int | None = None
        """Bytes that are handed to TCP at once; None: a PDU."""
        self.peer: tuple[str, int] = peer_of(initiator)
        self.own: tuple[str, int] = initiator.socket.getsockname()[:2]
        """The door of the stage that the initiator came to."""
        self.half_open = False
        """Whether the initiator is not told when the target closes the connection."""
        self.damaged = 0
        """PDUs of the initiator that cannot be read, or whose digest is wrong."""
        self.last_raw = b""
        """The last PDU of the initiator as it came."""
        self.has_logged_out = False
        """Whether the initiator has sent a Logout Request."""
        self.count = 0
        """How many PDUs the initiator has sent."""
        self.heard: list[Any] = []
        """The last hundred PDUs of the initiator."""
        self.on_request: Callable[[Any], None] | None = None
        """Told of each PDU of the initiator, wherever it goes."""

    async def run(self) -> None:
        """Read from both sides until both are closed; to be run beside the scenario."""
        await self._wire.run()

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it."""
        return not self._wire.closed

    @property
    def port(self) -> int:
        """The TCP port that the initiator came to."""
        return self.own[1]

    # What comes.

    def _hear(self, side: Side, data: bytes) -> None:
        if side is Side.INITIATOR and self.is_open:
            self._outer.receive(self.number, side, data, trio.current_time())

    def _check_open(self) -> None:
        if not self.is_open:
            raise Left(next(iter(self._wire.closed)), logged_out=self.has_logged_out)

    async def _next(self, until: float = inf) -> Move | None:
        """What has come next, or None at that time; raises Left at the end."""
        self._check_open()
        move = await self._wire.receive(until)
        if move is None:
            return None
        if move.piece is None:
            if self.half_open and move.sender is Side.TARGET:
                return await self._next(until)
            await self._close_for(move.sender)
            self._check_open()
        elif move.sender is Side.INITIATOR:
            self._note(move)
        return move

    def _note(self, move: Move) -> None:
        """A PDU has come from the initiator."""
        piece, pdu = _whole(move), move.pdu
        self.damaged += isinstance(piece.thing, BadDigest | Undecipherable)
        self._watcher.passed(self, Side.INITIATOR, piece.thing, piece.raw)
        self.last_raw = piece.raw
        if pdu is not None:
            self.numbers.heard(pdu)
            self.count += 1
            self.heard = [*self.heard[1 - _HEARD :], pdu]
            self.has_logged_out |= isinstance(pdu, LogoutRequest)
            if self.on_request is not None:
                self.on_request(pdu)

    def _note_of_target(self, raw: bytes) -> None:
        """A PDU has come from the target."""
        self._inner.receive(self._inner_number, Side.TARGET, raw)
        self._follow_digests()

    # Where it goes.

    def _keep(self, move: Move) -> None:
        """It does not go on, for now."""
        if move.sender is Side.INITIATOR:
            self.numbers.kept(move.pdu)
        else:
            self._note_of_target(_whole(move).raw)
            self.numbers.outward(move.pdu)
            self.numbers.withheld(move.pdu)

    async def _pass(self, move: Move) -> None:
        piece, pdu = _whole(move), move.pdu
        if move.sender is Side.INITIATOR:
            if pdu is None or isinstance(piece.thing, BadDigest):
                await self._wire.send(Side.TARGET, piece.raw)
            else:
                await self._send_inward(copy(pdu) if self.numbers.shifted else pdu)
            return
        self._note_of_target(piece.raw)
        if pdu is None:
            self._watcher.passed(self, Side.TARGET, piece.thing, piece.raw)
            await self._transmit(piece.raw)
        else:
            self.numbers.outward(pdu)
            await self._send_outward(pdu)

    async def _send_inward(self, pdu: Any) -> None:
        if self.numbers.shifted:
            self.numbers.inward(pdu)
        agreed = self._behind.parameters if self._behind.logged_in else Parameters()
        data = b"".join(
            encode(pdu, header_digest=agreed.header_digest, data_digest=agreed.data_digest)
        )
        self._inner.receive(self._inner_number, Side.INITIATOR, data)
        await self._wire.send(Side.TARGET, data)

    async def _send_outward(self, pdu: Any) -> None:
        for each in self._overlay.instead_of(pdu):
            if isinstance(each, bytes):
                await self._send_bytes(each)
                continue
            self.numbers.said(each)
            data = self._overlay.damaged(self._encode(each), each)
            self._watcher.passed(self, Side.TARGET, each, data)
            await self._transmit(data)
            self._follow_digests()

    async def _send_bytes(self, data: bytes) -> None:
        """Bytes that are no PDU, for the initiator."""
        self._watcher.passed(self, Side.TARGET, None, data)
        await self._transmit(data)

    def _encode(self, pdu: Any) -> bytes:
        agreed = self._wire.cutters[Side.INITIATOR]
        return b"".join(
            encode(pdu, header_digest=agreed.header_digest, data_digest=agreed.data_digest)
        )

    def _follow_digests(self) -> None:
        """Digests count from the first PDU after the login (section 13.1)."""
        for side, known in ((Side.INITIATOR, self.known), (Side.TARGET, self._behind)):
            if known.logged_in:
                self._wire.cutters[side].header_digest = known.parameters.header_digest
                self._wire.cutters[side].data_digest = known.parameters.data_digest

    async def _transmit(self, data: bytes) -> None:
        """Send to the initiator."""
        if self.is_open:
            self._outer.receive(self.number, Side.TARGET, data, trio.current_time())
        if self._gathered is not None:
            self._gathered += data
            return
        size = self.segment or len(data) or 1
        for start in range(0, len(data), size):
            await self._wire.send(Side.INITIATOR, data[start : start + size])
            if self.segment is not None:
                await trio.lowlevel.checkpoint()

    async def _close_for(self, side: Side) -> None:
        """A side has closed: close the other one as well."""
        self._watcher.ended(self, side)
        now = trio.current_time()
        self._outer.close(self.number, side, now)
        self._inner.close(self._inner_number, side, now)
        await self._wire.close(side)


def _whole(move: Move) -> Piece:
    assert move.piece is not None, "it is not the end"
    return move.piece
