from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.scsi.store import Blocks
from trioscsi.errors import BackendError, UsageError
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Nexus,
    Plan,
    Refused,
    Reply,
    Sense,
    SenseKey,
    Status,
)
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.sense import FIXED, Progress
from trioscsi.scsi.upkeep.overhaul import KEEPSAKE, Overhaul, Work, pattern

Ask = Callable[[str], Plan]
NAME = "iqn.2026-11.example:disk"
TEST_UNIT_READY, READ, INQUIRY = "00", "28 00 00000000 00 0001 00", "12 00 00 0024 00"
PASSING = {"INQUIRY", "REPORT LUNS", "REQUEST SENSE"}
IN_PROGRESS = {
    Work.FORMAT: AdditionalSense.LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS,
    Work.SANITIZE: AdditionalSense.LOGICAL_UNIT_NOT_READY_SANITIZE_IN_PROGRESS,
}
FAILURE = {
    Work.FORMAT: Failed(Sense(SenseKey.MEDIUM_ERROR, AdditionalSense.FORMAT_COMMAND_FAILED)),
    Work.SANITIZE: Failed(Sense(SenseKey.MEDIUM_ERROR, AdditionalSense.SANITIZE_COMMAND_FAILED)),
}
CORRUPTED = Failed(Sense(SenseKey.MEDIUM_ERROR, AdditionalSense.MEDIUM_FORMAT_CORRUPTED))
EACH = pytest.mark.parametrize("work", Work)


@pytest.fixture
def unit() -> LogicalUnit:
    return LogicalUnit(0, target_name=NAME, blocks=5000, thin=True, atomic=True, keeps_state=True)


@pytest.fixture
def blocks(unit: LogicalUnit) -> Blocks:
    blocks = Blocks(unit)
    blocks.data[:] = b"x" * len(blocks.data)
    blocks.mapped.update(range(unit.blocks))
    return blocks


def in_progress(work: Work, done: int = 0) -> Failed:
    return Failed(Sense(SenseKey.NOT_READY, IN_PROGRESS[work], specific=Progress(done)))


@EACH
def test_all_blocks_get_the_last_content(unit: LogicalUnit, blocks: Blocks, work: Work) -> None:
    passes = [b"a" * 512, None, b"b" * 512]
    assert blocks.perform(Overhaul(unit, work, passes)) == Done()
    assert blocks.data == b"b" * len(blocks.data)
    assert blocks.steps.count("flush") == 1
    assert blocks.steps[:2] == ["save", "hold 0 5000"]
    assert blocks.steps[-2:] == ["flush", "save"]


def test_no_content_is_no_storage(unit: LogicalUnit, blocks: Blocks) -> None:
    assert blocks.perform(Overhaul(unit, Work.SANITIZE, [None])) == Done()
    assert not blocks.mapped
    assert not any(blocks.data)


@EACH
def test_while_it_goes_on_little_else_is_performed(
    unit: LogicalUnit, blocks: Blocks, nexus: Nexus, work: Work
) -> None:
    plan = Overhaul(unit, work, [None], immediate=True)
    assert blocks.perform(plan) == Done()
    for command in DISK:
        cdb = bytes((command.opcode, command.service_action or 0)).ljust(32, b"\0")
        passes = command.name in PASSING or command.opcode == 0xA3
        if command.opcode != 0x7F:
            assert (unit.execute(cdb, nexus) == in_progress(work)) is not passes, command.name
    assert blocks.perform(plan) == in_progress(work)
    blocks.run_jobs()
    assert unit.execute(bytes(16), nexus) == Done()
    assert not unit.guards


