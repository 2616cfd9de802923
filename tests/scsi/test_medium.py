from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import Failed, Flush, LogicalUnit, Nexus, Plan, Reply, Verify
from trioscsi.scsi.medium import CAPACITY_10, CAPACITY_16
from trioscsi.scsi.sense import invalid_field, out_of_range

Ask = Callable[[str], Plan]

VERIFY = {
    10: "2f {} 00000102 00 0004 00",
    12: "af {} 00000102 00000004 00 00",
    16: "8f {} 0000000000000102 00000004 00 00",
}
LENGTHS = pytest.mark.parametrize("length", VERIFY)


@LENGTHS
def test_verify_compares_nothing_all_blocks_or_one_for_all(ask: Ask, length: int) -> None:
    assert ask(VERIFY[length].format("00")) == Verify(258, 4, None, 0)
    assert ask(VERIFY[length].format("02")) == Verify(258, 4, "blocks", 2048)
    assert ask(VERIFY[length].format("06")) == Verify(258, 4, "one block", 512)
    assert ask(VERIFY[length].format("10")) == Verify(258, 4, None, 0)


@LENGTHS
def test_the_reserved_way_to_compare_is_refused(ask: Ask, length: int) -> None:
    assert ask(VERIFY[length].format("04")) == Failed(invalid_field(1, 2))


def test_verify_of_no_blocks_takes_no_data(ask: Ask) -> None:
    assert ask("2f 06 00000000 00 0000 00") == Verify(0, 0, "one block", 0)
    assert ask("2f 02 00000000 00 0000 00") == Verify(0, 0, "blocks", 0)


def test_verify_beyond_the_end_is_out_of_range(ask: Ask) -> None:
    assert ask("2f 02 000003e7 00 0002 00") == Failed(out_of_range(1000))
    assert ask("2f 02 000003e8 00 0000 00") == Failed(out_of_range(1000))


def test_verify_of_more_than_the_maximum_transfer_is_refused(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**20, maximum_transfer=65_536)
    plan = unit.execute(bytes.fromhex("8f 00 0000000000000000 00000081 00 00"), nexus)
    assert plan == Failed(invalid_field(10, 7))


@pytest.mark.parametrize(
    "cdb", ["35 {} 00000102 00 0004 00", "91 {} 0000000000000102 00000004 00 00"]
)
def test_synchronize_cache_flushes_what_it_names(ask: Ask, cdb: str) -> None:
    assert ask(cdb.format("00")) == Flush(258, 4, immediate=False)
    assert ask(cdb.format("02")) == Flush(258, 4, immediate=True)


def test_synchronize_cache_of_zero_blocks_reaches_to_the_end(ask: Ask) -> None:
    assert ask("35 00 00000102 00 0000 00") == Flush(258, 742, immediate=False)


def test_synchronize_cache_beyond_the_end_is_out_of_range(ask: Ask) -> None:
    assert ask("35 00 000003e7 00 0002 00") == Failed(out_of_range(1000))
    assert ask("35 00 000003e8 00 0000 00") == Failed(out_of_range(1000))


def test_synchronize_cache_is_not_bound_by_the_maximum_transfer(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**40)
    cdb = bytes.fromhex("91 00 0000000000000000 ffffffff 00 00")
    assert unit.execute(cdb, nexus) == Flush(0, 0xFFFFFFFF, immediate=False)


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
    assert fields["block_length"] == logical
