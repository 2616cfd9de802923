from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.scsi.store import Blocks, at_once
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan, Refusal, Refused, Reply, Status
from trioscsi.scsi.command import Concern
from trioscsi.scsi.complaints import FAILED_SELF_TEST, SELF_TEST_IN_PROGRESS, out_of_range
from trioscsi.scsi.storage import Buffer, Extent
from trioscsi.scsi.upkeep.self_test import Code, Finding, SelfTest

Ask = Callable[[str], Plan]
FOREGROUND = (Code.DEFAULT, Code.FOREGROUND_SHORT, Code.FOREGROUND_EXTENDED)
BACKGROUND = (Code.BACKGROUND_SHORT, Code.BACKGROUND_EXTENDED)
ABORT = "1d 80 00 0000 00"


class Reads(Blocks):
    """Storage that tells what was read, and may do something then."""

    read_at: list[tuple[int, int]]
    then: Callable[[], object] | None = None

    async def read(self, lba: int, blocks: int) -> Buffer:
        self.read_at = [*getattr(self, "read_at", []), (lba, blocks)]
        if self.then is not None:
            self.then()
        return await super().read(lba, blocks)


@pytest.fixture
def storage(unit: LogicalUnit) -> Reads:
    return Reads(unit)


def log(ask: Ask) -> Sequence[str]:
    """The results that page 10h reports, newest first."""
    plan = ask("4d 00 50 00 00 0000 ffff 00")
    assert isinstance(plan, Reply)
    parameters = [plan.data[place : place + 20] for place in range(4, len(plan.data), 20)]
    assert [parameter[:4].hex() for parameter in parameters] == [
        f"{code:04x}2310" for code in range(1, 21)
    ]
    return [parameter[4:].hex(" ", 2) for parameter in parameters]


NO_RESULT = "0000 0000 0000 0000 0000 0000 0000 0000"
NO_ADDRESS = "ffff ffff ffff ffff"


def test_the_default_test_leaves_no_result(ask: Ask, unit: LogicalUnit, storage: Reads) -> None:
    assert storage.perform(SelfTest(unit, Code.DEFAULT)) == Done()
    assert storage.read_at
    assert log(ask) == [NO_RESULT] * 20
    storage.fails.add("read")
    assert storage.perform(SelfTest(unit, Code.DEFAULT)) == Failed(FAILED_SELF_TEST)
    assert unit.self_tests.running is None


@pytest.mark.parametrize("code", FOREGROUND[1:])
def test_a_test_in_the_foreground_is_answered_when_it_has_ended(
    ask: Ask, unit: LogicalUnit, storage: Reads, code: Code
) -> None:
    assert storage.perform(SelfTest(unit, code)) == Done()
    results = log(ask)
    assert results[0] == f"{code << 5:02x}00 0000 {NO_ADDRESS} 0000 0000"
    assert results[1:] == [NO_RESULT] * 19
    assert not unit.guards


@pytest.mark.parametrize("code", BACKGROUND)
def test_a_test_in_the_background_is_answered_at_once(
    ask: Ask, unit: LogicalUnit, storage: Reads, code: Code
) -> None:
    assert storage.perform(SelfTest(unit, code)) == Done()
    assert log(ask)[0] == f"{code << 5 | 0xF:02x}00 0000 {NO_ADDRESS} 0000 0000"
    assert not unit.guards
    storage.run_jobs()
    assert log(ask)[0] == f"{code << 5:02x}00 0000 {NO_ADDRESS} 0000 0000"


def test_a_short_test_reads_a_few_blocks(unit: LogicalUnit, storage: Reads) -> None:
    storage.perform(SelfTest(unit, Code.FOREGROUND_SHORT))
    assert storage.read_at == [(0, 1), (500, 1), (999, 1)]


def test_an_extended_test_reads_all_that_is_stored_in_steps() -> None:
    unit = LogicalUnit(0, target_name="iqn.x", block_size=65_536, blocks=50)
    storage = Reads(unit)
    storage.mapped = {3, *range(10, 30)}
    assert storage.perform(SelfTest(unit, Code.FOREGROUND_EXTENDED)) == Done()
    assert storage.read_at == [(3, 1), (10, 16), (26, 4)]


def test_a_unit_may_become_smaller_while_it_is_tested(unit: LogicalUnit, storage: Reads) -> None:
    storage.mapped = {*range(0, 1000, 2)}
    storage.then = lambda: setattr(unit, "blocks", 10)
    assert storage.perform(SelfTest(unit, Code.FOREGROUND_EXTENDED)) == Done()
    assert storage.read_at == [(lba, 1) for lba in range(0, 10, 2)]


def test_blocks_that_are_gone_are_not_tested(unit: LogicalUnit, storage: Reads) -> None:
    async def read(lba: int, blocks: int) -> bytes:
        if lba:
            raise Refusal(out_of_range(lba))
        return bytes(512)

    storage.read = read  # type: ignore[method-assign]
    assert storage.perform(SelfTest(unit, Code.FOREGROUND_SHORT)) == Done()


