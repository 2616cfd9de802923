from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trioscsi import BackendError, MemoryDisk, PatternDisk, Thin
from trioscsi.backends import Space
from trioscsi.scsi import AdditionalSense, LogicalUnit, Nexus, ScsiTarget
from trioscsi.scsi.copy.token import Range
from trioscsi.scsi.modes.pages import LOGICAL_BLOCK_PROVISIONING
from trioscsi.server.storage import Unit
from trioscsi.server.watch import Watch

NAME = "iqn.2026-11.example:disk"
BLOCKS = 2**21


class Looked(Thin):
    """Counts the looks."""

    looks = 0
    broken = False

    async def space(self) -> Space:
        self.looks += 1
        if self.broken:
            raise BackendError("broken")
        return await super().space()


@pytest.fixture
def disk() -> Looked:
    return Looked(MemoryDisk(BLOCKS * 512), pool="100MiB")


@pytest.fixture
def unit(disk: Looked, nursery: trio.Nursery) -> LogicalUnit:
    logical = LogicalUnit(0, target_name=NAME, blocks=BLOCKS, thin=True)
    other = LogicalUnit(1, target_name=NAME, blocks=2048)
    units = [Unit(logical, disk), Unit(other, PatternDisk("1MiB"))]
    watch = Watch(lambda: units, 5)
    logical.thresholds.changed = other.thresholds.changed = watch.wake
    nursery.start_soon(watch.run)
    return logical


@pytest.fixture
def nexus(unit: LogicalUnit) -> Nexus:
    nexus = Nexus("iqn.2026-11.example:host,i,0x400001370000", f"{NAME},t,0x0001")
    ScsiTarget(NAME, [unit]).attach(nexus)
    nexus.take(0)
    return nexus


def set_threshold(unit: LogicalUnit, *, enabled: int = 1) -> None:
    values = {"used_enabled": enabled, "used_threshold_count": 50}
    unit.modes.change({LOGICAL_BLOCK_PROVISIONING.key: values})


async def test_nobody_looks_while_no_threshold_is_enabled(
    disk: Looked, unit: LogicalUnit, autojump_clock: MockClock
) -> None:
    await trio.sleep(1000)
    assert disk.looks == 0
    set_threshold(unit)
    await trio.sleep(11)
    assert disk.looks == 3
    set_threshold(unit, enabled=0)
    await trio.sleep(1000)
    assert disk.looks == 3


async def test_a_threshold_is_told_within_an_interval(
    disk: Looked, unit: LogicalUnit, nexus: Nexus, autojump_clock: MockClock
) -> None:
    set_threshold(unit)
    await wait_all_tasks_blocked()
    for _ in range(50):
        assert nexus.take(0) is None
        await disk.write(_ * 2048, bytes(2**20))
    await trio.sleep(5.5)
    sense = nexus.take(0)
    assert sense is not None
    assert sense.code == AdditionalSense.THIN_PROVISIONING_SOFT_THRESHOLD_REACHED
    await trio.sleep(100)
    assert nexus.take(0) is None


async def test_a_disk_that_cannot_tell_is_asked_again(
    disk: Looked,
    unit: LogicalUnit,
    nexus: Nexus,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await disk.write(0, bytes(50 * 2**20))
    disk.broken = True
    set_threshold(unit)
    with caplog.at_level(logging.WARNING, "trioscsi"):
        await trio.sleep(1)
    assert "LUN 0: how much room there is: broken" in caplog.text
    assert nexus.take(0) is None
    disk.broken = False
    await trio.sleep(5)
    assert nexus.take(0) is not None


async def test_a_disk_that_goes_while_another_is_looked_at_is_not_asked(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    class Gradual(Looked):
        """Takes a second to tell."""

        async def space(self) -> Space:
            await trio.sleep(1)
            return await super().space()

    disks = [Gradual(MemoryDisk(BLOCKS * 512), pool="100MiB") for _ in range(2)]
    units = [
        Unit(LogicalUnit(number, target_name=NAME, blocks=BLOCKS, thin=True), disk)
        for number, disk in enumerate(disks)
    ]
    for unit in units:
        set_threshold(unit.logical)
    nursery.start_soon(Watch(lambda: units, 5).run)
    await trio.sleep(0.5)
    await units[1].withdraw()
    await trio.sleep(7)
    assert [disk.looks for disk in disks] == [2, 0]


async def test_a_token_that_nobody_uses_holds_up_no_writes_for_longer_than_it_lives(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    logical = LogicalUnit(0, target_name=NAME, blocks=BLOCKS, clock=trio.current_time)
    unit = Unit(logical, MemoryDisk(BLOCKS * 512))
    watch = Watch(lambda: [unit], 5)
    logical.tokens.made = watch.wake
    nursery.start_soon(watch.run)
    await wait_all_tasks_blocked()
    token = logical.tokens.make(logical, [Range(0, 8)], 60)
    token.watch(unit.ranges)
    await trio.sleep(59)
    assert unit.ranges.exclusive
    await trio.sleep(7)
    assert not unit.ranges.exclusive
