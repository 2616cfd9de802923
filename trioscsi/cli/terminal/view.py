"""What is known after the messages so far, ready to be shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from trioscsi.machines import MACHINES, State
from trioscsi.teaching.live import Message

MOST_RUNGS = 2000
"""PDUs, transitions and the like that can be looked at again."""
MOST_CLOSED = 20
"""Connections that are shown after their end."""
MOST_ENDED = 200
"""Tasks that are shown after their end."""
MOST_RATES = 120
"""Seconds of which it is known how much was done."""


@attrs.define
class Connection:
    """One connection; ``closed`` is how it ended, empty while it has not."""

    number: int
    peer: str
    portal: str
    session: int | None = None
    states: dict[str, str] = attrs.field(factory=dict)
    keys: dict[tuple[str, str], Message] = attrs.field(factory=dict)
    tasks: dict[str, Message] = attrs.field(factory=dict)
    """By their tags; those that have ended stay for a while."""
    closed: str = ""

    @property
    def state(self) -> str:
        """Of the connection itself."""
        return self.states.get("connection", "")

    def learn(self, rows: list[Message]) -> None:
        """Keys were negotiated."""
        self.keys.update({(row["by"], row["key"]): row for row in rows})

    def follow(self, task: Message) -> None:
        """A task has begun, changed, or ended."""
        self.tasks.pop(task["itt"], None)
        self.tasks[task["itt"]] = task
        if len(self.tasks) > MOST_ENDED:
            ended = [itt for itt, each in self.tasks.items() if each["ended"] or each["status"]]
            for itt in ended[: len(self.tasks) - MOST_ENDED]:
                del self.tasks[itt]


@attrs.frozen
class Interest:
    """Which rungs of the ladder are wanted: one connection, some PDUs; None is all of them."""

    connection: int | None = None
    pdus: tuple[str, ...] = ()
    """Beginnings of names, in any case."""
    transitions: bool = True

    def admits(self, message: Message) -> bool:
        """Whether this is wanted."""
        if self.connection is not None and message.get("connection") != self.connection:
            return False
        if message["type"] == "transition":
            return self.transitions
        if message["type"] != "pdu" or not self.pdus:
            return True
        names = message["name"].lower(), message["title"].lower()
        return any(name.startswith(self.pdus) for name in names)


class View:
    """Everything that can be shown."""

    def __init__(self) -> None:
        self.source = ""
        self.program = ""
        self.targets: list[Message] = []
        self.portals: list[Message] = []
        self.sessions: dict[int, Message] = {}
        self.connections: dict[int, Connection] = {}
        self.ladder: deque[Message] = deque(maxlen=MOST_RUNGS)
        self.rates: deque[Message] = deque(maxlen=MOST_RATES)
        self.left_out = 0
        """Messages that were dropped on their way."""
        self.passed_over = 0
        """Bytes that nobody looked at."""
        self.began: float | None = None
        """The time of the first message, from which others are counted."""

    def hear(self, message: Message) -> None:
        """One more message; those of an unknown type are passed over."""
        handler = _HANDLERS.get(message["type"])
        if handler is not None:
            if self.began is None:
                self.began = message["at"]
            handler(self, message)
        if message["type"] in _RUNGS:
            self.ladder.append(message)

    def transitions(self, connection: int | None = None) -> Iterator[Message]:
        """Those that are remembered, the last one first."""
        for message in reversed(self.ladder):
            about = connection is None or message["connection"] == connection
            if message["type"] == "transition" and about:
                yield message

    def states(self, connection: Connection) -> Iterator[tuple[str, State]]:
        """The machines of a connection, its session's first, with their present states."""
        session = self.sessions.get(connection.session or 0)
        known = dict(connection.states)
        if session is not None:
            known = {"session": session["state"], **known}
        for name in sorted(known, key=_place):
            machine = MACHINES.get(name)
            if machine is not None:
                for state in machine.states:
                    if state.name == known[name]:
                        yield name, state

    # What messages say.

    def _hello(self, message: Message) -> None:
        self.source, self.program = message["source"], message["program"]
        self.targets, self.portals = message["targets"], message["portals"]
        self.sessions = {each["session"]: each for each in message["sessions"]}
        self.connections = {}
        for each in message["connections"]:
            connection = Connection(
                each["connection"],
                each["peer"],
                each["portal"],
                each["session"],
                dict(each["states"]),
                closed="closed" if each["closed"] else "",
            )
            connection.learn(each["keys"])
            for task in each["tasks"]:
                connection.follow(task)
            self.connections[connection.number] = connection

    def _connection(self, message: Message) -> None:
        number = message["connection"]
        self.connections[number] = Connection(number, message["peer"], message["portal"])
        closed = [each for each in self.connections.values() if each.closed]
        for each in closed[: max(0, len(closed) - MOST_CLOSED)]:
            del self.connections[each.number]

    def _session(self, message: Message) -> None:
        number = message["session"]
        self.sessions[number] = message
        for each in message["connections"]:
            if each in self.connections:
                self.connections[each].session = number
        over = [
            known
            for known, session in self.sessions.items()
            if session["state"] == "FREE"
            and known != number
            and not any(each.session == known for each in self.connections.values())
        ]
        for known in over:
            del self.sessions[known]

    def _transition(self, message: Message) -> None:
        connection = self.connections.get(message["connection"])
        if connection is not None and message["machine"] != "session":
            connection.states[message["machine"]] = message["to"]

    def _keys(self, message: Message) -> None:
        connection = self.connections.get(message["connection"])
        if connection is not None:
            connection.learn(message["rows"])

    def _task(self, message: Message) -> None:
        connection = self.connections.get(message["connection"])
        if connection is not None:
            connection.follow(message)

    def _rates(self, message: Message) -> None:
        self.rates.append(message)

    def _closed(self, message: Message) -> None:
        connection = self.connections.get(message["connection"])
        if connection is not None:
            connection.closed = message["how"]

    def _dropped(self, message: Message) -> None:
        self.left_out += sum(message.get("messages", {}).values())
        self.passed_over += message.get("bytes", 0)

    def _rung(self, message: Message) -> None:
        """Nothing but one more rung of the ladder."""


def _place(name: str) -> int:
    """The order of machines: those of the RFC first, as `MACHINES` has them."""
    order = ["session", *MACHINES]
    return order.index(name) if name in order else len(order)


_HANDLERS: dict[str, Callable[[View, Any], None]] = {
    "hello": View._hello,
    "connection": View._connection,
    "session": View._session,
    "transition": View._transition,
    "pdu": View._rung,
    "keys": View._keys,
    "task": View._task,
    "rates": View._rates,
    "note": View._rung,
    "closed": View._closed,
    "dropped": View._dropped,
}
_RUNGS = {"connection", "transition", "pdu", "note", "closed", "dropped"}
