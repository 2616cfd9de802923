from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.store import Blocks
from trioscsi.errors import BackendError
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Outcome, Plan, Receive, Sense
from trioscsi.scsi.complaints import (
    PARAMETER_LIST_LENGTH_ERROR,
    WRITE_PROTECTED,
    invalid_field,
    invalid_parameter,
)
from trioscsi.scsi.upkeep.overhaul import Overhaul, Work
from trioscsi.scsi.upkeep.sanitize import GiveUp

Ask = Callable[[str], Plan]
NAME = "iqn.2026-11.example:disk"
IMMED, AUSE = 0x80, 0x20
OVERWRITE, BLOCK_ERASE, CRYPTOGRAPHIC_ERASE, EXIT_FAILURE_MODE = 0x01, 0x02, 0x03, 0x1F
INVERT = 0x80


@pytest.fixture
def unit() -> LogicalUnit:
    return LogicalUnit(0, target_name=NAME, blocks=16, thin=True, keeps_state=True)


def sanitize(flags: int, length: int = 0) -> str:
    return f"48 {flags:02x} 0000000000 {length:04x} 00"


def overwriting(ask: Ask, data: bytes, length: int | None = None, flags: int = 0) -> Plan:
    plan = ask(sanitize(OVERWRITE | flags, len(data) if length is None else length))
    return plan.received(data) if isinstance(plan, Receive) else plan


def parameters(count: int, pattern: bytes) -> bytes:
    return bytes((count, 0)) + len(pattern).to_bytes(2, "big") + pattern


def test_overwriting_writes_the_pattern_to_all_blocks(ask: Ask, unit: LogicalUnit) -> None:
    assert overwriting(ask, parameters(1, b"abc")) == Overhaul(
        unit, Work.SANITIZE, [(b"abc" * 171)[:512]]
    )
    blocks = Blocks(unit)
    assert blocks.perform(overwriting(ask, parameters(2, b"abc"))) == Done()
    assert blocks.data == (b"abc" * 171)[:512] * 16


def test_the_pattern_is_inverted_between_the_passes(ask: Ask, unit: LogicalUnit) -> None:
    plan = overwriting(ask, parameters(INVERT | 3, b"\x0f"))
    assert isinstance(plan, Overhaul)
    assert plan.passes == [b"\x0f" * 512, b"\xf0" * 512, b"\x0f" * 512]


@pytest.mark.parametrize("action", [BLOCK_ERASE, CRYPTOGRAPHIC_ERASE])
def test_erasing_leaves_nothing_stored(ask: Ask, unit: LogicalUnit, action: int) -> None:
    plan = ask(sanitize(action))
    assert plan == Overhaul(unit, Work.SANITIZE, [None])
    blocks = Blocks(unit)
    blocks.mapped.update(range(16))
    assert blocks.perform(plan) == Done()
    assert not blocks.mapped
    assert ask(sanitize(action, 8)) == Failed(invalid_field(7, 7))


def test_the_answer_need_not_wait_and_a_failure_may_be_left(ask: Ask, unit: LogicalUnit) -> None:
    plan = ask(sanitize(BLOCK_ERASE | IMMED | AUSE))
    assert plan == Overhaul(unit, Work.SANITIZE, [None], immediate=True, unrestricted=True)
    plan = overwriting(ask, parameters(1, b"a"), flags=IMMED)
    assert isinstance(plan, Overhaul)
    assert (plan.immediate, plan.unrestricted) == (True, False)


@pytest.mark.parametrize("length", [0, 1, 4, 517, 0xFFFF])
def test_a_pattern_of_no_bytes_or_more_than_a_block_is_refused(ask: Ask, length: int) -> None:
    assert ask(sanitize(OVERWRITE, length)) == Failed(invalid_field(7, 7))


@pytest.mark.parametrize(
    ("data", "sense"),
    [
        pytest.param(parameters(0, b"a"), invalid_parameter(0, 4), id="no pass"),
        pytest.param(parameters(0x21, b"a"), invalid_parameter(0, 6), id="a test"),
        pytest.param(b"\x01\x04\0\x01a", invalid_parameter(1, 2), id="a reserved bit"),
        pytest.param(b"\x01\0\0\0a", invalid_parameter(2, 7), id="an empty pattern"),
        pytest.param(b"\x01\0\x02\x01" + b"a" * 512, invalid_parameter(2, 7), id="too large"),
        pytest.param(b"\x01\0\0\x02a", PARAMETER_LIST_LENGTH_ERROR, id="cut off"),
    ],
)
def test_a_parameter_list_that_cannot_be_is_refused(ask: Ask, data: bytes, sense: Sense) -> None:
    assert overwriting(ask, data) == Failed(sense)


def test_a_parameter_list_that_did_not_come_is_too_short(ask: Ask) -> None:
    assert overwriting(ask, b"\x01\0\0\x01", 5) == Failed(PARAMETER_LIST_LENGTH_ERROR)


@given(st.binary(max_size=600), st.integers(0, 0xFFFF))
def test_no_parameter_list_of_an_overwrite_is_an_exception(data: bytes, length: int) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=16)

    def ask(cdb: str) -> Plan:
        return unit.execute(bytes.fromhex(cdb).ljust(16, b"\0"), Nexus("initiator", "target"))

    assert isinstance(overwriting(ask, data[:length], length), Overhaul | Failed)