@pytest.mark.parametrize("code", [Code.FOREGROUND_SHORT, Code.FOREGROUND_EXTENDED])
def test_a_test_fails_where_storage_does(
    ask: Ask, unit: LogicalUnit, storage: Reads, code: Code
) -> None:
    storage.mapped = {*range(1000)}
    storage.fails.add("read")
    assert storage.perform(SelfTest(unit, code)) == Failed(FAILED_SELF_TEST)
    result = f"{code << 5 | 5:02x}00 0000 0000 0000 0000 0000 043e 0300"
    assert log(ask)[0] == result


def test_storage_may_fail_to_tell_what_is_stored(unit: LogicalUnit, storage: Reads) -> None:
    async def extents(lba: int, blocks: int) -> Sequence[Extent]:
        storage._do("extents")
        raise AssertionError

    storage.fails.add("extents")
    storage.extents = extents  # type: ignore[method-assign]
    plan = SelfTest(unit, Code.FOREGROUND_EXTENDED)
    assert storage.perform(plan) == Failed(FAILED_SELF_TEST)


def test_the_newest_result_is_first_and_twenty_are_kept(
    ask: Ask, unit: LogicalUnit, storage: Reads
) -> None:
    storage.perform(SelfTest(unit, Code.FOREGROUND_SHORT))
    for _ in range(19):
        storage.perform(SelfTest(unit, Code.FOREGROUND_EXTENDED))
    assert [result[:2] for result in log(ask)] == ["c0"] * 19 + ["a0"]
    storage.perform(SelfTest(unit, Code.FOREGROUND_SHORT))
    assert [result[:2] for result in log(ask)] == ["a0"] + ["c0"] * 19


def test_the_hours_since_power_on_are_kept_with_a_result(nexus: Nexus) -> None:
    now = 0.0
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1, clock=lambda: now)
    now = 3600 * 5 + 3599.0
    Blocks(unit).perform(SelfTest(unit, Code.FOREGROUND_SHORT))
    assert unit.self_tests.results[0].hours == 5
    now = 3600.0 * 2**20
    Blocks(unit).perform(SelfTest(unit, Code.FOREGROUND_SHORT))
    assert unit.self_tests.results[0].encode()[2:4] == b"\xff\xff"


def test_while_a_test_is_running_there_is_no_other(unit: LogicalUnit, storage: Reads) -> None:
    storage.perform(SelfTest(unit, Code.BACKGROUND_SHORT))
    for code in (*FOREGROUND, *BACKGROUND):
        assert storage.perform(SelfTest(unit, code)) == Failed(SELF_TEST_IN_PROGRESS)
    assert len(unit.self_tests.results) == 1


def test_too_many_jobs_leave_no_room_for_a_test(unit: LogicalUnit, storage: Reads) -> None:
    storage.busy = True
    assert storage.perform(SelfTest(unit, Code.BACKGROUND_SHORT)) == Refused(Status.BUSY)
    assert unit.self_tests.running is None


def test_a_test_in_the_background_can_be_aborted(
    ask: Ask, unit: LogicalUnit, storage: Reads
) -> None:
    storage.perform(SelfTest(unit, Code.BACKGROUND_SHORT))
    storage.then = lambda: ask(ABORT)
    storage.run_jobs()
    assert storage.read_at == [(0, 1)]
    assert log(ask)[0][:2] == "21"


def test_a_reset_aborts_a_test(ask: Ask, unit: LogicalUnit, storage: Reads) -> None:
    storage.perform(SelfTest(unit, Code.BACKGROUND_EXTENDED))
    unit.reset()
    storage.run_jobs()
    assert log(ask)[0][:2] == "42"


def test_in_the_foreground_other_commands_wait(ask: Ask, unit: LogicalUnit, storage: Reads) -> None:
    answers: list[Plan] = []
    cdbs = ("00", "28 00 00000000 00 0001", "12 00 00 0000", "a0 00 00 000000 00000010", "03")
    storage.then = lambda: answers.extend(map(ask, cdbs))
    storage.perform(SelfTest(unit, Code.FOREGROUND_SHORT))
    busy = Failed(SELF_TEST_IN_PROGRESS)
    assert answers[:2] == [busy, busy]
    assert all(isinstance(answer, Reply) for answer in answers[2:5])


def test_a_test_that_is_called_off_leaves_a_result_and_no_guard(unit: LogicalUnit) -> None:
    class CalledOff(Blocks):
        async def read(self, lba: int, blocks: int) -> Buffer:
            raise KeyboardInterrupt

    plan = SelfTest(unit, Code.FOREGROUND_SHORT)
    with pytest.raises(KeyboardInterrupt):
        at_once(plan.perform(CalledOff(unit), memoryview(b"")))
    assert unit.self_tests.results[0].finding is Finding.ABORTED_OTHERWISE
    assert not unit.guards


def test_a_self_test_is_a_concern_of_its_own() -> None:
    assert Concern.MEDIUM < Concern.SELF_TEST < Concern.STOPPED
