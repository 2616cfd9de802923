from __future__ import annotations

from math import inf

from trioscsi.teaching.live.sampling import BYTES_A_PDU, SLICE, Budget, Share


def test_a_slice_of_time_has_its_share_and_the_next_one_a_new_one():
    budget = Budget(100 / SLICE)
    share = Share(budget)
    assert share.admits(0.0)
    share.take(60, 0)
    assert not share.admits(SLICE / 2)
    assert share.admits(SLICE)


def test_a_connection_leaves_something_to_others():
    budget = Budget(100 / SLICE)
    one, other = Share(budget), Share(budget)
    taken = 0
    while one.admits(0.0):
        one.take(1, 0)
        taken += 1
    assert 50 <= taken <= 52
    assert other.admits(0.0)


def test_bytes_cost_too():
    budget = Budget(100 / SLICE)
    share = Share(budget)
    assert share.admits(0.0)
    share.take(0, 60 * BYTES_A_PDU)
    assert not share.admits(0.0)


def test_a_clock_that_is_set_back_begins_a_new_slice():
    share = Share(Budget(100 / SLICE))
    assert share.admits(1000.0)
    share.take(60, 0)
    assert share.admits(1.0)


def test_without_a_bound_nothing_is_left_out():
    share = Share(Budget(inf))
    assert share.admits(0.0)
    share.take(10**9, 10**12)
    assert share.admits(0.0)
