from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scsi.store import Blocks
from trioscsi.scsi import AdditionalSense, Done, Failed, LogicalUnit, Nexus, Plan, Read, Reply
from trioscsi.scsi.blocks.cache import Flush
from trioscsi.scsi.complaints import START_REQUIRED, invalid_field
from trioscsi.scsi.immediate import Immediate
from trioscsi.scsi.power import PowerCondition, power_conditions
from trioscsi.scsi.sense import Sense, SenseKey

Ask = Callable[[str], Plan]
READY, SENSE, READ = "00", "03 00 0000 ff 00", "28 00 00000000 00 0001 00"
POWER = "1b 00 0000 {:02x} 00"


def test_a_stop_makes_all_writes_durable(ask: Ask, unit: LogicalUnit, nexus: Nexus) -> None:
    assert ask("1b 00 0000 00 00") == Flush()
    assert ask("1b 01 0000 00 00") == Immediate(Flush(), unit, nexus)
    assert ask("1b 00 0000 04 00") == Done()


def test_a_stopped_unit_waits_for_its_start(ask: Ask) -> None:
    ask("1b 00 0000 00 00")
    assert ask(READY) == Failed(START_REQUIRED)
    assert ask(READ) == Failed(START_REQUIRED)
    assert ask(SENSE) == Reply(START_REQUIRED.encode())
    assert isinstance(ask("12 00 0000 ff 00"), Reply)
    assert ask("1b 00 0000 01 00") == Done()
    assert ask(READY) == Done()
    assert ask(READ) == Read(0, 1, fua=False)


@pytest.mark.parametrize(
    ("cdb", "power", "code"),
    [
        ("1b 00 0000 20 00", PowerCondition.IDLE_A, 0x5E03),
        ("1b 00 0001 20 00", PowerCondition.IDLE_B, 0x5E06),
        ("1b 00 0002 20 00", PowerCondition.IDLE_C, 0x5E08),
        ("1b 00 0000 30 00", PowerCondition.STANDBY_Z, 0x5E04),
        ("1b 00 0001 30 00", PowerCondition.STANDBY_Y, 0x5E0A),
    ],
)
def test_a_unit_says_how_idle_it_is_until_its_medium_is_used(
    ask: Ask, unit: LogicalUnit, cdb: str, power: PowerCondition, code: int
) -> None:
    Blocks(unit).perform(ask(cdb))
    assert unit.power is power
    for asking in (READY, "25" + " 00" * 9, "9e 10 00" + " 00" * 13, "1a 00 3f 00 ff 00"):
        assert not isinstance(ask(asking), Failed)
    assert ask(SENSE) == Reply(Sense(SenseKey.NO_SENSE, code).encode())
    assert ask(READ) == Read(0, 1, fua=False)
    assert unit.power is PowerCondition.ACTIVE
    assert not unit.guards
    assert ask(SENSE) == Reply(Sense(SenseKey.NO_SENSE).encode())


def test_standby_makes_all_writes_durable_and_idle_need_not(
    ask: Ask, unit: LogicalUnit, nexus: Nexus
) -> None:
    assert ask("1b 00 0000 30 00") == Flush()
    assert ask("1b 01 0001 30 00") == Immediate(Flush(), unit, nexus)
    assert ask("1b 00 0000 34 00") == ask("1b 00 0000 20 00") == Done()


@pytest.mark.parametrize("before", PowerCondition)
def test_any_condition_leads_to_active(ask: Ask, unit: LogicalUnit, before: PowerCondition) -> None:
    for cdb in ("1b 00 0000 10 00", "1b 00 0000 01 00"):
        unit.power = before
        assert ask(cdb) == Done()
        assert unit.power is PowerCondition.ACTIVE
        assert not unit.guards


def test_a_unit_that_is_to_control_its_power_itself_leaves_it_as_it_is(
    ask: Ask, unit: LogicalUnit
) -> None:
    unit.power = PowerCondition.IDLE_B
    assert ask("1b 00 0000 70 00") == Done()
    assert unit.power is PowerCondition.IDLE_B


def test_start_and_eject_mean_nothing_beside_a_power_condition(ask: Ask, unit: LogicalUnit) -> None:
    for flags in (0x0, 0x1, 0x2, 0x3):
        assert ask(POWER.format(0x10 | flags)) == Done()
    assert unit.power is PowerCondition.ACTIVE


def test_a_reset_makes_a_unit_active(unit: LogicalUnit) -> None:
    for power in PowerCondition:
        unit.power = power
        unit.reset()
        assert unit.power is PowerCondition.ACTIVE


@pytest.mark.parametrize(
    ("cdb", "byte", "bit"),
    [
        pytest.param("1b 00 0000 02 00", 4, 1, id="eject"),
        pytest.param("1b 00 0000 03 00", 4, 1, id="load"),
        pytest.param("1b 00 0001 01 00", 3, 3, id="a modifier of nothing"),
        pytest.param("1b 00 0001 10 00", 3, 3, id="a modifier of active"),
        pytest.param("1b 00 0003 20 00", 3, 3, id="no such idle"),
        pytest.param("1b 00 0002 30 00", 3, 3, id="no such standby"),
        pytest.param("1b 00 0001 70 00", 3, 3, id="a modifier of control"),
        pytest.param("1b 00 0000 40 00", 4, 7, id="reserved"),
        pytest.param("1b 00 0000 50 00", 4, 7, id="sleep"),
        pytest.param("1b 00 0000 a0 00", 4, 7, id="a timer that is not there"),
        pytest.param("1b 00 0000 b0 00", 4, 7, id="another one"),
    ],
)
def test_what_no_virtual_disk_can_do_is_refused(
    ask: Ask, unit: LogicalUnit, cdb: str, byte: int, bit: int
) -> None:
    assert ask(cdb) == Failed(invalid_field(byte, bit))
    assert unit.power is PowerCondition.ACTIVE


def test_only_low_conditions_have_a_code() -> None:
    none = AdditionalSense.NO_ADDITIONAL_SENSE_INFORMATION
    assert {p for p in PowerCondition if p.code is none} == {
        PowerCondition.ACTIVE,
        PowerCondition.STOPPED,
    }


def test_the_conditions_are_listed(unit: LogicalUnit, nexus: Nexus) -> None:
    assert power_conditions(unit, nexus).hex() == "0307" + "0000" * 6
