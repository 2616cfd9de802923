from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trioscsi import serial

numbers = st.integers(0, serial.MODULUS - 1)
increments = st.integers(1, serial.MODULUS // 2 - 1)
LAST = serial.MODULUS - 1


def test_a_number_follows_the_last_one():
    assert serial.add(LAST) == 0
    assert serial.add(LAST, 3) == 2
    assert serial.add(5, -6) == LAST


def test_order_survives_the_wrap():
    assert serial.less(LAST, 0)
    assert not serial.less(0, LAST)
    assert serial.less(1, 2)
    assert not serial.less(2, 2)


def test_distance_is_counted_forward():
    assert serial.distance(LAST, 1) == 2
    assert serial.distance(1, LAST) == serial.MODULUS - 2
    assert serial.distance(7, 7) == 0


@given(numbers)
def test_half_a_cycle_apart_there_is_no_order(number):
    opposite = serial.add(number, serial.MODULUS // 2)
    assert not serial.less(number, opposite)
    assert not serial.less(opposite, number)


@given(numbers, increments)
def test_a_number_comes_before_what_is_added_to_it(number, increment):
    later = serial.add(number, increment)
    assert serial.less(number, later)
    assert not serial.less(later, number)


@given(numbers, numbers)
def test_distance_leads_from_one_to_the_other(start, end):
    assert serial.add(start, serial.distance(start, end)) == end
