from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scsi.store import Blocks
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan
from trioscsi.scsi.blocks.same import WriteSame
from trioscsi.scsi.complaints import WRITE_PROTECTED, invalid_field, out_of_range
from trioscsi.scsi.logs.counters import Counters

Ask = Callable[[str], Plan]

WRITE_SAME = {  # flags, then the number of blocks, at LBA 258
    10: "41 {0:02x} 00000102 00 {1:04x} 00",
    16: "93 {0:02x} 0000000000000102 {1:08x} 00 00",
    32: "7f 00 00000000 00 18 000d {0:02x} 00 0000000000000102 00000000 0000 0000 {1:08x}",
}
UNMAP, ANCHOR, NDOB = 0x08, 0x10, 0x01
LENGTHS = pytest.mark.parametrize("length", WRITE_SAME)
FLAGS_BYTE = {10: 1, 16: 1, 32: 10}


@LENGTHS
def test_write_same_takes_one_block(unit: LogicalUnit, ask: Ask, length: int) -> None:
    assert ask(WRITE_SAME[length].format(0, 4)) == WriteSame(
        unit, 258, 4, unmap=False, data_out=512
    )


@LENGTHS
def test_no_number_is_not_all_up_to_the_last(unit: LogicalUnit, ask: Ask, length: int) -> None:
    unit.thin = True
    refused = Failed(invalid_field({10: 7, 16: 10, 32: 28}[length], 7))
    for flags in (0, UNMAP):
        assert ask(WRITE_SAME[length].format(flags, 0)) == refused


@pytest.mark.parametrize("length", [16, 32])
def test_without_a_data_out_buffer_nothing_is_taken(
    unit: LogicalUnit, ask: Ask, length: int
) -> None:
    assert ask(WRITE_SAME[length].format(NDOB, 4)) == WriteSame(
        unit, 258, 4, unmap=False, data_out=0
    )


@LENGTHS
def test_blocks_are_unmapped_where_they_can_be(unit: LogicalUnit, ask: Ask, length: int) -> None:
    cdb = WRITE_SAME[length].format(UNMAP, 4)
    assert ask(cdb) == Failed(invalid_field(FLAGS_BYTE[length], 3))
    unit.thin = True
    assert ask(cdb) == WriteSame(unit, 258, 4, unmap=True, data_out=512)


@LENGTHS
def test_nothing_can_be_anchored(unit: LogicalUnit, ask: Ask, length: int) -> None:
    unit.thin = True
    for flags in (ANCHOR, ANCHOR | UNMAP):
        refused = Failed(invalid_field(FLAGS_BYTE[length], 4))
        assert ask(WRITE_SAME[length].format(flags, 4)) == refused


@LENGTHS
def test_protection_information_is_refused(ask: Ask, length: int) -> None:
    refused = Failed(invalid_field(FLAGS_BYTE[length], 7))
    assert ask(WRITE_SAME[length].format(0x20, 4)) == refused


@LENGTHS
def test_a_read_only_unit_refuses_before_anything_else(
    unit: LogicalUnit, ask: Ask, length: int
) -> None:
    unit.read_only = True
    assert ask(WRITE_SAME[length].format(UNMAP, 4)) == Failed(WRITE_PROTECTED)


def test_blocks_beyond_the_end_are_out_of_range(ask: Ask) -> None:
    assert ask("41 00 000003e7 00 0002 00") == Failed(out_of_range(1000))
    assert ask("41 00 000003e8 00 0001 00") == Failed(out_of_range(1000))
    assert ask("93 00 ffffffffffffffff 00000000 00 00") == Failed(out_of_range(2**64 - 1))


@pytest.mark.parametrize(("number", "fits"), [(128, True), (129, False)])
def test_the_maximum_length_bounds_the_number(nexus: Nexus, number: int, fits: bool) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**20, maximum_same=65_536)
    plan = unit.execute(bytes.fromhex(WRITE_SAME[16].format(0, number)), nexus)
    if fits:
        assert plan == WriteSame(unit, 258, number, unmap=False, data_out=512)
    else:
        assert plan == Failed(invalid_field(10, 7))


def test_every_block_gets_the_data(unit: LogicalUnit, ask: Ask) -> None:
    blocks = Blocks(unit)
    assert blocks.perform(ask(WRITE_SAME[16].format(0, 4)), b"s" * 512) == Done()
    assert blocks.data == bytes(258 * 512) + b"s" * 4 * 512 + bytes(738 * 512)
    assert blocks.steps == ["write 258 4"]


@pytest.mark.parametrize(("flags", "data"), [(0, bytes(512)), (NDOB, b"")])
def test_zeroes_are_zeroed(unit: LogicalUnit, ask: Ask, flags: int, data: bytes) -> None:
    blocks = Blocks(unit)
    blocks.data[:] = b"o" * len(blocks.data)
    assert blocks.perform(ask(WRITE_SAME[16].format(flags, 4)), data) == Done()
    assert blocks.steps == ["zero 258 4"]


@pytest.mark.parametrize(("flags", "data"), [(UNMAP, bytes(512)), (UNMAP | NDOB, b"")])
def test_zeroes_need_no_space(unit: LogicalUnit, ask: Ask, flags: int, data: bytes) -> None:
    unit.thin = True
    blocks = Blocks(unit)
    assert blocks.perform(ask(WRITE_SAME[16].format(flags, 4)), data) == Done()
    assert blocks.steps == ["unmap 258 4"]


@pytest.mark.parametrize("data", [b"d" * 512, bytes(511) + b"\1"])
def test_what_unmapped_blocks_would_not_read_as_is_written(
    unit: LogicalUnit, ask: Ask, data: bytes
) -> None:
    unit.thin = True
    blocks = Blocks(unit)
    assert blocks.perform(ask(WRITE_SAME[16].format(UNMAP, 4)), data) == Done()
    assert blocks.steps == ["write 258 4"]
    assert blocks.data[258 * 512 : 262 * 512] == data * 4


@pytest.mark.parametrize(
    ("flags", "data", "counted"),
    [
        (0, b"d" * 512, Counters(writes=1, blocks_written=4)),
        (0, bytes(512), Counters(writes=1, blocks_written=4)),
        (NDOB, b"", Counters(writes=1, blocks_written=4)),
        (UNMAP, b"d" * 512, Counters(writes=1, blocks_written=4)),
        (UNMAP, bytes(512), Counters()),
        (UNMAP | NDOB, b"", Counters()),
    ],
)
def test_all_but_unmapping_counts_as_writing(
    unit: LogicalUnit, ask: Ask, flags: int, data: bytes, counted: Counters
) -> None:
    unit.thin = True
    Blocks(unit).perform(ask(WRITE_SAME[16].format(flags, 4)), data)
    assert unit.counters == counted


def test_many_blocks_are_written_in_pieces(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=5000)
    blocks = Blocks(unit)
    plan = unit.execute(bytes.fromhex("93 00 0000000000000001 00001387 00 00"), nexus)
    assert blocks.perform(plan, b"s" * 512) == Done()
    assert blocks.steps == ["write 1 2048", "write 2049 2048", "write 4097 903"]
    assert blocks.data == bytes(512) + b"s" * 4999 * 512


def test_no_more_is_written_than_every_length_of_the_command_can_say(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**20)
    plan = unit.execute(bytes.fromhex("93 00 0000000000000000 00010000 00 00"), nexus)
    assert plan == Failed(invalid_field(10, 7))
