from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.initiator.pair import Script, logged_in
from trioscsi.initiator.gaps import Gap, Numbers, Run
from trioscsi.limits import Limits

LIMITS = Limits(ping_interval=0, snack_time=5)


def test_numbers_that_come_in_their_order_leave_nothing_missing():
    numbers = Numbers()
    for number in range(3):
        numbers.come(number)
    assert (numbers.next, numbers.missing) == (3, None)


def test_the_first_run_that_is_missing_is_told():
    numbers = Numbers()
    numbers.come(2)
    numbers.come(5)
    assert numbers.missing == (0, 2)
    numbers.come(0)
    assert numbers.missing == (1, 1)
    numbers.come(1)
    assert numbers.missing == (3, 2)
    numbers.known(8)
    numbers.come(3)
    numbers.come(4)
    assert numbers.missing == (6, 2)


def test_numbers_wrap():
    numbers = Numbers(2**32 - 1, end=2**32 - 1)
    numbers.come(1)
    assert numbers.missing == (2**32 - 1, 2)
    numbers.come(2**32 - 1)
    numbers.come(0)
    assert (numbers.next, numbers.missing) == (2, None)


def test_what_is_ahead_can_be_forgotten():
    numbers = Numbers()
    numbers.come(0, 10)
    numbers.come(2, 20)
    numbers.come(4, 40)
    assert numbers.forget_ahead() == 60
    assert (numbers.next, numbers.missing, numbers.has(2)) == (1, None, False)


@given(st.permutations(range(20)), st.integers(0, 2**32 - 1))
def test_in_whatever_order_they_come_nothing_is_missing_at_last(order: list[int], start: int):
    numbers = Numbers(start, end=start)
    for step in order:
        number = (start + step) % 2**32
        assert not numbers.has(number)
        numbers.come(number)
        assert numbers.has(number)
    assert numbers.missing is None
    assert numbers.next == (start + 20) % 2**32


class Watched:
    """A gap of a connection, and what it does."""

    def __init__(self) -> None:
        self.script: Script = logged_in(limits=LIMITS)
        self.run: Run | None = None
        self.asked: list[Run] = []
        self.without: list[bool] = []
        self.gap = Gap(
            self.script.connection, lambda: self.run, self.asked.append, self.without.append
        )

    def see(self, run: Run | None) -> None:
        self.run = run
        self.gap.look()


def test_what_is_missing_is_asked_for_once_and_again_when_it_does_not_come():
    one = Watched()
    one.see((3, 2))
    one.see((3, 2))
    assert one.asked == [(3, 2)]
    one.script.pass_time(5)
    assert one.asked == [(3, 2), (3, 2)]
    one.see(None)
    one.script.pass_time(100)
    assert one.asked == [(3, 2), (3, 2)]
    assert one.without == []


def test_a_part_that_has_come_is_no_reason_to_ask_for_the_rest():
    one = Watched()
    one.see((3, 3))
    one.see((5, 1))
    assert one.asked == [(3, 3)]
    one.see((5, 4))
    assert one.asked == [(3, 3), (6, 3)]


def test_what_does_not_come_is_done_without():
    one = Watched()
    one.see((3, 2))
    for _ in range(4):
        one.script.pass_time(5)
    assert (one.asked, one.without) == ([(3, 2)] * 3, [False])
    assert one.gap.lost
    one.see((3, 2))
    assert len(one.asked) == 3


def test_what_the_target_refuses_is_done_without_at_once():
    one = Watched()
    one.gap.refuse()
    assert one.without == []
    one.see((3, 2))
    one.gap.refuse()
    one.script.pass_time(100)
    assert one.without == [True]


def test_what_comes_just_before_it_would_be_asked_for_again_is_noticed():
    one = Watched()
    one.see((3, 2))
    one.run = None
    one.script.pass_time(5)
    assert (one.asked, one.gap.lost) == ([(3, 2)], False)
