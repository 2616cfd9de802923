from __future__ import annotations

import pytest

from tests.scsi.store import Blocks
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Nexus,
    Outcome,
    Receive,
    Reply,
    ScsiTarget,
)
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_field, invalid_parameter
from trioscsi.scsi.modes.pages import CONTROL_EXTENSION
from trioscsi.scsi.timestamp import REPORTED, Origin

NAME = "iqn.2026-11.example:disk"
REPORT = bytes.fromhex("a3 0f 00000000 00000100 00 00")


class Clock:
    """Both clocks of a unit, which run together until somebody sets one."""

    def __init__(self) -> None:
        self.seconds, self.ahead = 100.0, 1_764_000_000.5

    def clock(self) -> float:
        return self.seconds

    def time(self) -> float:
        return self.ahead + self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def unit(clock: Clock) -> LogicalUnit:
    return LogicalUnit(0, target_name=NAME, blocks=8, clock=clock.clock, time=clock.time)


def reported(unit: LogicalUnit, nexus: Nexus) -> tuple[int, int]:
    """The origin and the time that are reported."""
    plan = unit.execute(REPORT, nexus)
    assert isinstance(plan, Reply)
    assert len(plan.data) == 12
    fields = REPORTED.decode(plan.data)
    assert fields["timestamp_parameter_data_length"] == 10
    return fields["timestamp_origin"], fields["timestamp"]


def set_to(unit: LogicalUnit, nexus: Nexus, data: bytes) -> Outcome:
    cdb = bytes.fromhex("a4 0f 00000000") + len(data).to_bytes(4, "big") + bytes(2)
    return Blocks(unit).perform(unit.execute(cdb, nexus), data)


def list_of(milliseconds: int) -> bytes:
    return bytes(4) + milliseconds.to_bytes(6, "big") + bytes(2)


def test_the_time_is_that_of_the_machine(unit: LogicalUnit, nexus: Nexus, clock: Clock) -> None:
    assert reported(unit, nexus) == (Origin.OTHERWISE, 1_764_000_100_500)
    clock.seconds += 1.5
    assert reported(unit, nexus) == (Origin.OTHERWISE, 1_764_000_102_000)


def test_an_initiator_may_set_it_and_then_it_runs_by_itself(
    unit: LogicalUnit, nexus: Nexus, clock: Clock
) -> None:
    assert set_to(unit, nexus, list_of(5000)) == Done()
    clock.seconds += 2
    clock.ahead += 3600  # the machine's own clock was set: ours was not
    assert reported(unit, nexus) == (Origin.SET_TIMESTAMP, 7000)
    unit.reset()
    assert reported(unit, nexus) == (Origin.SET_TIMESTAMP, 7000)


def test_a_time_goes_round_where_its_bits_end(
    unit: LogicalUnit, nexus: Nexus, clock: Clock
) -> None:
    set_to(unit, nexus, list_of(2**48 - 1))
    clock.seconds += 1
    assert reported(unit, nexus) == (Origin.SET_TIMESTAMP, 999)


def test_the_other_initiators_hear_of_a_new_time(unit: LogicalUnit, nexus: Nexus) -> None:
    target, other = ScsiTarget(NAME, [unit]), Nexus("other", "target")
    for each in (nexus, other):
        target.attach(each)
        each.take(0)
    set_to(unit, nexus, list_of(5000))
    assert nexus.pending == {}
    assert other.pending == {0: [AdditionalSense.TIMESTAMP_CHANGED]}


def test_the_report_is_cut(unit: LogicalUnit, nexus: Nexus) -> None:
    plan = unit.execute(bytes.fromhex("a3 0f 00000000 00000003 00 00"), nexus)
    assert plan == Reply(b"\0\x0a\x03")


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"", Done()),
        (list_of(5)[:9], Failed(PARAMETER_LIST_LENGTH_ERROR)),
        (b"\0\x01" + bytes(10), Failed(invalid_parameter(1, 0))),
        (bytes(11) + b"\x80", Failed(invalid_parameter(11, 7))),
    ],
)
def test_what_is_no_time_changes_nothing(
    unit: LogicalUnit, nexus: Nexus, data: bytes, outcome: Outcome
) -> None:
    before = reported(unit, nexus)
    assert set_to(unit, nexus, data) == outcome
    assert reported(unit, nexus) == before


def test_ten_bytes_are_enough_and_what_is_beyond_twelve_is_not_taken(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    assert set_to(unit, nexus, list_of(5)[:10]) == Done()
    plan = unit.execute(bytes.fromhex("a4 0f 00000000 ffffffff 00 00"), nexus)
    assert isinstance(plan, Receive)
    assert plan.data_out == 12


def test_a_mode_parameter_may_keep_initiators_from_setting_it(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    unit.modes.change({CONTROL_EXTENSION.key: {"scsip": 0}})
    assert set_to(unit, nexus, list_of(5)) == Failed(invalid_field(1, 4))
