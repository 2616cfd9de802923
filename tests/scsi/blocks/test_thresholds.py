from __future__ import annotations

import pytest

from tests.scsi.store import Blocks, Room
from trioscsi.scsi import AdditionalSense, Done, LogicalUnit, Nexus, Plan, ScsiTarget
from trioscsi.scsi.modes.pages import LOGICAL_BLOCK_PROVISIONING

NAME = "iqn.2026-11.example:disk"
REACHED = AdditionalSense.THIN_PROVISIONING_SOFT_THRESHOLD_REACHED
MIB = 2**20
KEY = LOGICAL_BLOCK_PROVISIONING.key


@pytest.fixture
def unit() -> LogicalUnit:
    unit = LogicalUnit(0, target_name=NAME, blocks=2**21, thin=True)
    ScsiTarget(NAME, [unit])
    return unit


@pytest.fixture
def told(unit: LogicalUnit) -> list[AdditionalSense]:
    codes: list[AdditionalSense] = []

    def announce(code: AdditionalSense, *, but_not_to: Nexus | None = None) -> None:
        codes.append(code)

    unit.announce = announce
    return codes


def set_thresholds(unit: LogicalUnit, **values: int) -> None:
    unit.modes.change({KEY: values})


def select(unit: LogicalUnit, nexus: Nexus, *, free: int, used: int) -> Plan:
    """MODE SELECT of both thresholds."""
    values = unit.modes.current(KEY) | {
        "free_enabled": 1,
        "free_threshold_count": free,
        "used_enabled": 1,
        "used_threshold_count": used,
    }
    data = bytes(4) + LOGICAL_BLOCK_PROVISIONING.encode(values, saveable=False)
    plan = unit.execute(bytes((0x15, 0x10, 0, 0, len(data), 0)), nexus)
    return Blocks(unit).perform(plan, data)


def test_no_threshold_is_enabled_until_an_initiator_does(
    unit: LogicalUnit, told: list[AdditionalSense]
) -> None:
    assert not unit.thresholds.enabled
    unit.thresholds.look(Room(2**40, 0))
    assert not told


def test_a_threshold_is_told_once_until_it_is_reached_again(
    unit: LogicalUnit, told: list[AdditionalSense]
) -> None:
    set_thresholds(unit, used_enabled=1, used_threshold_count=10)
    assert unit.thresholds.enabled
    for used, times in [(9, 0), (10, 1), (11, 1), (9, 1), (10, 2)]:
        unit.thresholds.look(Room(used * MIB, None))
        assert told == [REACHED] * times


def test_room_that_is_left_has_a_threshold_too_where_it_is_known(
    unit: LogicalUnit, told: list[AdditionalSense]
) -> None:
    set_thresholds(unit, free_enabled=1, free_threshold_count=10)
    unit.thresholds.look(Room(0, None))
    unit.thresholds.look(Room(0, 10 * MIB + 1))
    assert not told
    unit.thresholds.look(Room(0, 10 * MIB))
    assert told == [REACHED]


def test_a_threshold_that_is_set_anew_is_told_if_it_is_reached_already(
    unit: LogicalUnit, told: list[AdditionalSense]
) -> None:
    set_thresholds(unit, used_enabled=1, used_threshold_count=10)
    unit.thresholds.look(Room(20 * MIB, None))
    set_thresholds(unit, used_threshold_count=15)
    unit.thresholds.look(Room(20 * MIB, None))
    assert told == [REACHED] * 2
    unit.modes.change({(0x0A, 0): {"d_sense": 1}})
    unit.thresholds.look(Room(20 * MIB, None))
    assert told == [REACHED] * 2


def test_every_initiator_is_told_by_a_unit_attention(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=2**21, thin=True)
    target = ScsiTarget(NAME, [unit])
    other = Nexus("iqn.2026-11.example:other,i,0x400001370000", nexus.target_port)
    for each in (nexus, other):
        target.attach(each)
        unit.execute(bytes(16), each)
    assert select(unit, nexus, free=0, used=1) == Done()
    unit.execute(bytes(16), other)  # mode parameters have changed
    unit.thresholds.look(Room(MIB, MIB))
    for each in (nexus, other):
        sense = each.take(0)
        assert sense is not None
        assert sense.code == REACHED


def test_whoever_knows_how_much_room_there_is_hears_of_new_thresholds(unit: LogicalUnit) -> None:
    calls: list[bool] = []
    unit.thresholds.changed = lambda: calls.append(unit.thresholds.enabled)
    set_thresholds(unit, used_enabled=1)
    set_thresholds(unit, used_enabled=1)
    set_thresholds(unit, used_enabled=0)
    assert calls == [True, False]


def test_a_fully_provisioned_unit_has_no_thresholds() -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=8)
    assert LOGICAL_BLOCK_PROVISIONING.changeable(unit) == {}


def test_a_unit_without_that_page_has_no_thresholds() -> None:
    class Bare(LogicalUnit):
        mode_pages = {}

    unit = Bare(0, target_name=NAME, blocks=8)
    unit.thresholds.look(Room(2**40, 0))
    assert not unit.thresholds.enabled
