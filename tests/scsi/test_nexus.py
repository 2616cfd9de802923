from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import AdditionalSense, Nexus

POWER_ON = AdditionalSense.POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED
RESET = AdditionalSense.BUS_DEVICE_RESET_FUNCTION_OCCURRED
CAPACITY = AdditionalSense.CAPACITY_DATA_HAS_CHANGED
LUNS = AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED
CLEARED = AdditionalSense.COMMANDS_CLEARED_BY_ANOTHER_INITIATOR


def test_attentions_come_in_order_and_once(nexus: Nexus) -> None:
    nexus.establish(0, CAPACITY)
    nexus.establish(0, CLEARED)
    nexus.establish(0, CAPACITY)
    assert [nexus.take(0) for _ in range(3)] == [CAPACITY, CLEARED, None]


def test_each_lun_has_its_own(nexus: Nexus) -> None:
    nexus.establish(1, CAPACITY)
    assert nexus.take(0) is None
    assert nexus.take(1) is CAPACITY


def test_a_reset_is_the_last_word(nexus: Nexus) -> None:
    nexus.establish(0, CAPACITY)
    nexus.establish(0, RESET)
    nexus.establish(0, CLEARED)
    assert [nexus.take(0) for _ in range(3)] == [RESET, CLEARED, None]


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


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(AdditionalSense))))
def test_however_much_happens_little_is_kept(events: list[tuple[int, AdditionalSense]]) -> None:
    nexus = Nexus("initiator", "target")
    for lun, code in events:
        nexus.establish(lun, code)
    assert all(0 < len(codes) == len(set(codes)) for codes in nexus.pending.values())
    for lun in range(4):
        while nexus.take(lun) is not None:
            pass
    assert nexus.pending == {}
