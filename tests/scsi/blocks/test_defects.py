from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.store import Blocks
from trioscsi.errors import BackendError
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan, Receive, Reply
from trioscsi.scsi.blocks.defects import Reassign
from trioscsi.scsi.complaints import (
    PARAMETER_LIST_LENGTH_ERROR,
    WRITE_PROTECTED,
    invalid_field,
    out_of_range,
)

Ask = Callable[[str], Plan]


@pytest.mark.parametrize("form", range(7))
def test_the_lists_of_defects_are_empty_in_every_format(ask: Ask, form: int) -> None:
    for lists in (0x00, 0x08, 0x10, 0x18):
        flags = lists | form
        assert ask(f"37 00 {flags:02x} 00000000 0020 00") == Reply(bytes((0, flags, 0, 0)))
        assert ask(f"b7 {flags:02x} 00000000 00000020 00 00") == Reply(
            bytes((0, flags, 0, 0, 0, 0, 0, 0))
        )


def test_a_format_that_there_is_not_is_refused(ask: Ask) -> None:
    assert ask("37 00 07 00000000 0020 00") == Failed(invalid_field(2, 2))
    assert ask("b7 07 00000000 00000020 00 00") == Failed(invalid_field(1, 2))


def test_an_address_beyond_the_list_finds_nothing(ask: Ask) -> None:
    assert ask("b7 08 00000007 00000020 00 00") == Reply(b"\0\x08" + bytes(6))


def test_the_answer_is_cut_to_the_allocation_length(ask: Ask) -> None:
    assert ask("37 00 18 00000000 0002 00") == Reply(b"\0\x18")
    assert ask("b7 18 00000000 00000003 00 00") == Reply(b"\0\x18\0")


# REASSIGN BLOCKS.


def reassigning(ask: Ask, data: bytes, flags: int = 0) -> Plan:
    plan = ask(f"07 {flags:02x} 0000 00 00")
    assert isinstance(plan, Receive)
    assert plan.open_ended
    return plan.received(data)


@pytest.mark.parametrize(
    ("flags", "data"),
    [
        (0, "0000 0008 00000007 00000003"),
        (1, "00000008 00000007 00000003"),
        (2, "0000 0010 0000000000000007 0000000000000003"),
        (3, "00000010 0000000000000007 0000000000000003"),
    ],
)
def test_blocks_to_reassign_are_listed_in_four_ways(ask: Ask, flags: int, data: str) -> None:
    assert reassigning(ask, bytes.fromhex(data), flags) == Reassign([7, 3])


def test_a_block_that_can_be_read_stays_as_it_is(ask: Ask, unit: LogicalUnit) -> None:
    blocks = Blocks(unit)
    blocks.data[:] = b"x" * len(blocks.data)
    plan = reassigning(ask, bytes.fromhex("0000 0004 00000007"))
    assert blocks.perform(plan) == Done()
    assert blocks.steps == ["hold 7 1", "let go 7 1"]
    blocks.fails = {"read"}
    assert blocks.perform(plan) == Done()
    assert blocks.data[6 * 512 : 9 * 512] == b"x" * 512 + bytes(512) + b"x" * 512


def test_a_block_that_cannot_be_written_either_is_told(ask: Ask, unit: LogicalUnit) -> None:
    blocks = Blocks(unit, fails={"read", "zero"})
    with pytest.raises(BackendError):
        blocks.perform(reassigning(ask, bytes.fromhex("0000 0004 00000007")))


def test_no_blocks_are_reassigned_at_once(ask: Ask) -> None:
    assert reassigning(ask, bytes(4)) == Done()


@pytest.mark.parametrize(
    "data", ["", "000000", "0000 0008 00000007", "0000 0006 00000007 0003", "0000 0004 000000"]
)
def test_a_list_of_another_length_than_it_says_is_refused(ask: Ask, data: str) -> None:
    assert reassigning(ask, bytes.fromhex(data)) == Failed(PARAMETER_LIST_LENGTH_ERROR)


def test_blocks_that_are_not_there_are_not_reassigned(ask: Ask) -> None:
    plan = reassigning(ask, bytes.fromhex("0000 0008 00000007 000003e8"))
    assert plan == Failed(out_of_range(1000))


def test_a_write_protected_unit_reassigns_nothing(ask: Ask, unit: LogicalUnit) -> None:
    unit.read_only = True
    assert ask("07 00 0000 00 00") == Failed(WRITE_PROTECTED)


@given(st.binary(max_size=40), st.integers(0, 3))
def test_no_list_of_blocks_to_reassign_is_an_exception(data: bytes, flags: int) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1000)

    def ask(cdb: str) -> Plan:
        return unit.execute(bytes.fromhex(cdb).ljust(16, b"\0"), Nexus("initiator", "target"))

    assert isinstance(reassigning(ask, data, flags), Reassign | Done | Failed)
