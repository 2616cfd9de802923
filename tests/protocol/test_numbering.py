from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import requirement
from trioscsi.protocol.numbering import Arrival, CommandOrder
from trioscsi.serial import MODULUS, add

LAST = MODULUS - 1


def order_of(*, expected: int = 10, size: int = 4, under_way: int = 0) -> CommandOrder:
    """Whose next CmdSN is ``expected``, while so many commands before it are under way."""
    order = CommandOrder(expected - under_way, size)
    for _ in range(under_way):
        order.count_command()
    return order


def arrive(order: CommandOrder, cmd_sn: int, delivered: list[int]) -> Arrival:
    arrival = order.admit(cmd_sn)
    if arrival is Arrival.IN_ORDER:
        order.advance(lambda: delivered.append(cmd_sn))
    elif arrival is Arrival.EARLY:
        order.hold(cmd_sn, lambda: delivered.append(cmd_sn))
    return arrival


def test_the_window_is_as_wide_as_commands_may_be_under_way():
    assert order_of().maximum == 13
    assert order_of(under_way=3).maximum == 10


def test_a_request_that_is_no_command_moves_the_window_on():
    order = order_of(under_way=3)
    order.count()
    assert (order.expected, order.maximum) == (11, 11)


@pytest.mark.parametrize("expected", [10, 0, LAST])
def test_a_command_that_had_to_wait_takes_its_place_when_it_is_delivered(expected: int):
    order, at_once = CommandOrder(expected, 4), CommandOrder(expected, 4)
    order.count()
    order.occupy()
    at_once.count_command()
    assert order == at_once


def test_a_full_window_is_closed():
    order = order_of(under_way=4)
    assert order.maximum == order.expected - 1
    assert order.admit(10) is Arrival.IGNORED


def test_the_next_request_is_in_order_and_those_behind_it_are_early():
    order = order_of()
    assert order.admit(10) is Arrival.IN_ORDER
    assert order.admit(11) is Arrival.EARLY
    assert order.admit(13) is Arrival.EARLY


def test_what_is_outside_the_window_is_ignored():
    order = order_of()
    assert order.admit(14) is Arrival.IGNORED
    assert order.admit(9) is Arrival.IGNORED


def test_what_is_held_already_is_ignored():
    order = order_of()
    order.hold(12, pytest.fail)
    assert order.admit(12) is Arrival.IGNORED


def test_early_requests_are_delivered_as_soon_as_the_gap_is_closed():
    order, delivered = order_of(), []
    for cmd_sn in (12, 11, 13):
        assert arrive(order, cmd_sn, delivered) is Arrival.EARLY
    assert delivered == []
    arrive(order, 10, delivered)
    assert delivered == [10, 11, 12, 13]
    assert order.expected == 14


def test_a_request_counts_as_received_before_it_is_delivered():
    order, seen = order_of(), []
    order.hold(11, lambda: seen.append(order.expected))
    order.advance(lambda: seen.append(order.expected))
    assert seen == [11, 12]


@requirement("7143-4.2.2.1-17")
def test_numbers_wrap():
    order, delivered = order_of(expected=LAST), []
    assert order.maximum == 2
    assert arrive(order, 1, delivered) is Arrival.EARLY
    assert arrive(order, 0, delivered) is Arrival.EARLY
    assert arrive(order, LAST, delivered) is Arrival.IN_ORDER
    assert delivered == [LAST, 0, 1]
    assert order.expected == 2


def test_a_command_that_will_never_come_leaves_no_gap():
    order, delivered = order_of(), []
    arrive(order, 11, delivered)
    order.fill(10)
    assert delivered == [11]
    order.fill(13)
    assert order.expected == 12
    arrive(order, 12, delivered)
    assert order.expected == 14
    order.fill(5)
    assert order.expected == 14


@pytest.mark.parametrize(("expected", "size"), [(-1, 4), (MODULUS, 4), (0, 0)])
def test_an_order_without_numbers_or_places_is_none(expected: int, size: int):
    with pytest.raises(ValueError, match=r"expected|size"):
        CommandOrder(expected, size)


@given(st.integers(0, LAST), st.permutations(range(12)))
@requirement("7143-4.2.2.1-16")
def test_in_whatever_order_requests_come_they_are_delivered_in_their_own(start: int, ranks):
    order, delivered = CommandOrder(start, 12), []
    for rank in ranks:
        assert arrive(order, add(start, rank), delivered) is not Arrival.IGNORED
        assert arrive(order, add(start, rank), delivered) is Arrival.IGNORED
    assert delivered == [add(start, rank) for rank in range(12)]
    assert order.expected == add(start, 12)
