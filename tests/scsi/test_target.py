from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.errors import UsageError
from trioscsi.scsi import AdditionalSense, Done, Failed, LogicalUnit, Nexus, Reply, ScsiTarget
from trioscsi.scsi.complaints import LOGICAL_UNIT_NOT_SUPPORTED, WRITE_PROTECTED, unit_attention
from trioscsi.scsi.nexus import Everything

NAME = "iqn.2026-11.example:disk"
READY, LUNS = bytes(6), bytes.fromhex("a0 00 00 000000 00000100 00 00")
POWER_ON = AdditionalSense.POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED
RESET = AdditionalSense.BUS_DEVICE_RESET_FUNCTION_OCCURRED
CAPACITY = AdditionalSense.CAPACITY_DATA_HAS_CHANGED
LUNS_CHANGED = AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED


def disk(lun: int) -> LogicalUnit:
    return LogicalUnit(lun, target_name=NAME, blocks=1000)


@pytest.fixture
def target(nexus: Nexus) -> ScsiTarget:
    """LUNs 0 and 2; ``nexus`` is attached and has heard of the power on."""
    target = ScsiTarget(NAME, [disk(0), disk(2)])
    target.attach(nexus)
    for lun in target.units:
        assert target.execute(lun, READY, nexus) == Failed(unit_attention(POWER_ON))
    return target


def test_a_command_goes_to_the_unit_of_its_lun(target: ScsiTarget, nexus: Nexus) -> None:
    assert target.execute(2, READY, nexus) == Done()


@pytest.mark.parametrize("lun", [None, 1, 0x3FFF])
def test_a_lun_that_addresses_nothing_is_not_supported(
    target: ScsiTarget, nexus: Nexus, lun: int | None
) -> None:
    assert target.execute(lun, READY, nexus) == Failed(LOGICAL_UNIT_NOT_SUPPORTED)


def test_a_new_nexus_hears_of_the_power_on_at_each_lun(target: ScsiTarget) -> None:
    other = Nexus("other", "target")
    target.attach(other)
    assert other.pending == {0: [POWER_ON], 2: [POWER_ON]}


class Reading(Everything):
    """The view of an initiator that may write nowhere."""

    def protects(self, number: int) -> bool:
        return True


def test_who_may_only_read_may_not_write_to_a_unit_that_is_added(target: ScsiTarget) -> None:
    reader, write = Nexus("reader", "target", view=Reading()), bytes.fromhex("2a000000000000000100")
    target.attach(reader)
    target.add(disk(1))
    reader.pending.clear()
    for lun in target.units:
        assert target.execute(lun, write, reader) == Failed(WRITE_PROTECTED)
    added = target.remove(1)
    target.detach(reader)
    assert not any(unit.guards for unit in (added, *target.units.values()))


def test_without_lun_0_the_others_can_be_found(target: ScsiTarget, nexus: Nexus) -> None:
    target.remove(0)
    inquiry = target.execute(0, bytes.fromhex("120000006000"), nexus)
    assert isinstance(inquiry, Reply)
    assert inquiry.data[0] == 0x7F
    assert target.execute(0, LUNS, nexus) == Reply(
        bytes.fromhex("0000000800000000 0002000000000000")
    )
    assert target.execute(2, READY, nexus) == Done()


def test_a_removed_unit_is_gone_and_the_others_say_so(target: ScsiTarget, nexus: Nexus) -> None:
    nexus.establish(2, CAPACITY)
    removed = target.remove(2)
    assert removed.number == 2
    assert list(removed.luns) == [2]
    assert nexus.pending == {0: [LUNS_CHANGED]}
    assert list(target.units) == [0]


def test_an_added_unit_powers_on_and_the_others_say_so(target: ScsiTarget, nexus: Nexus) -> None:
    target.add(disk(300))
    assert nexus.pending == {0: [LUNS_CHANGED], 2: [LUNS_CHANGED], 300: [POWER_ON]}
    assert target.execute(2, LUNS, nexus) == Reply(
        bytes.fromhex("0000001800000000 0000000000000000 0002000000000000 412c000000000000")
    )
    assert nexus.pending == {300: [POWER_ON]}


