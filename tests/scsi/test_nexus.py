from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import AdditionalSense, Nexus, Sense, SenseKey
from trioscsi.scsi.complaints import deferred, unit_attention, write_error
from trioscsi.scsi.nexus import DEPTH
from trioscsi.scsi.sense import Overflow

POWER_ON = AdditionalSense.POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED
RESET = AdditionalSense.BUS_DEVICE_RESET_FUNCTION_OCCURRED
LOSS = AdditionalSense.I_T_NEXUS_LOSS_OCCURRED
CAPACITY = AdditionalSense.CAPACITY_DATA_HAS_CHANGED
LUNS = AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED
CLEARED = AdditionalSense.COMMANDS_CLEARED_BY_ANOTHER_INITIATOR


def all_of(nexus: Nexus, lun: int = 0) -> list[Sense]:
    """Everything that is pending, in the order in which it is reported."""
    reported = []
    while (sense := nexus.take(lun)) is not None:
        reported.append(sense)
    return reported


def attentions(*codes: AdditionalSense) -> list[Sense]:
    return [unit_attention(code) for code in codes]


def test_attentions_come_in_order_and_once(nexus: Nexus) -> None:
    nexus.establish(0, CAPACITY)
    nexus.establish(0, CLEARED)
    nexus.establish(0, CAPACITY)
    assert all_of(nexus) == attentions(CAPACITY, CLEARED)


def test_the_first_can_be_looked_at_without_being_reported(nexus: Nexus) -> None:
    assert nexus.first(0) is None
    nexus.establish(0, CAPACITY)
    assert nexus.first(0) == nexus.first(0) == unit_attention(CAPACITY)
    assert all_of(nexus) == attentions(CAPACITY)


def test_each_lun_has_its_own(nexus: Nexus) -> None:
    nexus.establish(1, CAPACITY)
    assert nexus.take(0) is None
    assert nexus.take(1) == unit_attention(CAPACITY)


def test_an_attention_may_have_more_to_say(nexus: Nexus) -> None:
    sense = Sense(SenseKey.UNIT_ATTENTION, CAPACITY, 5)
    nexus.establish(0, sense)
    nexus.establish(0, sense)
    assert all_of(nexus) == [sense]


def test_a_deferred_error_has_its_place_in_the_order(nexus: Nexus) -> None:
    error = deferred(write_error())
    for each in (CAPACITY, error, CLEARED):
        nexus.establish(0, each)
    assert all_of(nexus) == [unit_attention(CAPACITY), error, unit_attention(CLEARED)]


def test_a_reset_is_the_last_word(nexus: Nexus) -> None:
    nexus.establish(0, CAPACITY)
    nexus.establish(0, deferred(write_error()))
    nexus.establish(0, RESET)
    nexus.establish(0, CLEARED)
    assert all_of(nexus) == attentions(RESET, CLEARED)


@pytest.mark.parametrize("events", [(RESET, POWER_ON), (POWER_ON, RESET)])
def test_a_greater_reset_is_one_of_the_unit_too(
    nexus: Nexus, events: tuple[AdditionalSense, ...]
) -> None:
    for code in events:
        nexus.establish(0, code)
    assert all_of(nexus) == attentions(POWER_ON)


def test_the_loss_of_the_nexus_goes_before_all_but_resets(nexus: Nexus) -> None:
    for code in (CAPACITY, LOSS, CLEARED):
        nexus.establish(0, code)
    assert all_of(nexus) == attentions(LOSS, CAPACITY, CLEARED)
    nexus.establish(0, RESET)
    nexus.establish(0, LOSS)
    assert all_of(nexus) == attentions(RESET, LOSS)


def test_more_than_is_kept_is_told_of_by_the_next_one(nexus: Nexus) -> None:
    several = [Sense(SenseKey.UNIT_ATTENTION, CAPACITY, lba) for lba in range(DEPTH + 1)]
    for sense in several:
        nexus.establish(0, sense)
    first, *others = all_of(nexus)
    assert first == Sense(SenseKey.UNIT_ATTENTION, CAPACITY, 0, Overflow())
    assert others == several[1:DEPTH]


def test_after_a_reset_nothing_is_missing(nexus: Nexus) -> None:
    for lba in range(DEPTH + 1):
        nexus.establish(0, Sense(SenseKey.UNIT_ATTENTION, CAPACITY, lba))
    nexus.establish(0, RESET)
    assert all_of(nexus) == attentions(RESET)


def test_a_lun_that_is_no_more_has_nothing_to_say(nexus: Nexus) -> None:
    nexus.establish(1, POWER_ON)
    nexus.forget(1)
    nexus.forget(2)
    assert nexus.pending == {}


def test_the_list_once_read_needs_no_attention_at_any_lun(nexus: Nexus) -> None:
    nexus.establish(0, LUNS)
    nexus.establish(1, CAPACITY)
    nexus.establish(1, LUNS)
    nexus.establish(2, CAPACITY)
    nexus.forget_luns_changed()
    assert nexus.pending == {1: [CAPACITY], 2: [CAPACITY]}


errors = st.builds(lambda lba: deferred(write_error(lba)), st.integers(0, 100))


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(AdditionalSense) | errors)))
def test_however_much_happens_little_is_kept(
    events: list[tuple[int, AdditionalSense | Sense]],
) -> None:
    nexus = Nexus("initiator", "target")
    for lun, event in events:
        nexus.establish(lun, event)
    assert all(0 < len(each) == len(set(each)) <= DEPTH for each in nexus.pending.values())
    for lun in range(4):
        all_of(nexus, lun)
    assert nexus.pending == {}


def test_that_the_list_has_changed_is_said_once_by_whichever_unit_is_asked(nexus: Nexus) -> None:
    for lun in (0, 1, 2):
        nexus.establish(lun, LUNS)
    assert nexus.take(1) == unit_attention(LUNS)
    assert nexus.pending == {}