def test_request_sense_tells_how_far_it_is(unit: LogicalUnit, blocks: Blocks, nexus: Nexus) -> None:
    seen: list[int] = []

    class Watching(Blocks):
        async def write(self, lba: int, data: object) -> None:
            plan = unit.execute(bytes.fromhex("03 00 0000 ff 00").ljust(16, b"\0"), nexus)
            assert isinstance(plan, Reply)
            fields = FIXED.decode(plan.data)
            assert (fields["sense_key"], fields["additional_sense"]) == (2, 0x041B)
            assert fields["sense_key_specific"] >> 16 == 0x80
            seen.append(fields["sense_key_specific"] & 0xFFFF)

    storage = Watching(unit)
    assert storage.perform(Overhaul(unit, Work.SANITIZE, [b"a" * 512, b"b" * 512])) == Done()
    assert seen == [blocks * 65_536 // 10_000 for blocks in (0, 2048, 4096, 5000, 7048, 9096)]


@EACH
def test_it_writes_no_more_at_once_than_it_may(
    unit: LogicalUnit, blocks: Blocks, work: Work
) -> None:
    blocks.at_once = 1500
    assert blocks.perform(Overhaul(unit, work, [b"a" * 512, b"b" * 512])) == Done()
    writes = [step for step in blocks.steps if step.startswith("write")]
    one_pass = ["write 0 1500", "write 1500 1500", "write 3000 1500", "write 4500 500"]
    assert writes == 2 * one_pass
    assert blocks.data == b"b" * len(blocks.data)


def test_to_give_blocks_back_is_no_writing(unit: LogicalUnit, blocks: Blocks) -> None:
    blocks.at_once = 1500
    assert blocks.perform(Overhaul(unit, Work.SANITIZE, [None])) == Done()
    assert not blocks.rationed
    unit.thin = False
    assert blocks.perform(Overhaul(unit, Work.SANITIZE, [None])) == Done()
    assert blocks.rationed == [5000, 3500, 2000, 500]
    assert blocks.steps.count("unmap 3000 1500") == 1


def test_it_outlasts_a_reset(unit: LogicalUnit, blocks: Blocks, ask: Ask) -> None:
    blocks.perform(Overhaul(unit, Work.SANITIZE, [None], immediate=True))
    unit.reset()
    assert ask(TEST_UNIT_READY) == in_progress(Work.SANITIZE)


@EACH
@pytest.mark.parametrize("fault", ["unmap", "flush", "save"])
@pytest.mark.parametrize("immediate", [False, True])
def test_a_failure_is_not_taken_for_success(
    unit: LogicalUnit, blocks: Blocks, ask: Ask, work: Work, fault: str, immediate: bool
) -> None:
    blocks.fails = {fault}
    outcome = blocks.perform(Overhaul(unit, work, [None], immediate=immediate))
    assert outcome == (Done() if immediate else FAILURE[work])
    with suppress(BackendError):  # whoever runs jobs logs it
        blocks.run_jobs()
    assert ask(READ) == (CORRUPTED if work is Work.FORMAT else FAILURE[work])
    assert isinstance(ask(INQUIRY), Reply)
    blocks.fails = set()
    assert blocks.perform(Overhaul(unit, Work.SANITIZE, [None])) == Done()
    assert ask(TEST_UNIT_READY) == Done()


def test_after_a_failed_format_only_blocks_are_out_of_reach(
    unit: LogicalUnit, blocks: Blocks, nexus: Nexus
) -> None:
    blocks.fails = {"unmap"}
    blocks.perform(Overhaul(unit, Work.FORMAT, [None]))
    for command in DISK:
        cdb = bytes((command.opcode, command.service_action or 0)).ljust(32, b"\0")
        held_up = command.medium and command.opcode not in (0x04, 0x48)
        if command.opcode != 0x7F:
            assert (unit.execute(cdb, nexus) == CORRUPTED) is held_up, command.name


def test_after_a_failed_sanitize_nothing_is_told_but_that(
    unit: LogicalUnit, blocks: Blocks, nexus: Nexus
) -> None:
    blocks.fails = {"unmap"}
    blocks.perform(Overhaul(unit, Work.SANITIZE, [None]))
    for command in DISK:
        cdb = bytes((command.opcode, command.service_action or 0)).ljust(32, b"\0")
        passes = command.name in PASSING or command.opcode in (0x48, 0xA3)
        if command.opcode != 0x7F:
            held_up = unit.execute(cdb, nexus) == FAILURE[Work.SANITIZE]
            assert held_up is not passes, command.name


@pytest.mark.parametrize("immediate", [False, True])
def test_no_room_for_more_work_leaves_all_as_it_was(
    unit: LogicalUnit, blocks: Blocks, ask: Ask, immediate: bool
) -> None:
    blocks.busy = True
    plan = Overhaul(unit, Work.FORMAT, [None], immediate=immediate)
    assert blocks.perform(plan) == Refused(Status.BUSY, 10)
    assert ask(TEST_UNIT_READY) == Done()
    blocks.busy, blocks.fails = False, {"unmap"}
    blocks.perform(Overhaul(unit, Work.SANITIZE, [None]))
    blocks.busy = True
    assert blocks.perform(plan) == Refused(Status.BUSY, 10)
    assert ask(TEST_UNIT_READY) == FAILURE[Work.SANITIZE]


@EACH
def test_work_that_a_restart_cut_off_has_failed(blocks: Blocks, nexus: Nexus, work: Work) -> None:
    unit = blocks.unit
    blocks.perform(Overhaul(unit, work, [None], immediate=True, unrestricted=True))
    blocks.fails = {"unmap"}
    with suppress(BackendError):
        blocks.run_jobs()
    again = LogicalUnit(0, target_name=NAME, blocks=8)
    again.restore("overhaul", blocks.saved["overhaul"])
    assert again.execute(bytes(16), nexus) == (CORRUPTED if work is Work.FORMAT else FAILURE[work])
    assert again.medium.unrestricted


def test_work_that_was_done_is_forgotten(unit: LogicalUnit, blocks: Blocks, nexus: Nexus) -> None:
    blocks.perform(Overhaul(unit, Work.SANITIZE, [None]))
    again = LogicalUnit(0, target_name=NAME, blocks=8)
    again.restore(KEEPSAKE, blocks.saved[KEEPSAKE])
    assert again.execute(bytes(16), nexus) == Done()


@pytest.mark.parametrize("data", [b"", b"[]", b'["sanitize"]', b'["wash", true]', b"[1, true]"])
def test_what_cannot_be_read_is_said(unit: LogicalUnit, data: bytes) -> None:
    with pytest.raises(UsageError, match="the overhaul that were saved"):
        unit.restore(KEEPSAKE, data)


def test_a_unit_that_keeps_no_state_saves_nothing(blocks: Blocks) -> None:
    blocks.unit.keeps_state = False
    assert blocks.perform(Overhaul(blocks.unit, Work.SANITIZE, [None])) == Done()
    assert not blocks.saved


@pytest.mark.parametrize("length", [1, 3, 4, 511, 512])
def test_a_pattern_fills_a_block(unit: LogicalUnit, length: int) -> None:
    initialization = bytes(range(1, 251)) * 3
    block = pattern(unit, initialization[:length])
    assert len(block) == 512
    assert all(block[i] == initialization[i % length] for i in range(512))
