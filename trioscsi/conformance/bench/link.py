"""One connection of an initiator, with the target behind it and a scenario in between.

Nothing moves on a link by itself: each call that waits (`take`, `see`, `rest`, ...) lets PDUs
through, one after the other and in both directions, until what it waits for is there.  So a
scenario never has to hurry: what comes while it thinks comes later.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from copy import copy
from math import inf
from typing import Any, Protocol, TypeVar

import attrs
import trio

from trioscsi.conformance.bench.cutter import Cutter, Piece
from trioscsi.conformance.bench.faults import Damage, Fault
from trioscsi.conformance.bench.numbers import Numbers
from trioscsi.conformance.judge import Judge
from trioscsi.conformance.record import Connection
from trioscsi.conformance.stream import Thing, Undecipherable
from trioscsi.pdu import (
    NO_TASK,
    BadDigest,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    Pdu,
    ReadyToTransfer,
    Reject,
    ScsiCommand,
    ScsiResponse,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
    encode,
    from_initiator,
)
from trioscsi.serial import add
from trioscsi.text import Parameters, Side

P = TypeVar("P", bound=Pdu)

_BYTES = 262_144
_AHEAD = 256
"""PDUs of one connection that have come and were not handled yet."""
_RESET = struct.pack("ii", 1, 0)


class Left(Exception):
    """A side has closed the connection while a scenario waited for something on it."""

    def __init__(self, side: Side, *, logged_out: bool) -> None:
        super().__init__(
            "the initiator has logged out"
            if logged_out
            else f"the {side.value} has closed the connection"
        )
        self.side = side


class Silence(Exception):
    """What a scenario waited for has not come in time."""


class Watcher(Protocol):
    """Is told what goes over the initiator's wire, PDU by PDU (the ladder of a report)."""

    def passed(self, link: Link, sender: Side, thing: Thing | None, raw: bytes) -> None:
        """A PDU has gone by; ``thing`` is None for bytes that are no PDU."""

    def ended(self, link: Link, sender: Side) -> None:
        """A side has closed the connection."""


@attrs.frozen
class _Move:
    """Something that has come from a side: a PDU, or the end."""

    sender: Side
    piece: Piece | None


