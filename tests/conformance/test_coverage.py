from __future__ import annotations

import pytest

from trioscsi.conformance import Rule
from trioscsi.conformance.coverage import judged, rules_of
from trioscsi.conformance.monitors import MONITORS

FIRST, SECOND, THIRD = (Rule(f"7143-1-{number}") for number in range(1, 4))


def judge():
    yield FIRST.holds(True)
    yield from [helper() for _ in range(2)]


def helper():
    return judge, SECOND.holds(True)


def test_the_rules_of_a_function_are_those_that_it_and_its_helpers_name():
    assert set(rules_of(judge)) == {FIRST, SECOND}


@pytest.mark.parametrize("name", MONITORS)
def test_each_monitor_judges_by_something(name: str):
    assert rules_of(MONITORS[name].check)


def test_who_judges_is_listed_in_the_order_of_sections():
    found = judged()
    assert found["7143-11.18-1"].scenarios[:2] == ["NP-01", "NP-02"]
    assert "M-29" in found["7143-11.12.7-1"].monitors
    ids = list(found)
    assert ids.index("7143-4.2.4-1") < ids.index("7143-11.2-1") < ids.index("7143-C-1")
    assert ids[-1].startswith("7144-")
