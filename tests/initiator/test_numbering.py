from __future__ import annotations

import pytest

from trioscsi.errors import PeerError
from trioscsi.initiator.numbering import CommandNumbers, StatusNumbers, carries_status
from trioscsi.pdu import DataIn, NopIn, ReadyToTransfer, Reject, ScsiResponse


def test_the_window_is_open_up_to_the_maximum():
    numbers = CommandNumbers(next=5, expected=5, maximum=6)
    assert [numbers.take() for _ in iter(lambda: numbers.open, False)] == [5, 6]
    assert not numbers.open
    numbers.learn(6, 7)
    assert numbers.open


def test_a_maximum_just_below_what_is_expected_closes_the_window():
    numbers = CommandNumbers(next=5, expected=5, maximum=4)
    numbers.learn(5, 4)
    assert not numbers.open


def test_lower_numbers_and_pairs_that_contradict_themselves_are_ignored():
    numbers = CommandNumbers(next=5, expected=5, maximum=9)
    numbers.learn(4, 8)
    assert (numbers.expected, numbers.maximum) == (5, 9)
    numbers.learn(20, 10)
    assert (numbers.expected, numbers.maximum) == (5, 9)


def test_numbers_wrap():
    numbers = CommandNumbers(next=0xFFFFFFFF, expected=0xFFFFFFFF, maximum=0xFFFFFFFF)
    assert numbers.take() == 0xFFFFFFFF
    assert not numbers.open
    numbers.learn(0, 1)
    assert numbers.open
    assert numbers.take() == 0


def test_the_first_status_sets_the_number_and_the_others_follow_it():
    statuses = StatusNumbers()
    assert statuses.acknowledged == 0
    assert statuses.take(0xFFFFFFFF)
    assert statuses.acknowledged == 0
    assert statuses.take(0)
    assert not statuses.take(0), "it was there before"
    assert statuses.acknowledged == 1


def test_a_missing_status_is_an_error():
    statuses = StatusNumbers()
    statuses.take(6)
    with pytest.raises(PeerError, match="StatSN 9 came where 7 was due"):
        statuses.take(9)


@pytest.mark.parametrize(
    ("pdu", "carries"),
    [
        (ScsiResponse(), True),
        (Reject(), True),
        (DataIn(), False),
        (DataIn(has_status=True), True),
        (ReadyToTransfer(), False),
        (NopIn(ttt=1), False),
        (NopIn(itt=1), True),
    ],
)
def test_which_pdus_use_a_status_number_up(pdu: object, carries: bool):
    assert carries_status(pdu) is carries
