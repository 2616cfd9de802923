from __future__ import annotations

from collections.abc import Callable

import pytest

from trioscsi.scsi import Failed, LogicalUnit, Nexus, Plan, Read, Write
from trioscsi.scsi.blocks.transfer import whole_blocks
from trioscsi.scsi.complaints import WRITE_PROTECTED, invalid_field, out_of_range

Ask = Callable[[str], Plan]

FOUR_AT_258 = {
    6: "{} 00 0102 04 00",
    10: "{} 00 00000102 00 0004 00",
    12: "{} 00 00000102 00000004 00 00",
    16: "{} 00 0000000000000102 00000004 00 00",
}
LONGEST = {  # flags, LBA, blocks
    "read": "7f 00 00000000 00 18 0009 {:02x} 00 {:016x} 00000000 0000 0000 {:08x}",
    "write": "7f 00 00000000 00 18 000b {:02x} 00 {:016x} 00000000 0000 0000 {:08x}",
}
READS = {6: "08", 10: "28", 12: "a8", 16: "88"}
WRITES = {6: "0a", 10: "2a", 12: "aa", 16: "8a"}
LENGTHS = pytest.mark.parametrize("length", [6, 10, 12, 16])
LONG = pytest.mark.parametrize("length", [10, 12, 16])


@LENGTHS
def test_read_of_all_lengths(ask: Ask, length: int) -> None:
    assert ask(FOUR_AT_258[length].format(READS[length])) == Read(258, 4, fua=False)


@LENGTHS
def test_write_of_all_lengths_asks_for_its_data(ask: Ask, length: int) -> None:
    assert ask(FOUR_AT_258[length].format(WRITES[length])) == Write(258, 4, False, 2048)


@LONG
def test_fua_is_passed_on_and_dpo_taken(ask: Ask, length: int) -> None:
    for flags, fua in (("08", True), ("10", False), ("18", True)):
        read = FOUR_AT_258[length].format(READS[length]).replace(" 00", f" {flags}", 1)
        write = FOUR_AT_258[length].format(WRITES[length]).replace(" 00", f" {flags}", 1)
        assert ask(read) == Read(258, 4, fua)
        assert ask(write) == Write(258, 4, fua, 2048)


def test_read_and_write_of_32_bytes(ask: Ask, unit: LogicalUnit) -> None:
    assert ask(LONGEST["read"].format(0x10, 258, 4)) == Read(258, 4, fua=False)
    assert ask(LONGEST["read"].format(0x08, 258, 4)) == Read(258, 4, fua=True)
    assert ask(LONGEST["write"].format(0x10, 258, 4)) == Write(258, 4, False, 2048)
    assert ask(LONGEST["write"].format(0x08, 258, 4)) == Write(258, 4, True, 2048)
    for cdb in LONGEST.values():
        assert ask(cdb.format(0x20, 258, 4)) == Failed(invalid_field(10, 7))
        assert ask(cdb.format(0, 999, 2)) == Failed(out_of_range(1000))
        assert ask(cdb.format(0, 1000, 0)) == Failed(out_of_range(1000))
    unit.read_only = True
    assert ask(LONGEST["write"].format(0, 258, 4)) == Failed(WRITE_PROTECTED)


def test_a_group_number_changes_nothing(ask: Ask) -> None:
    assert ask("28 00 00000102 1f 0004 00") == Read(258, 4, fua=False)
    assert ask("8a 00 0000000000000102 00000004 1f 00") == Write(258, 4, False, 2048)


@pytest.mark.parametrize(("sent", "whole"), [(0, 0), (511, 0), (512, 512), (1500, 1024)])
def test_of_the_data_that_came_whole_blocks_count(sent: int, whole: int) -> None:
    assert whole_blocks(memoryview(bytes(sent)), 512) == bytes(whole)


@LONG
@pytest.mark.parametrize("protect", range(1, 8))
def test_protection_information_is_refused(ask: Ask, length: int, protect: int) -> None:
    for opcode in (READS[length], WRITES[length]):
        cdb = FOUR_AT_258[length].format(opcode).replace(" 00", f" {protect << 5:02x}", 1)
        assert ask(cdb) == Failed(invalid_field(1, 7))


def test_the_last_block_can_be_read_and_the_next_cannot(ask: Ask) -> None:
    assert ask("28 00 000003e7 00 0001 00") == Read(999, 1, fua=False)
    assert ask("28 00 000003e7 00 0002 00") == Failed(out_of_range(1000))
    assert ask("28 00 000003e8 00 0001 00") == Failed(out_of_range(1000))
    assert ask("88 00 ffffffffffffffff 00000001 00 00") == Failed(out_of_range(2**64 - 1))
    assert ask("08 1fffff 01 00") == Failed(out_of_range(0x1FFFFF))
    assert ask("2a 00 000003e7 00 0002 00") == Failed(out_of_range(1000))
    assert ask("0a 0003e8 01 00") == Failed(out_of_range(1000))


def test_no_blocks_are_no_error_on_the_medium_and_one_beyond_it(ask: Ask) -> None:
    assert ask("28 00 000003e7 00 0000 00") == Read(999, 0, fua=False)
    assert ask("2a 00 00000000 00 0000 00") == Write(0, 0, False, 0)
    assert ask("28 00 000003e8 00 0000 00") == Failed(out_of_range(1000))
    assert ask("2a 00 ffffffff 00 0000 00") == Failed(out_of_range(0xFFFFFFFF))


def test_zero_in_the_short_commands_is_256_blocks(ask: Ask) -> None:
    assert ask("08 000000 00 00") == Read(0, 256, fua=False)
    assert ask("0a 000000 00 00") == Write(0, 256, False, 256 * 512)


def test_more_than_the_maximum_transfer_is_an_invalid_length(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**20, maximum_transfer=65_536)
    at_most, more = "0080", "0081"
    for opcode in ("28", "2a"):
        assert unit.execute(
            bytes.fromhex(f"{opcode} 00 00000000 00 {at_most} 00"), nexus
        ).__class__ in (Read, Write)
        assert unit.execute(bytes.fromhex(f"{opcode} 00 00000000 00 {more} 00"), nexus) == Failed(
            invalid_field(7, 7)
        )


@LENGTHS
def test_a_write_to_a_read_only_unit_is_refused(ask: Ask, unit: LogicalUnit, length: int) -> None:
    unit.read_only = True
    assert ask(FOUR_AT_258[length].format(WRITES[length])) == Failed(WRITE_PROTECTED)
    assert ask(FOUR_AT_258[length].format(READS[length])) == Read(258, 4, fua=False)


@pytest.mark.parametrize("opcode", ["08", "0a"])
def test_the_short_commands_are_bound_by_the_maximum_transfer_too(
    nexus: Nexus, opcode: str
) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**20, maximum_transfer=65_536)
    cdb = bytes.fromhex(f"{opcode} 000000 00 00")
    assert unit.execute(cdb, nexus) == Failed(invalid_field(4, 7))
