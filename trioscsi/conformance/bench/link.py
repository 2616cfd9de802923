"""One connection of an initiator, with the target behind it and a scenario in between.

Nothing moves on a link by itself: each call that waits (`take`, `see`, `rest`, ...) lets PDUs
through, one after the other and in both directions, until what it waits for is there.  So a
scenario never has to hurry: what comes while it thinks comes later.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from math import inf
from typing import Any, TypeVar

import trio

from trioscsi.conformance.bench.faults import Damage, Fault
from trioscsi.conformance.bench.relay import Left, Relay
from trioscsi.conformance.bench.words import answer_to, reject
from trioscsi.pdu import NO_TASK, NopIn, Pdu, from_initiator
from trioscsi.serial import add
from trioscsi.text import Parameters, Side

__all__ = ["Left", "Link", "Silence"]

P = TypeVar("P", bound=Pdu)


class Silence(Exception):
    """What a scenario waited for has not come in time."""


class Link(Relay):
    """The words of a scenario; see above, and `Relay`."""

    patience = 1.0
    """By how much longer than it says a scenario waits for what an initiator has to do."""
    _interrupted = False
    """Whether the next, or present, `rest` is to return."""

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
        self._wire.interrupt()

    async def is_ended(self, within: float = 5.0) -> bool:
        """Whether the initiator closes the connection, without one more PDU on it.

        What the target says meanwhile is not sent.
        """
        until = self._until(within)
        while self.is_open:
            move = await self._wire.receive(until)
            if move is None:
                return False
            if move.sender is Side.INITIATOR:
                if move.piece is not None:
                    self._note(move)
                    await self._pass(move)
                    return False
                await self._close_for(move.sender)
        return Side.INITIATOR in self._wire.closed

    async def is_dropped(self, within: float = 10.0) -> bool:
        """Whether the initiator closes the connection without a logout; all else goes through."""
        return await self.is_given_up(within) and not self.has_logged_out

    async def is_given_up(self, within: float = 10.0) -> bool:
        """Whether the initiator closes the connection or logs out of it; all else goes through."""
        until = self._until(within)
        while self.is_open and not self.has_logged_out:
            try:
                move = await self._next(until)
            except Left:
                break
            if move is None:
                return False
            await self._pass(move)
        return self.has_logged_out or Side.INITIATOR in self._wire.closed

    def since(self, count: int) -> list[Any]:
        """What the initiator has sent since it had sent so many PDUs (``count`` then)."""
        new = self.count - count
        return self.heard[-new:] if new else []

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
            onward = copy(pdu)
            self.numbers.returned(onward)
            await self._send_inward(onward)
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
            await self._wire.send(Side.INITIATOR, bytes(gathered))

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
        await self._send_bytes(data)

    def spoil(self, fault: Fault) -> None:
        """Lay a fault over all PDUs that go to the initiator from now on."""
        self._overlay.faults.append(fault)

    def damage(self, damage: Damage) -> None:
        """The same for their bytes."""
        self._overlay.damages.append(damage)

    def heal(self) -> None:
        """Take all faults away."""
        self._overlay.clear()

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
        """Say that no more will come, and go on listening.  Raises Left if it is closed."""
        self._check_open()
        await self._wire.half_close()

    async def reset(self) -> None:
        """Break the connection off (RST).  Raises Left if it is closed."""
        self._check_open()
        self._wire.break_off()
        await self.close()

    # How it waits.

    def _until(self, within: float | None) -> float:
        return inf if within is None else trio.current_time() + within * self.patience

    async def _wait(
        self,
        classes: tuple[type, ...],
        where: Callable[[Any], bool] | None,
        within: float | None,
        *,
        keep: bool,
    ) -> Any:
        until = self._until(within)
        while (move := await self._next(until)) is not None:
            pdu = move.pdu
            if isinstance(pdu, classes) and (where is None or where(pdu)):
                if keep:
                    self._keep(move)
                else:
                    await self._pass(move)
                return pdu
            await self._pass(move)
        names = " or ".join(cls.__name__ for cls in classes)
        raise Silence(f"no {names} within {within or 0:g} seconds")

    async def _carry(self, until: float) -> None:
        while self.is_open and not self._interrupted:
            try:
                move = await self._next(until)
            except Left:
                break
            if move is None:
                break
            await self._pass(move)
        self._interrupted = False
