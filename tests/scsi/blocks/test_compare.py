from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scsi.store import Blocks
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan
from trioscsi.scsi.blocks.compare import CompareAndWrite
from trioscsi.scsi.complaints import WRITE_PROTECTED, invalid_field, miscompare, out_of_range

Ask = Callable[[str], Plan]

TWO_AT_258 = "89 {:02x} 0000000000000102 000000 02 00 00"


def test_the_data_are_what_is_expected_and_what_is_written(ask: Ask) -> None:
    assert ask(TWO_AT_258.format(0)) == CompareAndWrite(258, 2, fua=False, data_out=2048)
    assert ask(TWO_AT_258.format(0x18)) == CompareAndWrite(258, 2, fua=True, data_out=2048)


def test_no_blocks_are_no_error(unit: LogicalUnit, ask: Ask) -> None:
    plan = ask("89 00 0000000000000102 000000 00 00 00")
    assert plan == CompareAndWrite(258, 0, fua=False, data_out=0)
    blocks = Blocks(unit)
    assert blocks.perform(plan) == Done()
    assert blocks.steps == []


def test_data_for_other_blocks_are_refused_at_their_number(ask: Ask) -> None:
    plan = ask(TWO_AT_258.format(0))
    assert isinstance(plan, CompareAndWrite)
    assert plan.exact
    assert plan.inexact() == invalid_field(13, 7)


def test_what_cannot_be_is_refused(ask: Ask, unit: LogicalUnit) -> None:
    assert ask("89 20 0000000000000102 000000 02 00 00") == Failed(invalid_field(1, 7))
    assert ask("89 00 00000000000003e7 000000 02 00 00") == Failed(out_of_range(1000))
    assert ask("89 00 00000000000003e8 000000 00 00 00") == Failed(out_of_range(1000))
    unit.read_only = True
    assert ask(TWO_AT_258.format(0)) == Failed(WRITE_PROTECTED)


@pytest.mark.parametrize(("block_size", "most"), [(512, 255), (4096, 255), (65_536, 128)])
def test_its_length_is_bound_by_its_field_and_by_the_data_it_takes(
    nexus: Nexus, block_size: int, most: int
) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", block_size=block_size, blocks=300)
    assert unit.maximum_compared_blocks == most
    for number in range(most, 256):
        plan = unit.execute(bytes.fromhex(f"89 00 {0:016x} 000000 {number:02x} 00 00"), nexus)
        if number <= most:
            assert plan == CompareAndWrite(0, number, False, 2 * number * block_size)
        else:
            assert plan == Failed(invalid_field(13, 7))


def test_equal_blocks_are_replaced(unit: LogicalUnit, ask: Ask) -> None:
    blocks = Blocks(unit)
    plan = ask(TWO_AT_258.format(0x08))
    assert blocks.perform(plan, bytes(1024) + b"n" * 1024) == Done()
    assert blocks.data[258 * 512 :][:1024] == b"n" * 1024
    assert blocks.steps == ["write 258 2", "flush"]


def test_a_difference_leaves_them_and_is_told_by_its_offset(unit: LogicalUnit, ask: Ask) -> None:
    blocks = Blocks(unit)
    plan = ask(TWO_AT_258.format(0x08))
    data = bytes(700) + b"x" + bytes(323) + b"n" * 1024
    assert blocks.perform(plan, data) == Failed(miscompare(700))
    assert blocks.steps == []
