from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from trioscsi.conformance.bench import ladder
from trioscsi.conformance.bench.ladder import Ladder, Watchers
from trioscsi.pdu import NopOut
from trioscsi.text import Side


@attrs.frozen
class OnPaper:
    """As much of a link as a ladder needs."""

    number: int = 3


LINK: Any = OnPaper()


def watched(act) -> Ladder:
    async def run() -> Ladder:
        found = Ladder()
        await trio.sleep(2)
        act(Watchers([found]))
        return found

    return trio.run(run, clock=MockClock(autojump_threshold=0))


def test_a_line_says_when_who_has_sent_what_on_which_connection():
    pdu = NopOut()

    def act(watchers: Watchers) -> None:
        watchers.passed(LINK, Side.INITIATOR, pdu, bytes(48))
        watchers.ended(LINK, Side.TARGET)

    first, last = watched(act).lines
    assert (first.number, first.time, first.connection) == (0, 2.0, 3)
    assert (first.sender, first.thing, first.raw) == (Side.INITIATOR, pdu, bytes(48))
    assert (last.number, last.sender, last.thing, last.raw) == (1, Side.TARGET, None, b"")


def test_long_pdus_are_kept_in_part_and_long_ladders_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ladder, "KEPT", 3)

    def act(watchers: Watchers) -> None:
        for _ in range(5):
            watchers.passed(LINK, Side.TARGET, None, bytes(9000))

    found = watched(act)
    assert (len(found.lines), found.seen) == (3, 5)
    assert (len(found.lines[0].raw), found.lines[0].length) == (560, 9000)
