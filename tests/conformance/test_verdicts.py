from __future__ import annotations

import pytest

from trioscsi.conformance import Level, Result, Rule, Verdict
from trioscsi.conformance.stream import Closed, Seen
from trioscsi.text import Side

SEEN = Seen(0, 0.0, 0, Side.INITIATOR, Closed())


def result(*remarks: tuple[Level, bool], unfinished: bool = False) -> Result:
    judged = Result("M-00", unfinished=unfinished)
    for level, kept in remarks:
        judged.note(Rule("7143-1-1", level).holds(kept, "it is broken"), SEEN)
    return judged


@pytest.mark.parametrize(
    ("remarks", "verdict"),
    [
        ([], "not-exercised"),
        ([(Level.MUST, True)], "pass"),
        ([(Level.MUST, True), (Level.NOTE, False)], "info"),
        ([(Level.NOTE, False), (Level.SHOULD, False)], "WARN"),
        ([(Level.SHOULD, False), (Level.MUST, False), (Level.MUST, True)], "FAIL"),
    ],
)
def test_the_worst_that_was_found_is_the_verdict(remarks, verdict):
    assert result(*remarks).verdict == verdict


def test_what_is_not_over_is_inconclusive_unless_it_failed():
    assert result((Level.MUST, True), unfinished=True).verdict is Verdict.INCONCLUSIVE
    assert result((Level.MUST, False), unfinished=True).verdict is Verdict.FAIL


def test_a_rule_knows_its_section():
    assert Rule("7143-11.3.1-2").section == "11.3.1"
