from __future__ import annotations

from collections.abc import Callable

import pytest

from trioscsi.scsi import Failed, LogicalUnit, Nexus, Plan, Reply, ScsiTarget
from trioscsi.scsi.complaints import out_of_range
from trioscsi.scsi.ports import AccessState

Ask = Callable[[str], Plan]
NAME = "iqn.2026-11.example:disk"


@pytest.mark.parametrize("one", ["00", "01"])
@pytest.mark.parametrize("lba", ["0000000000000000", "00000000000003e7"])
def test_all_blocks_are_one_segment(ask: Ask, one: str, lba: str) -> None:
    assert ask(f"9e13 {lba} 00000100 {one} 00") == Reply(
        bytes.fromhex("00000018 00000001 0000000000000000 00000000000003e7 00000001")
    )


def test_the_ways_to_it_are_the_port_groups_with_their_states(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=1000)
    states = {1: AccessState.ACTIVE_OPTIMIZED, 0x102: AccessState.STANDBY}
    ScsiTarget(NAME, [unit], states)
    plan = unit.execute(bytes.fromhex("9e13 0000000000000000 00000100 00 00"), nexus)
    assert isinstance(plan, Reply)
    assert plan.data[24:] == bytes.fromhex("00000001 02000102")
    assert plan.data[7] == 2


def test_blocks_that_are_not_there_have_no_segment(ask: Ask) -> None:
    assert ask("9e13 00000000000003e8 00000100 00 00") == Failed(out_of_range(1000))


def test_the_answer_is_cut_to_the_allocation_length(ask: Ask) -> None:
    assert ask("9e13 0000000000000000 00000003 00 00") == Reply(bytes(3))


def test_the_page_and_the_extended_inquiry_data_say_the_same(ask: Ask) -> None:
    assert ask("12 01 b3 0100 00") == Reply(bytes.fromhex("00b3000c") + bytes(12))
    extended = ask("12 01 86 0100 00")
    assert isinstance(extended, Reply)
    assert extended.data[8] & 0x10
