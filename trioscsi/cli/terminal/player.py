"""When messages are shown: as they come, slower or faster, or one at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from time import monotonic, sleep

from trioscsi.cli.terminal.source import Source
from trioscsi.teaching.live import Message

MOST = 2000
"""Messages that are shown at once."""

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0, inf)
"""How many seconds of a capture are shown in one; the last is as fast as it can be."""

_NAP = 0.03
"""Seconds from one look to the next while nothing happens."""

_NOTABLE = {"pdu", "transition", "note", "closed", "connection"}
"""What a step shows one of."""


class Player:
    """Takes messages from a source when it is time."""

    def __init__(self, source: Source, *, speed: float = 1.0, paused: bool = False) -> None:
        self.source = source
        self.speed = speed
        self.paused = paused
        self._held: deque[Message] = deque()
        """What was taken and is not shown yet."""

    @property
    def waiting(self) -> int:
        """How many messages are there that are not shown."""
        return len(self._held) + self.source.waiting

    @property
    def over(self) -> str:
        """Why nothing more will be shown; empty while something may."""
        return "" if self._held else self.source.over

    def tick(self, seconds: float) -> list[Message]:
        """What is to be shown after so many seconds."""
        if self.paused:
            return []
        shown = self._take_held()
        self.source.advance(1e9 if self.speed == inf else seconds * self.speed)
        return shown + self.source.take(MOST)

    def all(
        self, clock: Callable[[], float] = monotonic, nap: Callable[[float], None] = sleep
    ) -> Iterator[Message]:
        """All messages when it is their time, to the end."""
        before = clock()
        while not self.over:
            now = clock()
            shown, before = self.tick(now - before), now
            yield from shown
            if not shown:
                nap(_NAP)

    def step(self) -> list[Message]:
        """Up to the next thing that happens; whoever steps has paused."""
        self.paused = True
        shown: list[Message] = []
        while True:
            while self._held:
                message = self._held.popleft()
                shown.append(message)
                if message["type"] in _NOTABLE:
                    return shown
            self._held.extend(self.source.take(MOST))
            if not self._held and not self.source.forward():
                return shown

    def faster(self) -> None:
        """The next speed."""
        self.speed = next((speed for speed in SPEEDS if speed > self.speed), SPEEDS[-1])

    def slower(self) -> None:
        """The speed before."""
        self.speed = next((speed for speed in SPEEDS[::-1] if speed < self.speed), SPEEDS[0])

    def _take_held(self) -> list[Message]:
        held, self._held = list(self._held), deque()
        return held