@pytest.mark.parametrize("flags", [0x40 | BLOCK_ERASE, 0x40 | OVERWRITE])
def test_zones_that_keep_their_pointers_are_refused(ask: Ask, flags: int) -> None:
    assert ask(sanitize(flags)) == Failed(invalid_field(1, 6))


@pytest.mark.parametrize("action", set(range(32)) - {1, 2, 3, 0x1F})
def test_an_unknown_service_action_is_refused(ask: Ask, action: int) -> None:
    assert ask(sanitize(action)) == Failed(invalid_field(1, 4))


def test_blocks_that_must_be_stored_are_not_erased(ask: Ask, unit: LogicalUnit) -> None:
    unit.thin = False
    assert ask(sanitize(BLOCK_ERASE)) == Failed(invalid_field(1, 4))


@pytest.mark.parametrize("action", [OVERWRITE, BLOCK_ERASE, CRYPTOGRAPHIC_ERASE])
def test_a_write_protected_unit_is_not_sanitized(ask: Ask, unit: LogicalUnit, action: int) -> None:
    unit.read_only = True
    assert ask(sanitize(action, 5)) == Failed(WRITE_PROTECTED)


# Failures.


def fail(unit: LogicalUnit, ask: Ask, flags: int = 0) -> Blocks:
    blocks = Blocks(unit, fails={"unmap"})
    blocks.perform(ask(sanitize(BLOCK_ERASE | flags)))
    return blocks


def outcome_of_leaving(blocks: Blocks, ask: Ask) -> Outcome:
    return blocks.perform(ask(sanitize(EXIT_FAILURE_MODE)))


def test_a_failure_can_be_left_if_that_was_allowed_for(ask: Ask, unit: LogicalUnit) -> None:
    blocks = fail(unit, ask, AUSE)
    assert isinstance(ask("00"), Failed)
    assert ask(sanitize(EXIT_FAILURE_MODE)) == GiveUp(unit)
    assert outcome_of_leaving(blocks, ask) == Done()
    assert ask("00") == Done()
    again = LogicalUnit(0, target_name=NAME, blocks=16)
    again.restore("overhaul", blocks.saved["overhaul"])
    assert not again.guards


def test_a_failure_is_not_left_otherwise_nor_by_asking_for_less(
    ask: Ask, unit: LogicalUnit
) -> None:
    blocks = fail(unit, ask)
    assert outcome_of_leaving(blocks, ask) == Failed(invalid_field(1, 4))
    assert ask(sanitize(BLOCK_ERASE | AUSE)) == Failed(invalid_field(1, 5))
    blocks.fails = set()
    assert blocks.perform(ask(sanitize(CRYPTOGRAPHIC_ERASE))) == Done()
    assert ask("00") == Done()


def in_progress(ask: Ask) -> bool:
    plan = ask("00")
    return isinstance(plan, Failed) and plan.sense.code == 0x041B


def test_whoever_leaves_a_failure_does_not_end_a_sanitize_that_has_begun_since(
    ask: Ask, unit: LogicalUnit
) -> None:
    blocks = fail(unit, ask, AUSE)
    leaving, again = ask(sanitize(EXIT_FAILURE_MODE)), ask(sanitize(BLOCK_ERASE | IMMED | AUSE))
    assert blocks.perform(again) == Done()
    assert blocks.perform(leaving) == ask("00")
    assert in_progress(ask)


def test_a_sanitize_may_begin_while_it_is_saved_that_a_failure_was_left(
    ask: Ask, unit: LogicalUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = fail(unit, ask, AUSE)

    async def save(_name: str, _data: bytes) -> None:
        blocks.perform(ask(sanitize(BLOCK_ERASE | IMMED)))

    monkeypatch.setattr(Blocks, "save", lambda _, *saved: save(*saved))
    assert outcome_of_leaving(blocks, ask) == Done()
    assert in_progress(ask)


def test_a_failure_stays_if_it_cannot_be_saved_that_it_was_left(
    ask: Ask, unit: LogicalUnit
) -> None:
    blocks = fail(unit, ask, AUSE)
    failure = ask("00")
    blocks.fails = {"save"}
    with pytest.raises(BackendError):
        outcome_of_leaving(blocks, ask)
    assert ask("00") == failure
    blocks.fails = set()
    assert outcome_of_leaving(blocks, ask) == Done()


def test_leaving_no_failure_is_done(ask: Ask) -> None:
    assert ask(sanitize(EXIT_FAILURE_MODE)) == Done()
    assert ask(sanitize(EXIT_FAILURE_MODE, 8)) == Failed(invalid_field(7, 7))


def test_a_failed_format_is_not_left_this_way(ask: Ask, unit: LogicalUnit) -> None:
    blocks = Blocks(unit, fails={"unmap"})
    blocks.perform(Overhaul(unit, Work.FORMAT, [None]))
    assert outcome_of_leaving(blocks, ask) == Done()
    assert isinstance(ask("00"), Failed)
