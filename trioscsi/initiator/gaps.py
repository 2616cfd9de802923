"""Numbered PDUs that are missing, and asking for them again (RFC 7143 sections 7.9 and 11.16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from trioscsi.machines._automat import Effects
from trioscsi.machines.initiator import gap as machine
from trioscsi.machines.initiator.gap import Effect
from trioscsi.serial import add, distance, less

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection

MOST = 1024
"""Numbers that may be missing at once; more than that is no loss but nonsense (section 4.2.2.2)."""
_TRIES = 3

Run = tuple[int, int]
"""The first number that is missing, and how many follow it, itself included."""


@attrs.define
class Numbers:
    """Which of a row of numbers have come: all below ``next``, and those ``ahead`` of it.

    ``ahead`` gives each a length, of whatever came with it; ``end`` is one above the highest number
    that is known to be in use.
    """

    next: int = 0
    ahead: dict[int, int] = attrs.field(factory=dict)
    end: int = 0

    def has(self, number: int) -> bool:
        """Whether a number was there before."""
        return number in self.ahead or less(number, self.next)

    def come(self, number: int, length: int = 0) -> None:
        """A number is there."""
        self.ahead[number] = length
        self.known(add(number))
        while self.next in self.ahead:
            del self.ahead[self.next]
            self.next = add(self.next)

    def known(self, end: int) -> None:
        """All numbers below this one are in use."""
        if less(self.end, end):
            self.end = end

    @property
    def missing(self) -> Run | None:
        """The first run of numbers that have not come."""
        if self.next == self.end:
            return None
        stop = min(self.ahead, key=lambda number: distance(self.next, number), default=self.end)
        return self.next, distance(self.next, stop)

    def forget_ahead(self) -> int:
        """Let go of what has come out of turn; returns the length of all of it."""
        length = sum(self.ahead.values())
        self.ahead.clear()
        self.end = self.next
        return length


class Gap:
    """Sees to it that what is missing comes after all.

    ``missing`` says what that is; ``ask`` asks for it; ``do_without`` is told that it will never
    come, and whether that is because the target refuses to send it.
    """

    def __init__(
        self,
        connection: InitiatorConnection,
        missing: Callable[[], Run | None],
        ask: Callable[[Run], None],
        do_without: Callable[[bool], None],
    ) -> None:
        self._connection = connection
        self._missing, self._ask, self._do_without = missing, ask, do_without
        self._machine = machine.machine.start(connection.session.watcher)
        self._asked: int | None = None
        """One above the last number that was asked for."""
        self._tries = 0

    @property
    def lost(self) -> bool:
        """Whether what is missing is not to be had."""
        return self._machine.state == machine.LOST.name

    def look(self) -> None:
        """Something has come, or something was said about what should have."""
        run = self._missing()
        if run is None:
            if self._machine.hears("filled"):
                self._asked = None
                self._do(self._machine.filled())
            return
        end = add(run[0], run[1])
        if self._machine.hears("gap_seen") and (self._asked is None or less(self._asked, end)):
            self._tries = 0
            self._do(self._machine.gap_seen())

    def refuse(self) -> None:
        """The target rejects to send it again."""
        if self._machine.hears("refused"):
            self._do(self._machine.refused(), refused=True)

    def _late(self) -> None:
        run = self._missing()
        self._tries += 1
        if run is None:
            self.look()
        elif self._tries >= _TRIES:
            self._do(self._machine.tries_over())
        else:
            self._asked = None
            self._do(self._machine.timed_out())

    def _do(self, effects: Effects, *, refused: bool = False) -> None:
        deadlines = self._connection.deadlines
        for effect in effects:
            match effect:
                case Effect.SEND_SNACK:
                    self._send()
                    when = self._connection.now + self._connection.limits.snack_time
                    deadlines.set(self, when, self._late)
                case Effect.STOP_TIMER:
                    deadlines.cancel(self)
                case Effect.DO_WITHOUT:
                    self._do_without(refused)

    def _send(self) -> None:
        run = self._missing()
        if run is None:
            return
        first, count = run
        end = add(first, count)
        if self._asked is not None and less(first, self._asked):
            # What was asked for before is on its way.
            first, count = self._asked, distance(self._asked, end)
        self._asked = end
        self._ask((first, count))
