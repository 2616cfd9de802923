from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import LogicalUnit
from trioscsi.scsi.logs.counters import Counters
from trioscsi.scsi.logs.page import Log, LogPage, PageControl, Parameter, counter

READS = counter(0x0002, 2, lambda _unit, counters: counters.reads)
STATE = Parameter(0x0005, lambda unit, _counters: bytes((unit.number, 7)))
PAGE = LogPage(0x31, "Ours", lambda _unit: (READS, STATE))
SUBPAGE = LogPage(0x31, "Ours as well", lambda _unit: (STATE,), subpage=2)


@pytest.mark.parametrize(
    ("control", "value"),
    [
        (PageControl.THRESHOLD, "ffff"),
        (PageControl.CUMULATIVE, "0003"),
        (PageControl.DEFAULT_THRESHOLD, "ffff"),
        (PageControl.DEFAULT_CUMULATIVE, "0000"),
    ],
)
def test_a_counter_has_four_values_and_a_list_has_one(
    unit: LogicalUnit, control: PageControl, value: str
) -> None:
    unit.counters.reads = 3
    data = PAGE.encode(unit, control)
    assert data == bytes.fromhex(f"b1 00 000c  0002 22 02 {value}  0005 23 02 0007")


def test_a_subpage_says_that_it_is_one(unit: LogicalUnit) -> None:
    data = SUBPAGE.encode(unit, PageControl.CUMULATIVE)
    assert data == bytes.fromhex("f1 02 0006 0005 23 02 0007")


def test_a_page_can_begin_at_any_parameter_that_is_there(unit: LogicalUnit) -> None:
    short = bytes.fromhex("b1 00 0006 0005 23 02 0007")
    assert PAGE.encode(unit, PageControl.CUMULATIVE, 3) == short
    assert PAGE.encode(unit, PageControl.CUMULATIVE, 5) == short
    assert PAGE.encode(unit, PageControl.CUMULATIVE, 6) is None


def test_a_unit_that_keeps_state_does_not_say_that_saving_is_disabled() -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1, keeps_state=True)
    assert PAGE.encode(unit, PageControl.CUMULATIVE)[0] == 0x31  # type: ignore[index]


@given(st.integers(0, 2**20))
def test_a_counter_stops_at_the_most_it_can_count_to(reads: int) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1)
    unit.counters.reads = reads
    value = READS.value(unit, PAGE, PageControl.CUMULATIVE)
    assert int.from_bytes(value, "big") == min(reads, 0xFFFF)


def test_a_parameter_counts_from_zero_after_a_reset_and_only_that_one(unit: LogicalUnit) -> None:
    other = LogPage(0x32, "Another", lambda _unit: (READS,))
    unit.counters.reads = 3
    unit.log.reset(unit, PAGE, READS)
    unit.counters.reads = 5
    assert READS.value(unit, PAGE, PageControl.CUMULATIVE) == b"\0\2"
    assert READS.value(unit, other, PageControl.CUMULATIVE) == b"\0\5"


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_what_was_saved_goes_on(before: int, after: int, later: int) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1)
    unit.counters.reads = before
    unit.log.reset(unit, PAGE, READS)
    unit.counters.reads += after
    saved = unit.log.encode(unit, [PAGE])
    restarted = LogicalUnit(0, target_name="iqn.x", blocks=1)
    restarted.restore("log", saved)
    restarted.counters.reads = later
    assert restarted.log.since(restarted, PAGE, READS) == Counters(reads=after + later)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff", b"7", b"[7]", b"[[1]]", b'[[1, 2, 3, "x"]]', b"[[1,2,3" + b",4" * 99],
)
def test_what_is_not_a_saved_log_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Log().restore(data)
