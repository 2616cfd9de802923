"""Text keys as a table: who offered what, what the answer was, by which rule, with which result.

RFC 7143 sections 6.2 and 13; nothing here fails, what is wrong is said in the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from trioscsi.errors import PeerError
from trioscsi.text import KEYS, Key, Pair, Side, decode, parse
from trioscsi.text.key import Kind
from trioscsi.text.rules import RESERVED, RULES, write

_RULES: Mapping[Kind, str] = {
    Kind.LIST: "the first offered that both know",
    Kind.AND: "Yes if both say Yes",
    Kind.OR: "Yes if either says Yes",
    Kind.MINIMUM: "the smaller one",
    Kind.MAXIMUM: "the larger one",
    Kind.DECLARATION: "declared, no answer",
    Kind.QUERY: "a question",
    Kind.EXCHANGE: "a step of authentication",
    Kind.OBSOLETE: "obsolete, to be rejected",
}
_DECIDES: Mapping[Kind, str] = {Kind.AND: "No", Kind.OR: "Yes"}
"""The offers that decide, whatever the other side says."""
MOST_KEYS = 512
"""Keys of one table; a peer can send more of them than anybody reads."""
_MOST_SHOWN = 60
"""Characters of a value."""

COLUMNS = ("key", "offered", "answered", "rule", "result", "section")
_ALONE = ("key", "value", "rule", "section")


@attrs.define
class Line:
    """One key of a negotiation."""

    name: str
    proposer: Side
    offered: str
    answered: str | None = None
    wrong: str = ""

    @property
    def key(self) -> Key | None:
        """What the RFCs say about it; None if they do not know it."""
        return KEYS.get(self.name)

    @property
    def rule(self) -> str:
        """By which rule the answer is found."""
        return "unknown key" if self.key is None else _RULES[self.key.kind]

    @property
    def result(self) -> str:
        """What it led to, or what is wrong."""
        key = self.key
        if self.wrong:
            return f"wrong: {self.wrong}"
        if key is None:
            return "not negotiated"
        if key.kind not in RULES:
            return self.offered if key.kind is Kind.DECLARATION else ""
        if self.answered is None:
            # What decides alone needs no answer (section 6.2.2).
            return self.offered if self.offered == _DECIDES.get(key.kind) else "no answer"
        if self.answered in RESERVED:
            return "as it was"
        return self.answered

    @property
    def cells(self) -> tuple[str, ...]:
        """The line in the order of ``COLUMNS``."""
        answered = "" if self.answered is None else self.answered
        offered = f"{self.proposer.value}: {self.offered}"
        cells = (self.name, offered, answered, self.rule, self.result, self._section)
        return tuple(map(_short, cells))

    @property
    def alone(self) -> tuple[str, ...]:
        """The line of one PDU alone, of which nobody knows whether it offers or answers."""
        return tuple(map(_short, (self.name, self.offered, self.rule, self._section)))

    @property
    def _section(self) -> str:
        return "" if self.key is None else self.key.section


@attrs.define
class Table:
    """A negotiation as it is heard, from both sides."""

    lines: list[Line] = attrs.field(factory=list)
    left_out: int = 0
    """Keys beyond ``MOST_KEYS``."""

    def hear(self, side: Side, name: str, value: str) -> None:
        """One side says a key."""
        key = KEYS.get(name)
        open_line = next(
            (line for line in self.lines if line.name == name and line.answered is None), None
        )
        answerable = key is None or key.kind in RULES or key.kind is Kind.OBSOLETE
        if (
            open_line is not None
            and open_line.proposer is not side
            and (answerable or value in RESERVED)
        ):
            open_line.answered = value
            open_line.wrong = open_line.wrong or _wrong_answer(key, open_line.offered, value)
            return
        if len(self.lines) >= MOST_KEYS:
            self.left_out += 1
            return
        wrong = "" if key is None else _wrong_offer(key, side, value)
        if open_line is not None and open_line.proposer is side and answerable:
            wrong = "sent twice"
        self.lines.append(Line(name, side, value, wrong=wrong))

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table, with its head."""
        return [COLUMNS, *(line.cells for line in self.lines)] if self.lines else []


def alone(side: Side, pairs: Iterable[Pair]) -> tuple[list[tuple[str, ...]], list[str]]:
    """The keys of one PDU as a table, with its head, and what is wrong with them."""
    heard = Table()
    for name, value in pairs:
        heard.hear(side, name, value)
    lines = heard.lines
    wrong = [
        f"{line.name}: {line.wrong}"
        for line in lines
        if line.wrong and line.offered not in RESERVED  # it may well be an answer
    ]
    return [_ALONE, *(line.alone for line in lines)] if lines else [], wrong


def _short(cell: str) -> str:
    return cell if len(cell) <= _MOST_SHOWN else cell[: _MOST_SHOWN - 3] + "..."


def _wrong_offer(key: Key, side: Side, value: str) -> str:
    if side not in key.senders and not (key.name == "TargetName" and side is Side.TARGET):
        # A target's names are the answer to SendTargets, which is no negotiation.
        return f"no {side.value} sends it"
    if value in RESERVED:
        return f"{value} is an answer"
    if key.kind is Kind.OBSOLETE:
        return ""
    try:
        parse(key, value)
    except PeerError as error:
        return error.reason
    return ""


def _wrong_answer(key: Key | None, offered: str, value: str) -> str:
    if key is None or key.kind not in RULES or value in RESERVED:
        return ""
    try:
        proposal, selected = parse(key, offered), parse(key, value)
    except PeerError as error:
        return error.reason
    if RULES[key.kind].admits(proposal, selected):
        return ""
    return f"{write(selected)} is no answer to {write(proposal)}"


def pairs_in(data: bytes) -> tuple[list[Pair], str]:
    """The keys of a text as far as they can be read, and what is wrong with it."""
    try:
        return decode(data), ""
    except PeerError as error:
        pairs = []
        for item in data.split(b"\0"):
            name, equals, value = item.decode(errors="replace").partition("=")
            if equals:
                pairs.append((name, value))
        return pairs, f"{error.reason} (RFC 7143 section {error.section})"