def test_a_resize_is_told_and_counts_at_once(target: ScsiTarget, nexus: Nexus) -> None:
    target.resize(0, 5)
    assert target.execute(0, READY, nexus) == Failed(unit_attention(CAPACITY))
    assert target.execute(0, bytes.fromhex("25" + "00" * 9), nexus) == Reply(
        bytes.fromhex("0000000400000200")
    )


def test_a_reset_starts_the_unit_and_all_nexuses_hear_of_it(
    target: ScsiTarget, nexus: Nexus
) -> None:
    target.units[0].stopped = True
    target.reset(0)
    assert nexus.pending == {0: [RESET]}
    assert target.execute(0, READY, nexus) == Failed(unit_attention(RESET))
    assert target.execute(0, READY, nexus) == Done()


def test_a_reset_of_the_target_resets_each_unit(target: ScsiTarget, nexus: Nexus) -> None:
    target.reset_all()
    assert nexus.pending == {0: [RESET], 2: [RESET]}


def test_an_announcement_can_spare_the_nexus_that_caused_it(
    target: ScsiTarget, nexus: Nexus
) -> None:
    other = Nexus("other", "target")
    target.attach(other)
    cleared = AdditionalSense.COMMANDS_CLEARED_BY_ANOTHER_INITIATOR
    target.announce(0, cleared, but_not_to=nexus)
    assert nexus.pending == {}
    assert other.pending[0] == [POWER_ON, cleared]


def test_a_unit_itself_can_tell_what_a_command_changed(target: ScsiTarget, nexus: Nexus) -> None:
    other = Nexus("other", "target")
    target.attach(other)
    target.units[2].announce(CAPACITY, but_not_to=other)
    assert nexus.pending == {2: [CAPACITY]}
    removed = target.remove(2)
    removed.announce(CAPACITY)
    assert 2 not in nexus.pending


def test_a_unit_hears_of_a_nexus_that_has_ended() -> None:
    lost = []

    class Witness(LogicalUnit):
        def forget(self, nexus: Nexus) -> None:
            lost.append(nexus)

    target = ScsiTarget(NAME, [Witness(0, target_name=NAME, blocks=1)])
    nexus = Nexus("initiator", "target")
    target.attach(nexus)
    target.detach(nexus)
    assert lost == [nexus]


def test_one_nexus_can_be_told_something_of_every_unit(target: ScsiTarget, nexus: Nexus) -> None:
    lost = AdditionalSense.I_T_NEXUS_LOSS_OCCURRED
    target.tell(nexus, lost)
    assert nexus.pending == {0: [lost], 2: [lost]}


def test_a_detached_nexus_hears_of_nothing(target: ScsiTarget, nexus: Nexus) -> None:
    target.detach(nexus)
    target.detach(nexus)
    target.resize(0, 5)
    assert nexus.pending == {}


def test_impossible_changes_are_usage_errors(target: ScsiTarget) -> None:
    with pytest.raises(UsageError, match=r"LUN 0 of .* exists"):
        target.add(disk(0))
    with pytest.raises(UsageError, match=r"belongs to iqn\.other"):
        target.add(LogicalUnit(1, target_name="iqn.other", blocks=1))
    for change in (target.remove, target.reset):
        with pytest.raises(UsageError, match="has no LUN 1"):
            change(1)
    with pytest.raises(UsageError, match="blocks is from 1"):
        target.resize(0, 0)
    assert target.units[0].blocks == 1000


@given(st.none() | st.integers(0, 0x3FFF), st.binary(max_size=260))
def test_any_cdb_to_any_lun_gives_a_plan(lun: int | None, cdb: bytes) -> None:
    target = ScsiTarget(NAME, [disk(0), disk(2)])
    assert target.execute(lun, cdb, Nexus("initiator", "target")).data_out >= 0
