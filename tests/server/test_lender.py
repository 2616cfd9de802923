from __future__ import annotations

from trioscsi.server.lender import Lender


def test_a_buffer_that_was_given_back_is_lent_again() -> None:
    lender = Lender(4096, 65_536)
    first, second = lender.borrow(), lender.borrow()
    assert len(first) == len(second) == 4096
    first[:1], second[:1] = b"1", b"2"
    lender.give_back(first)
    assert lender.borrow() is first
    assert lender.borrow()[:1] == b"\0"


def test_a_rush_leaves_no_more_buffers_than_are_of_use() -> None:
    lender = Lender(4096, 65_536)
    first = [lender.borrow() for _ in range(100)]
    for buffer in first:
        lender.give_back(buffer)
    again = [lender.borrow() for _ in range(100)]
    assert sum(any(buffer is each for each in first) for buffer in again) == 64


def test_what_has_to_last_longer_has_any_length() -> None:
    view = Lender(4096, 65_536).lend(100_000)
    assert len(view) == 100_000
    assert not view.readonly
