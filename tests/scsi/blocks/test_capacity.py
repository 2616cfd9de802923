from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import LogicalUnit, Nexus, Plan, Reply
from trioscsi.scsi.blocks.capacity import CAPACITY_10, CAPACITY_16

Ask = Callable[[str], Plan]


def test_the_capacity_is_the_last_block_and_its_length(ask: Ask) -> None:
    assert ask("25") == Reply(
        CAPACITY_10.encode(returned_logical_block_address=999, block_length=512)
    )
    plan = ask("9e 10 0000000000000000 00000020")
    assert isinstance(plan, Reply)
    fields = CAPACITY_16.decode(plan.data)
    assert fields.pop("returned_logical_block_address") == 999
    assert fields.pop("block_length") == 512
    assert not any(fields.values())


def test_a_thin_unit_says_so_and_that_unmapped_blocks_are_zeroes(
    ask: Ask, unit: LogicalUnit
) -> None:
    unit.thin = True
    plan = ask("9e 10 0000000000000000 00000020")
    assert isinstance(plan, Reply)
    fields = CAPACITY_16.decode(plan.data)
    assert (fields["lbpme"], fields["lbprz"]) == (1, 1)


@given(st.integers(0, 40))
def test_read_capacity_16_is_cut_to_the_allocation_length(length: int) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=7)
    cdb = bytes.fromhex("9e10") + bytes(8) + length.to_bytes(4, "big") + bytes(2)
    plan = unit.execute(cdb, Nexus("initiator", "target"))
    assert isinstance(plan, Reply)
    assert len(plan.data) == min(length, 32)


def test_a_medium_too_large_for_the_short_command_says_so(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**33)
    plan = unit.execute(bytes.fromhex("25" + "00" * 9), nexus)
    assert plan == Reply(bytes.fromhex("ffffffff 00000200"))


@pytest.mark.parametrize(("logical", "physical", "exponent"), [(512, 4096, 3), (4096, 4096, 0)])
def test_the_physical_block_size_is_an_exponent(
    nexus: Nexus, logical: int, physical: int, exponent: int
) -> None:
    unit = LogicalUnit(
        0, target_name="iqn.x", blocks=8, block_size=logical, physical_block_size=physical
    )
    plan = unit.execute(bytes.fromhex("9e10") + bytes(11) + b"\x20" + bytes(2), nexus)
    assert isinstance(plan, Reply)
    fields = CAPACITY_16.decode(plan.data)
    assert fields["logical_blocks_per_physical_block_exponent"] == exponent
    assert fields["lowest_aligned_logical_block_address"] == 0
    assert fields["block_length"] == logical
