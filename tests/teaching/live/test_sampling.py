from __future__ import annotations

from math import inf

from trioscsi.teaching.live.sampling import BURST, BYTES_A_PDU, SLICE, Budget, Share


def budget(pdus: int) -> Budget:
    """One that has saved up so many PDUs."""
    return Budget(pdus / BURST)


def test_what_is_saved_up_may_be_looked_at_at_once_and_later_so_much_a_second():
    given = budget(100)
    share = Share(given)
    assert share.admits(10.0)
    share.take(120, 0)
    assert not share.admits(10.0 + SLICE)
    assert share.admits(11.0)
    assert given.left == -20 + 100 / BURST


def test_no_more_is_saved_up_than_the_burst():
    given = budget(100)
    given.attend(10.0)
    given.attend(10_000.0)
    assert given.left == 100


def test_a_connection_leaves_something_to_others():
    given = budget(100)
    one, other = Share(given), Share(given)
    taken = 0
    while one.admits(10.0):
        one.take(1, 0)
        taken += 1
    assert 50 <= taken <= 52
    assert other.admits(10.0)


def test_bytes_cost_too():
    share = Share(budget(100))
    assert share.admits(10.0)
    share.take(0, 60 * BYTES_A_PDU)
    assert not share.admits(10.0)


def test_a_clock_that_is_set_back_begins_anew():
    share = Share(budget(100))
    assert share.admits(1000.0)
    share.take(60, 0)
    assert not share.admits(1000.0)
    assert share.admits(10.0)


def test_without_a_bound_nothing_is_left_out():
    share = Share(Budget(inf))
    assert share.admits(10.0)
    share.take(10**9, 10**12)
    assert share.admits(10.0)


def test_there_is_plenty_until_half_of_it_is_taken():
    share = Share(budget(100))
    assert share.has_plenty(10.0)
    share.take(49, 0)
    assert share.has_plenty(10.0)
    share.take(2, 0)
    assert not share.has_plenty(10.0)
