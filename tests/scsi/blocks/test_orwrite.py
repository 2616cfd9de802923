from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.store import Blocks
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan
from trioscsi.scsi.blocks.orwrite import OrWrite, either
from trioscsi.scsi.complaints import WRITE_PROTECTED, invalid_field, out_of_range

Ask = Callable[[str], Plan]

TWO_AT_258 = "8b {:02x} 0000000000000102 00000002 00 00"


def test_orwrite_takes_its_blocks(ask: Ask) -> None:
    assert ask(TWO_AT_258.format(0)) == OrWrite(258, 2, fua=False, data_out=1024)
    assert ask(TWO_AT_258.format(0x18)) == OrWrite(258, 2, fua=True, data_out=1024)


def test_no_blocks_are_no_error(ask: Ask) -> None:
    assert ask("8b 00 0000000000000102 00000000 00 00") == Done()


def test_what_cannot_be_is_refused(ask: Ask, unit: LogicalUnit) -> None:
    assert ask("8b 20 0000000000000102 00000002 00 00") == Failed(invalid_field(1, 7))
    assert ask("8b 00 00000000000003e7 00000002 00 00") == Failed(out_of_range(1000))
    unit.read_only = True
    assert ask(TWO_AT_258.format(0)) == Failed(WRITE_PROTECTED)


def test_more_than_the_maximum_transfer_is_refused(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**20, maximum_transfer=65_536)
    plan = unit.execute(bytes.fromhex("8b 00 0000000000000000 00000081 00 00"), nexus)
    assert plan == Failed(invalid_field(10, 7))


def test_bits_are_set_while_nobody_else_has_the_blocks(unit: LogicalUnit, ask: Ask) -> None:
    blocks = Blocks(unit)
    blocks.data[258 * 512 : 260 * 512] = b"\x0f" * 1024
    assert blocks.perform(ask(TWO_AT_258.format(0x08)), b"\xa5" * 1024) == Done()
    assert blocks.data[258 * 512 : 260 * 512] == b"\xaf" * 1024
    assert blocks.steps == ["hold 258 2", "write 258 2", "let go 258 2", "flush"]


def test_many_bits_are_set_step_by_step(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2000)
    blocks = Blocks(unit)
    blocks.data[:] = b"\x0f" * 2000 * 512
    plan = unit.execute(bytes.fromhex("8b 00 0000000000000001 00000401 00 00"), nexus)
    assert blocks.perform(plan, b"\xa5" * 1025 * 512) == Done()
    assert blocks.data == b"\x0f" * 512 + b"\xaf" * 1025 * 512 + b"\x0f" * 974 * 512
    assert blocks.steps[1:-1] == ["write 1 512", "write 513 512", "write 1025 1"]


@pytest.mark.parametrize(("sent", "written"), [(1023, 1), (512, 1), (511, 0), (0, 0)])
def test_only_blocks_that_came_whole_are_written(
    unit: LogicalUnit, ask: Ask, sent: int, written: int
) -> None:
    blocks = Blocks(unit)
    assert blocks.perform(ask(TWO_AT_258.format(0)), b"\xff" * sent) == Done()
    assert blocks.data[258 * 512 : 260 * 512] == (b"\xff" * written * 512).ljust(1024, b"\0")


@given(st.integers(0, 40).flatmap(lambda n: st.tuples(*[st.binary(min_size=n, max_size=n)] * 2)))
def test_either_has_the_bits_of_both(pair: tuple[bytes, bytes]) -> None:
    assert either(*pair) == bytes(a | b for a, b in zip(*pair, strict=True))
