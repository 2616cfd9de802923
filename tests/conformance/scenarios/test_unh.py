"""The tests that UNH-IOL has published for initiators, and the scenarios that cover them."""

from __future__ import annotations

import pytest

from trioscsi.conformance.scenarios import SCENARIOS

FULL_FEATURE = """
1.1  2.1 2.2  3.1 3.2 3.3  4.1  5.1  6.1  7.1  8.1 8.2 8.3  9.1  10.1 10.2
11.1.1 11.1.2 11.2.1 11.2.2 11.3 11.4  12.1 12.2 12.3 12.4  13.1 13.2  14.1 14.2  15.1 15.2 15.3
16.1.1 16.1.2 16.2.1 16.2.2 16.2.3 16.2.4 16.3.1 16.4.1 16.4.2 16.4.3 16.4.4 16.4.5 16.4.6 16.5 16.6
17.1  18.1 18.2 18.3 18.4 18.5  19.1 19.2 19.3 19.4.1 19.4.2 19.4.3 19.5  20.1 20.2 20.3 20.4
"""
"""Full feature phase, version 0.1: 66 tests, of which 18.3 is two: with F, and without."""

LOGIN = """
1.1  2.1 2.2 2.3  3.1 3.2  4.1 4.2  5.1  6.1 6.2 6.3  7.1 7.2 7.3 7.4 7.5 7.6  8.1  9.1 9.2 9.3
10.1  11.1  12.1  13.1 13.2 13.3  14.1  15.1  16.1 16.2 16.3  17.1  18.1  19.1  20.1  21.1
22.1  23.1
"""
"""Login phase, version 3.0, as far as its contents are known."""

CHAP = """
1.1 1.2.1 1.2.2 1.3  2.1 2.2 2.3 2.4 2.5 2.6  3.1 3.2 3.3 3.4 3.5 3.6.1 3.6.2 3.6.3 3.6.4 3.7 3.8
4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8  5.1 5.2 5.3
"""
"""CHAP, version 3.1, as far as its contents are known."""

SUITES = {"FFP": FULL_FEATURE.split(), "Login": LOGIN.split(), "CHAP": CHAP.split()}
REACHED = {test for scenario in SCENARIOS.values() for test in scenario.unh}


@pytest.mark.parametrize("suite", SUITES)
def test_each_test_of_a_suite_is_reached_by_its_number(suite: str):
    reached = {name for name in REACHED if name.startswith(f"{suite} ")}
    assert reached == {f"{suite} {number}" for number in SUITES[suite]}


def test_there_is_no_other_suite():
    assert {name.partition(" ")[0] for name in REACHED} == set(SUITES)
