from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scsi.store import Blocks
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan
from trioscsi.scsi.blocks.verify import Verify, WriteAndVerify
from trioscsi.scsi.complaints import WRITE_PROTECTED, invalid_field, miscompare, out_of_range
from trioscsi.scsi.storage import Buffer

Ask = Callable[[str], Plan]

VERIFY = {
    10: "2f {} 00000102 00 0004 00",
    12: "af {} 00000102 00000004 00 00",
    16: "8f {} 0000000000000102 00000004 00 00",
    32: "7f 00 00000000 00 18 000a {} 00 0000000000000102 00000000 0000 0000 00000004",
}
WRITE_AND_VERIFY = {
    10: "2e {} 00000102 00 0004 00",
    12: "ae {} 00000102 00000004 00 00",
    16: "8e {} 0000000000000102 00000004 00 00",
    32: "7f 00 00000000 00 18 000c {} 00 0000000000000102 00000000 0000 0000 00000004",
}
FLAGS_BYTE = {10: 1, 12: 1, 16: 1, 32: 10}
LENGTHS = pytest.mark.parametrize("length", VERIFY)


@LENGTHS
def test_verify_compares_nothing_all_blocks_or_one_for_all(ask: Ask, length: int) -> None:
    assert ask(VERIFY[length].format("00")) == Verify(258, 4, None, 0)
    assert ask(VERIFY[length].format("02")) == Verify(258, 4, "blocks", 2048)
    assert ask(VERIFY[length].format("06")) == Verify(258, 4, "one block", 512)
    assert ask(VERIFY[length].format("10")) == Verify(258, 4, None, 0)


@LENGTHS
def test_the_reserved_way_to_compare_is_refused(ask: Ask, length: int) -> None:
    assert ask(VERIFY[length].format("04")) == Failed(invalid_field(FLAGS_BYTE[length], 2))


def test_verify_of_no_blocks_takes_no_data(ask: Ask) -> None:
    assert ask("2f 06 00000000 00 0000 00") == ask("2f 02 00000000 00 0000 00") == Done()


def test_verify_beyond_the_end_is_out_of_range(ask: Ask) -> None:
    assert ask("2f 02 000003e7 00 0002 00") == Failed(out_of_range(1000))
    assert ask("2f 02 000003e8 00 0000 00") == Failed(out_of_range(1000))


def test_verify_of_more_than_the_maximum_transfer_is_refused(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**20, maximum_transfer=65_536)
    plan = unit.execute(bytes.fromhex("8f 00 0000000000000000 00000081 00 00"), nexus)
    assert plan == Failed(invalid_field(10, 7))


@pytest.mark.parametrize(
    ("flags", "data"),
    [
        ("00", b""),
        ("02", b"v" * 2048),
        ("06", b"v" * 512),
        ("02", b"v" * 700),
        ("06", b"v" * 100),
    ],
)
def test_what_is_there_is_verified(unit: LogicalUnit, ask: Ask, flags: str, data: bytes) -> None:
    blocks = Blocks(unit)
    blocks.data[:] = b"v" * len(blocks.data)
    assert blocks.perform(ask(VERIFY[10].format(flags)), data) == Done()


def test_a_part_of_one_block_is_not_compared_with_what_follows(unit: LogicalUnit, ask: Ask) -> None:
    blocks, block = Blocks(unit), bytes(range(256)) * 2
    blocks.data[258 * 512 : 262 * 512] = block * 4
    assert blocks.perform(ask(VERIFY[10].format("06")), block[:100]) == Done()


@pytest.mark.parametrize(("flags", "data"), [("02", b"v" * 2048), ("06", b"v" * 512)])
def test_a_difference_is_told_by_its_offset(
    unit: LogicalUnit, ask: Ask, flags: str, data: bytes
) -> None:
    blocks = Blocks(unit)
    blocks.data[:] = b"v" * len(blocks.data)
    blocks.data[258 * 512 + 1000] = 0
    assert blocks.perform(ask(VERIFY[10].format(flags)), data) == Failed(miscompare(1000))


# WRITE AND VERIFY.


@LENGTHS
def test_what_is_written_is_read_back_and_may_be_compared(ask: Ask, length: int) -> None:
    cdb = WRITE_AND_VERIFY[length]
    assert ask(cdb.format("00")) == WriteAndVerify(258, 4, compare=False, data_out=2048)
    assert ask(cdb.format("12")) == WriteAndVerify(258, 4, compare=True, data_out=2048)


@LENGTHS
@pytest.mark.parametrize(("flags", "bit"), [("04", 2), ("06", 2), ("08", 3), ("20", 7)])
def test_one_block_cannot_stand_for_all_that_are_written(
    ask: Ask, length: int, flags: str, bit: int
) -> None:
    refused = Failed(invalid_field(FLAGS_BYTE[length], bit))
    assert ask(WRITE_AND_VERIFY[length].format(flags)) == refused


@LENGTHS
def test_a_read_only_unit_refuses_to_write_and_verify(
    unit: LogicalUnit, ask: Ask, length: int
) -> None:
    unit.read_only = True
    assert ask(WRITE_AND_VERIFY[length].format("02")) == Failed(WRITE_PROTECTED)
    assert ask(VERIFY[length].format("00")) == Verify(258, 4, None, 0)


def test_write_and_verify_is_bound_as_write_is(ask: Ask) -> None:
    assert ask("2e 00 000003e7 00 0002 00") == Failed(out_of_range(1000))
    assert ask("2e 00 000003e7 00 0000 00") == Done()


@pytest.mark.parametrize("flags", ["00", "02"])
@pytest.mark.parametrize(("sent", "written"), [(2048, 4), (1500, 2), (511, 0)])
def test_blocks_that_came_whole_are_written_durably_and_read_back(
    unit: LogicalUnit, ask: Ask, flags: str, sent: int, written: int
) -> None:
    blocks = Blocks(unit)
    assert blocks.perform(ask(WRITE_AND_VERIFY[10].format(flags)), b"w" * sent) == Done()
    assert blocks.data[258 * 512 : 262 * 512] == (b"w" * written * 512).ljust(2048, b"\0")
    assert blocks.steps == [
        f"hold 258 {written}",
        f"write 258 {written}",
        "flush",
        f"let go 258 {written}",
    ] * bool(written)


def test_what_reads_back_otherwise_is_a_miscompare(unit: LogicalUnit, ask: Ask) -> None:
    class Forgetful(Blocks):
        async def read(self, lba: int, blocks: int) -> Buffer:
            return b"w" * 700 + bytes(blocks * 512 - 700)

    blocks = Forgetful(unit)
    cdb = WRITE_AND_VERIFY[10]
    assert blocks.perform(ask(cdb.format("02")), b"w" * 2048) == Failed(miscompare(700))
    assert blocks.perform(ask(cdb.format("00")), b"w" * 2048) == Done()
