from __future__ import annotations

from collections.abc import Callable

from tests.scsi.store import Blocks
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan
from trioscsi.scsi.blocks.atomic import WriteAtomic
from trioscsi.scsi.complaints import (
    INVALID_COMMAND_OPERATION_CODE,
    WRITE_PROTECTED,
    invalid_field,
    out_of_range,
)

Ask = Callable[[str], Plan]

TWO_AT_258 = "9c {:02x} 0000000000000102 0000 0002 00 00"


def test_write_atomic_takes_its_blocks(ask: Ask) -> None:
    assert ask(TWO_AT_258.format(0)) == WriteAtomic(258, 2, fua=False, data_out=1024)
    assert ask(TWO_AT_258.format(0x18)) == WriteAtomic(258, 2, fua=True, data_out=1024)
    assert ask("9c 00 0000000000000102 0008 0002 00 00") == ask(TWO_AT_258.format(0))


def test_less_than_all_data_are_not_taken(ask: Ask) -> None:
    plan = ask(TWO_AT_258.format(0))
    assert isinstance(plan, WriteAtomic)
    assert plan.exact


def test_a_unit_that_cannot_has_no_such_command(ask: Ask, unit: LogicalUnit) -> None:
    unit.atomic = False
    assert ask(TWO_AT_258.format(0)) == Failed(INVALID_COMMAND_OPERATION_CODE)
    assert unit.maximum_atomic_blocks == 0


def test_what_cannot_be_is_refused(ask: Ask, unit: LogicalUnit) -> None:
    assert ask(TWO_AT_258.format(0x20)) == Failed(invalid_field(1, 7))
    assert ask("9c 00 00000000000003e7 0000 0002 00 00") == Failed(out_of_range(1000))
    assert ask("9c 00 00000000000003e8 0000 0000 00 00") == Failed(out_of_range(1000))
    unit.read_only = True
    assert ask(TWO_AT_258.format(0)) == Failed(WRITE_PROTECTED)


def test_its_length_and_its_boundary_have_limits(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**20, maximum_transfer=65_536, atomic=True)

    def ask(boundary: int, number: int) -> Plan:
        cdb = f"9c 00 0000000000000000 {boundary:04x} {number:04x} 00 00"
        return unit.execute(bytes.fromhex(cdb), nexus)

    assert unit.maximum_atomic_blocks == 128
    assert ask(128, 128) == WriteAtomic(0, 128, fua=False, data_out=65_536)
    assert ask(0, 129) == Failed(invalid_field(12, 7))
    assert ask(129, 1) == Failed(invalid_field(10, 7))


def test_no_blocks_are_no_error(unit: LogicalUnit, ask: Ask) -> None:
    blocks = Blocks(unit)
    assert blocks.perform(ask("9c 00 0000000000000102 0000 0000 00 00")) == Done()
    assert blocks.steps == []


def test_blocks_are_written_at_once_while_nobody_else_has_them(unit: LogicalUnit, ask: Ask) -> None:
    blocks = Blocks(unit)
    assert blocks.perform(ask(TWO_AT_258.format(0x08)), b"a" * 1024) == Done()
    assert blocks.data[258 * 512 : 260 * 512] == b"a" * 1024
    assert blocks.steps == [
        "hold 258 2",
        "write atomically 258 2",
        "let go 258 2",
        "flush",
    ]
