"""Where messages come from: the control socket of a server, or a capture."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Any, Protocol

from trioscsi.errors import ControlError
from trioscsi.server.control.client import Client
from trioscsi.teaching.live import Filter, Message, Replay
from trioscsi.teaching.live.message import DETAIL

MOST_WAITING = 20_000
"""Messages of a server that wait to be shown; beyond it, detail is left out."""

LONGEST_GAP = 2.0
"""Seconds that a replay waits where nothing happened; longer gaps are passed over."""

THE_END = "the end of the capture"
"""Why a source is over that was played to its end."""

_MOST_PACKETS = 500
"""Packets that are played at once."""
_ENOUGH = 2000
"""Messages that are there to be taken, so that no packet has to be played."""


class Source(Protocol):
    """Gives messages, and answers to questions about PDUs."""

    @property
    def over(self) -> str:
        """Why nothing more will come; empty while something may."""

    @property
    def waiting(self) -> int:
        """How many messages can be taken."""

    def take(self, most: int) -> list[Message]:
        """The next messages that are there."""

    def advance(self, seconds: float) -> None:
        """So much time has passed for whoever looks on."""

    def forward(self) -> bool:
        """Let something happen, whatever the time; False if that cannot be."""

    def explain(self, connection: int, number: int) -> None:
        """Ask for all about a PDU."""

    def explained(self) -> list[Message]:
        """What was answered since the last call: ``explained``, or ``error``."""

    def close(self) -> None:
        """Nothing more is wanted."""


class ServerSource:
    """Messages of a server as they come; they are kept while nobody takes them."""

    def __init__(self, client: Client, wanted: Filter) -> None:
        self._client = client
        self._messages: deque[Message] = deque()
        self._answers: deque[Message] = deque()
        self._left_out: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._over = ""
        client.send("subscribe", **_arguments(wanted))
        self._thread = threading.Thread(target=self._read, name="control socket", daemon=True)
        self._thread.start()

    @property
    def over(self) -> str:
        """See `Source`."""
        return "" if self._messages else self._over

    @property
    def waiting(self) -> int:
        """See `Source`."""
        return len(self._messages)

    def take(self, most: int) -> list[Message]:
        """See `Source`."""
        with self._lock:
            count = min(most, len(self._messages))
            return [self._messages.popleft() for _ in range(count)]

    def advance(self, seconds: float) -> None:
        """See `Source`: here things happen by themselves."""

    def forward(self) -> bool:
        """See `Source`: here things happen by themselves."""
        return False

    def explain(self, connection: int, number: int) -> None:
        """See `Source`."""
        try:
            self._client.send("explain", connection=connection, number=number)
        except ControlError as error:
            self._answers.append({"type": "error", "error": str(error)})

    def explained(self) -> list[Message]:
        """See `Source`."""
        return [self._answers.popleft() for _ in range(len(self._answers))]

    def close(self) -> None:
        """See `Source`."""
        self._client.close()
        self._thread.join()

    def _read(self) -> None:
        over = "the server is gone"
        try:
            for message in self._client.messages():
                kind = message.get("type")
                if kind == "error":
                    self._answers.append(message)
                elif kind == "answer":
                    if "explained" in message:
                        self._answers.append(message["explained"])
                else:
                    self._keep(message)
        except ControlError as error:
            over = str(error)
        self._over = over

    def _keep(self, message: Message) -> None:
        kind = message.get("type")
        with self._lock:
            if kind in DETAIL and len(self._messages) >= MOST_WAITING:
                self._left_out[str(kind)] += 1
                return
            if self._left_out and len(self._messages) < MOST_WAITING:
                left_out, self._left_out = dict(self._left_out), Counter()
                why = "nobody looked for too long"
                gap = {"type": "dropped", "at": message["at"], "why": why, "messages": left_out}
                self._messages.append(gap)
            if len(self._messages) < 2 * MOST_WAITING:
                self._messages.append(message)


class CaptureSource:
    """Messages of a capture, as fast as time passes."""

    def __init__(self, replay: Replay, wanted: Filter) -> None:
        self._replay = replay
        self._subscription = replay.feed.subscribe(wanted, most=10**6)  # `_ENOUGH` bounds it
        self._now = replay.due or 0.0
        self._answers: list[Message] = []

    @property
    def over(self) -> str:
        """See `Source`."""
        if self._replay.due is not None or len(self._subscription):
            return ""
        return self._replay.complaint or THE_END

    @property
    def waiting(self) -> int:
        """See `Source`."""
        return len(self._subscription)

    def take(self, most: int) -> list[Message]:
        """See `Source`."""
        return self._subscription.take(most)

    def advance(self, seconds: float) -> None:
        """See `Source`."""
        replay = self._replay
        self._now += seconds
        for _ in range(_MOST_PACKETS):
            due = replay.due
            if due is None:
                return
            self._now = max(self._now, due - LONGEST_GAP)
            if due > self._now or len(self._subscription) > _ENOUGH:
                break
            replay.step()
        # What could not be played in time has not been missed.
        self._now = min(self._now, max(replay.feed.now, replay.due or self._now))

    def forward(self) -> bool:
        """See `Source`."""
        moved = self._replay.step()
        self._now = max(self._now, self._replay.feed.now)
        return moved

    def explain(self, connection: int, number: int) -> None:
        """See `Source`."""
        found = self._replay.feed.explain(connection, number)
        reason = f"PDU {number} of connection {connection} is not remembered"
        self._answers.append(found or {"type": "error", "error": reason})

    def explained(self) -> list[Message]:
        """See `Source`."""
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        """See `Source`."""
        self._subscription.close()


def _arguments(wanted: Filter) -> dict[str, Any]:
    """A filter as the request has it."""
    arguments = {
        "types": wanted.types,
        "connections": wanted.connections,
        "pdus": wanted.pdus,
    }
    return {name: sorted(value) for name, value in arguments.items() if value is not None}