class Link:
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
        self._ends = {Side.INITIATOR: initiator, Side.TARGET: target}
        self._outer, self._inner, self._watcher = outer, inner, watcher
        self.number = outer.open()
        self._inner_number = inner.open()
        self.known: Connection = outer.record.connections[self.number]
        """What a listener knows of it: its phase, parameters, session and tasks."""
        self._behind: Connection = inner.record.connections[self._inner_number]
        self._cutters = {side: Cutter() for side in Side}
        self._send_moves, self._moves = trio.open_memory_channel[_Move](_AHEAD)
        self._faults: list[Fault] = []
        self._damages: list[Damage] = []
        self._closed: set[Side] = set()
        self._patience = trio.CancelScope()
        self._interrupted = False
        """Whether the next, or present, `rest` is to return."""
        self.numbers = Numbers()
        self.segment: int | None = None
        """Bytes that are handed to TCP at once; None: a PDU."""
        self._gathered: bytearray | None = None
        self.peer: tuple[str, int] = initiator.socket.getpeername()[:2]
        self.own: tuple[str, int] = initiator.socket.getsockname()[:2]
        self.port: int = initiator.socket.getsockname()[1]
        """The door of the stage that the initiator came to."""
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
        try:
            async with trio.open_nursery() as nursery:
                for side in Side:
                    nursery.start_soon(self._read, side)
        finally:
            for stream in self._ends.values():
                stream.socket.close()

    # What a scenario waits for.

    async def take(
        self,
        *classes: type[P],
        where: Callable[[Any], bool] | None = None,
        within: float | None = None,
    ) -> P:
        """The next PDU of these classes; it does not go on, but by `forward`.

        Everything else that comes goes through.  Raises Left if a side closes the connection
        before, and Silence after ``within`` seconds.
        """
        pdu: P = await self._wait(classes, where, within, keep=True)
        return pdu

    async def see(
        self,
        *classes: type[P],
        where: Callable[[Any], bool] | None = None,
        within: float | None = None,
    ) -> P:
        """As `take`, but the PDU goes through as well."""
        pdu: P = await self._wait(classes, where, within, keep=False)
        return pdu

    async def login(self) -> Parameters:
        """Let the login through; what was agreed."""
        while not self.known.logged_in:
            move = await self._next()
            assert move is not None
            await self._pass(move)
        return self.known.parameters

    async def run_for(self, seconds: float) -> None:
        """Let everything through for some time, or until the connection is closed."""
        await self._carry(trio.current_time() + seconds)

    async def rest(self) -> None:
        """Let everything through until a side closes the connection, or `interrupt` is called."""
        await self._carry(inf)

    def interrupt(self) -> None:
        """Let `rest` return, with no PDU on its way."""
        self._interrupted = True
        self._patience.cancel()

    async def is_ended(self, within: float = 5.0) -> bool:
        """Whether the initiator closes the connection, without one more PDU on it.

        What the target says meanwhile is not sent.
        """
        until = trio.current_time() + within
        while not self._closed:
            move = await self._receive(until)
            if move is None:
                return False
            if move.sender is Side.INITIATOR:
                if move.piece is not None:
                    self._note(move.piece)
                    await self._pass(move)
                    return False
                await self._close_for(move.sender)
        return Side.INITIATOR in self._closed

    async def is_dropped(self, within: float = 10.0) -> bool:
        """Whether the initiator closes the connection without a logout; all else goes through."""
        return await self.is_given_up(within) and not self.has_logged_out

    async def is_given_up(self, within: float = 10.0) -> bool:
        """Whether the initiator closes the connection or logs out of it; all else goes through."""
        until = trio.current_time() + within
        while not (self._closed or self.has_logged_out):
            try:
                move = await self._next(until)
            except Left:
                break
            if move is None:
                return False
            await self._pass(move)
        return self.has_logged_out or Side.INITIATOR in self._closed

    def since(self, count: int) -> list[Any]:
        """What the initiator has sent since it had sent so many PDUs (``count`` then)."""
        new = self.count - count
        return self.heard[-new:] if new else []

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it."""
        return not self._closed

    @property
    def parameters(self) -> Parameters:
        """What was agreed in the login."""
        return self.known.parameters

    # What it says.

    async def forward(self, pdu: Any, **changes: Any) -> None:
        """Let a PDU go on that was taken, perhaps with other values in some fields."""
        for name, value in changes.items():
            setattr(pdu, name, value)
        if from_initiator(pdu.opcode):
            self.numbers.returned(pdu)
            await self._send_inward(copy(pdu))
        else:
            await self.say(pdu)

    async def say(self, *pdus: Any, number: bool = True, together: bool = False) -> None:
        """Send PDUs to the initiator with the numbers that are due, or with those they have.

        With ``together`` their bytes are handed to TCP at once. Raises Left if the connection is
        closed.
        """
        self._check_open()
        self._gathered = bytearray() if together else None
        for pdu in pdus:
            if number:
                self.numbers.own(pdu)
            await self._send_outward(pdu)
        if self._gathered is not None:
            gathered, self._gathered = self._gathered, None
            await self._send(Side.INITIATOR, bytes(gathered))

    async def answer(self, request: Any, **fields: Any) -> None:
        """Answer a request that was taken, in the target's stead.

        Without ``fields`` it is the answer that says yes: a login moves on as it was asked to, a
        command ends with GOOD.
        """
        await self.say(answer_to(request, **fields))

    async def refuse(self, command: Any, reason: int) -> None:
        """Reject a command that was taken: its CmdSN counts as one that has not come (7.3)."""
        self.numbers.unheard(command)
        await self.say(reject(command, reason))

    async def write(self, data: bytes) -> None:
        """Send bytes to the initiator, whatever they are.  Raises Left if it is closed."""
        self._check_open()
        self._watcher.passed(self, Side.TARGET, None, data)
        await self._transmit(data)

    def spoil(self, fault: Fault) -> None:
        """Lay a fault over all PDUs that go to the initiator from now on."""
        self._faults.append(fault)

    def damage(self, damage: Damage) -> None:
        """The same for their bytes."""
        self._damages.append(damage)

    def heal(self) -> None:
        """Take all faults away."""
        self._faults.clear()
        self._damages.clear()

    def close_window(self) -> None:
        """Grant no CmdSN any more beyond those that are granted: the window runs out (4.2.2.1)."""
        self.numbers.ceiling = self.numbers.window_end

    def open_window(self) -> None:
        """Let the target say again how far the window goes."""
        self.numbers.ceiling = None

    async def grant(self, count: int) -> None:
        """Say with a NOP-In that so many more commands may come (sections 11.4.11 and 11.19)."""
        numbers = self.numbers
        numbers.max_cmd_sn = add(numbers.window_end, count)
        if numbers.ceiling is not None:
            numbers.ceiling = numbers.max_cmd_sn
        await self.say(NopIn(itt=NO_TASK, ttt=NO_TASK))

    def skip_status(self, count: int = 1) -> None:
        """Leave out so many StatSN."""
        self.numbers.skip(count)

    async def close(self) -> None:
        """Close the connection (FIN), on both sides."""
        if self.is_open:
            await self._close_for(Side.TARGET)

    async def half_close(self) -> None:
        """Say that no more will come, and go on listening."""
        await self._ends[Side.INITIATOR].send_eof()

    async def reset(self) -> None:
        """Break the connection off (RST)."""
        sock = self._ends[Side.INITIATOR].socket
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        await self.close()

    # How it is done.

    async def _read(self, side: Side) -> None:
        stream, cutter = self._ends[side], self._cutters[side]
        while True:
            try:
                data = await stream.receive_some(_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                break
            if side is Side.INITIATOR and not self._closed:
                self._outer.receive(self.number, side, data, trio.current_time())
            cutter.receive(data)
            for piece in cutter.pieces():
                await self._send_moves.send(_Move(side, piece))
        await self._send_moves.send(_Move(side, None))

    async def _wait(
        self,
        classes: tuple[type, ...],
        where: Callable[[Any], bool] | None,
        within: float | None,
        *,
        keep: bool,
    ) -> Any:
        until = inf if within is None else trio.current_time() + within
        while (move := await self._next(until)) is not None:
            pdu = _pdu(move)
            if isinstance(pdu, classes) and (where is None or where(pdu)):
                if keep:
                    self._keep(move, pdu)
                else:
                    await self._pass(move)
                return pdu
            await self._pass(move)
        names = " or ".join(cls.__name__ for cls in classes)
        raise Silence(f"no {names} within {within or 0:g} seconds")

    async def _carry(self, until: float) -> None:
        while not (self._closed or self._interrupted):
            try:
                move = await self._next(until)
            except Left:
                break
            if move is None:
                break
            await self._pass(move)
        self._interrupted = False

    def _check_open(self) -> None:
        if self._closed:
            raise Left(next(iter(self._closed)), logged_out=self.has_logged_out)

    async def _next(self, until: float = inf) -> _Move | None:
        """What has come next, or None at that time; raises Left at the end."""
        self._check_open()
        move = await self._receive(until)
        if move is None:
            return None
        if move.piece is None:
            await self._close_for(move.sender)
            self._check_open()
        elif move.sender is Side.INITIATOR:
            self._note(move.piece)
        return move

    async def _receive(self, until: float) -> _Move | None:
        """The only place where a wait may be broken off: a PDU that goes on does so whole."""
        with trio.CancelScope(deadline=until) as self._patience:
            return await self._moves.receive()
        return None

    def _note(self, piece: Piece) -> None:
        """A PDU has come from the initiator."""
        self.damaged += isinstance(piece.thing, BadDigest | Undecipherable)
        self._watcher.passed(self, Side.INITIATOR, piece.thing, piece.raw)
        self.last_raw = piece.raw
        pdu = _pdu(_Move(Side.INITIATOR, piece))
        if pdu is not None:
            self.numbers.heard(pdu)
            self.count += 1
            self.heard = [*self.heard[-99:], pdu]
            self.has_logged_out |= isinstance(pdu, LogoutRequest)
            if self.on_request is not None:
                self.on_request(pdu)

    def _keep(self, move: _Move, pdu: Any) -> None:
        if move.sender is Side.INITIATOR:
            self.numbers.kept(pdu)
        else:
            assert move.piece is not None
            self._inner.receive(self._inner_number, Side.TARGET, move.piece.raw)
            self._follow_digests()
            self.numbers.outward(pdu)
            self.numbers.withheld(pdu)

    async def _pass(self, move: _Move) -> None:
        piece, pdu = move.piece, _pdu(move)
        assert piece is not None
        if move.sender is Side.INITIATOR:
            if pdu is None or isinstance(piece.thing, BadDigest):
                await self._send(Side.TARGET, piece.raw)
            else:
                await self._send_inward(copy(pdu) if self.numbers.shifted else pdu)
            return
        self._inner.receive(self._inner_number, Side.TARGET, piece.raw)
        self._follow_digests()
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
        await self._send(Side.TARGET, data)

    async def _send_outward(self, pdu: Any) -> None:
        sent: list[Any] = [pdu]
        for fault in self._faults:
            sent = [
                other
                for one in sent
                for other in ((one,) if isinstance(one, bytes) else fault(one))
            ]
        for one in sent:
            if isinstance(one, bytes):
                self._watcher.passed(self, Side.TARGET, None, one)
                await self._transmit(one)
                continue
            self.numbers.said(one)
            data = self._encode(one)
            self._watcher.passed(self, Side.TARGET, one, data)
            await self._transmit(data)
            self._follow_digests()

    def _encode(self, pdu: Any) -> bytes:
        digests = self._cutters[Side.INITIATOR]
        data = b"".join(
            encode(pdu, header_digest=digests.header_digest, data_digest=digests.data_digest)
        )
        for damage in self._damages:
            data = damage(data, pdu)
        return data

    def _follow_digests(self) -> None:
        """Digests count from the first PDU after the login (section 13.1)."""
        for side, known in ((Side.INITIATOR, self.known), (Side.TARGET, self._behind)):
            if known.logged_in:
                self._cutters[side].header_digest = known.parameters.header_digest
                self._cutters[side].data_digest = known.parameters.data_digest

    async def _transmit(self, data: bytes) -> None:
        """Send to the initiator."""
        if not self._closed:
            self._outer.receive(self.number, Side.TARGET, data, trio.current_time())
        if self._gathered is not None:
            self._gathered += data
            return
        size = self.segment or len(data) or 1
        for start in range(0, len(data), size):
            await self._send(Side.INITIATOR, data[start : start + size])
            if self.segment is not None:
                await trio.lowlevel.checkpoint()

    async def _send(self, side: Side, data: bytes) -> None:
        """Send; whoever has closed his end is told of it by his reader."""
        try:
            await self._ends[side].send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.lowlevel.checkpoint()

    async def _close_for(self, side: Side) -> None:
        """A side has closed: close the other one as well."""
        self._closed.add(side)
        self._watcher.ended(self, side)
        now = trio.current_time()
        self._outer.close(self.number, side, now)
        self._inner.close(self._inner_number, side, now)
        with trio.CancelScope(shield=True, deadline=now + 1):
            for stream in self._ends.values():
                await stream.aclose()


def _pdu(move: _Move) -> Any:
    """The PDU of a move, if it is one."""
    if move.piece is None:
        return None
    thing = move.piece.thing
    if isinstance(thing, BadDigest):
        thing = thing.pdu
    if isinstance(thing, Pdu) and from_initiator(thing.opcode) is (move.sender is Side.INITIATOR):
        return thing
    return None


def answer_to(request: Any, **fields: Any) -> Any:
    """The response to a request that says yes, but for these fields; its numbers are not set."""
    match request:
        case LoginRequest():
            values: dict[str, Any] = {
                "transit": request.transit,
                "csg": request.csg,
                "nsg": request.nsg if request.transit else 0,
                "isid": request.isid,
                "tsih": request.tsih,
            }
            if fields.get("transit", request.transit) is False:
                values["nsg"] = 0
            response: type[Pdu] = LoginResponse
        case TextRequest():
            values, response = {"final": True}, TextResponse
        case NopOut():
            values, response = {"lun": request.lun, "data": bytes(request.data)}, NopIn
        case ScsiCommand():
            values, response = {}, ScsiResponse
        case TaskManagementRequest():
            values, response = {}, TaskManagementResponse
        case LogoutRequest():
            values, response = {}, LogoutResponse
        case _:
            raise TypeError(f"a {type(request).__name__} has no answer")
    return response(**{"itt": request.itt, **values, **fields})


def reject(pdu: Any, reason: int) -> Reject:
    """The Reject of a PDU (section 11.17), with its header as the initiator has sent it."""
    return Reject(reason=reason, data=pdu.pack(len(pdu.pack_ahs()), len(pdu.data)))


def ping(ttt: int = 1, lun: int = 0, **fields: Any) -> NopIn:
    """A NOP-In that wants an answer (section 11.19)."""
    return NopIn(**{"ttt": ttt, "lun": lun, "itt": NO_TASK, **fields})


def r2t(command: Any, offset: int, length: int, ttt: int, r2t_sn: int = 0) -> ReadyToTransfer:
    """An R2T for the data of a command (section 11.8)."""
    return ReadyToTransfer(
        lun=command.lun,
        itt=command.itt,
        ttt=ttt,
        r2t_sn=r2t_sn,
        buffer_offset=offset,
        desired_data_transfer_length=length,
    )
