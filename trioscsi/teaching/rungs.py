"""A session's ladder as the few lines that a picture has room for."""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Collection, Iterator

import attrs

from trioscsi.teaching.explanation import address, ends
from trioscsi.teaching.negotiated import Line
from trioscsi.teaching.onlooker import Connection
from trioscsi.teaching.story import Began, Commented, Event, Happened, Settled, Spoke
from trioscsi.teaching.summary import headline, numbers

MOST_RUNGS = 500
"""What is more than that is only counted: nobody looks at so long a picture."""
_MOST_SHOWN = 64
"""Characters of a comment."""
_TRANSITION = re.compile(r"(\S+ \S+): (\S+) -> (\S+) upon ")


class Kind(enum.Enum):
    """What a rung is."""

    BEGAN = "a connection begins"
    SAID = "a PDU"
    HAPPENED = "something about the connection itself"
    COMMENT = "what a trace tells of a packet"
    SETTLED = "what was negotiated"


@attrs.frozen
class Rung:
    """One thing in a ladder, in a few lines; ``tip`` is what the pointer tells of it."""

    kind: Kind
    connection: int
    lines: tuple[str, ...]
    time: int = 0
    from_initiator: bool = True
    wrong: tuple[str, ...] = ()
    tip: str = ""


class Sequence:
    """The rungs of some connections of a capture: of ``only``, or else of the first that speaks."""

    def __init__(self, only: Collection[int] = (), most: int = MOST_RUNGS) -> None:
        self.drawn = set(only)
        """The numbers of the connections that are drawn."""
        self._most = most
        self.rungs: list[Rung] = []
        self.left_out = 0
        """Rungs for which there was no room."""
        self.connections: dict[int, Connection] = {}
        """Those of ``drawn`` that there are."""

    def hear(self, event: Event) -> None:
        """One event of the capture."""
        connection = event.connection
        if not self.drawn and isinstance(event, Spoke):
            self.drawn.add(connection.number)
        elif not self.drawn:
            return
        if connection.number not in self.drawn:
            return
        if connection.number not in self.connections:
            self.connections[connection.number] = connection
            words = f"connection {connection.number}: {ends(connection)}"
            self.rungs.append(Rung(Kind.BEGAN, connection.number, (words,)))
        if isinstance(event, Began):
            return
        if len(self.rungs) < self._most:
            self.rungs.append(_rung(event))
        else:
            self.left_out += 1

    def shown(self) -> list[Rung]:
        """The rungs as they are drawn: of several connections, each with its number."""
        if len(self.connections) == 1:
            return [rung for rung in self.rungs if rung.kind is not Kind.BEGAN]
        return [_numbered(rung) if rung.kind is Kind.SAID else rung for rung in self.rungs]

    @property
    def ends(self) -> tuple[str, str]:
        """Who the two sides are."""
        sides = [each.initiator for each in self.connections.values()]
        others = [each.target for each in self.connections.values()]
        return _all(sides), _all(others)


def _all(addresses: list[tuple[str, int]]) -> str:
    return ", ".join(map(address, dict.fromkeys(addresses)))


def _numbered(rung: Rung) -> Rung:
    first, *rest = rung.lines
    return attrs.evolve(rung, lines=(f"({rung.connection}) {first}", *rest))


def _rung(event: Spoke | Happened | Commented | Settled) -> Rung:
    number = event.connection.number
    match event:
        case Spoke():
            lines = (headline(event.explained, event.cut), *_joined(event))
            tip = "\n".join(
                f"{part.title}: {part.value}. {part.meaning}" for part in event.explained.parts
            )
            return Rung(
                Kind.SAID, number, lines, event.time, event.from_initiator, event.wrong, tip
            )
        case Happened():
            lines = (event.text,)
            return Rung(Kind.HAPPENED, number, lines, event.time, event.from_initiator)
        case Commented():
            return Rung(Kind.COMMENT, number, (_short(event.text),), tip=event.text)
        case Settled():
            pairs = tuple(_pairs(event.keys))
            tip = "\n".join(" | ".join(row) for row in event.rows)
            return Rung(Kind.SETTLED, number, pairs, tip=tip)


def _pairs(keys: Collection[Line]) -> Iterator[str]:
    """What each key has come to; of one that both sides declare for themselves, whose it is."""
    times = Counter(key.name for key in keys)
    for key in keys:
        if key.result:
            whose = f" of the {key.proposer.value}" if times[key.name] > 1 else ""
            yield f"{key.name}{whose}: {key.result}"


def _joined(event: Spoke) -> Iterator[str]:
    if said := numbers(event.explained, event.cut):
        yield ", ".join(said)


def _short(comment: str) -> str:
    """A comment that fits beside a ladder; of a transition, where it leads."""
    transition = _TRANSITION.match(comment)
    if transition is not None:
        label, source, target = transition.groups()
        return f"{label}: {source} -> {target}"
    return comment if len(comment) <= _MOST_SHOWN else comment[: _MOST_SHOWN - 3] + "..."
