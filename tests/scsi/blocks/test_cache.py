from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scsi.store import Blocks
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan
from trioscsi.scsi.blocks.cache import Flush
from trioscsi.scsi.complaints import out_of_range
from trioscsi.scsi.immediate import Immediate

Ask = Callable[[str], Plan]


@pytest.mark.parametrize(
    "cdb", ["35 {} 00000102 00 0004 00", "91 {} 0000000000000102 00000004 00 00"]
)
def test_synchronize_cache_flushes(unit: LogicalUnit, ask: Ask, cdb: str) -> None:
    blocks = Blocks(unit)
    assert blocks.perform(ask(cdb.format("00"))) == Done()
    assert blocks.steps == ["flush"]


@pytest.mark.parametrize(
    "cdb", ["35 02 00000102 00 0004 00", "91 02 0000000000000102 00000004 00 00"]
)
def test_synchronize_cache_may_be_answered_before_the_flush(
    unit: LogicalUnit, nexus: Nexus, ask: Ask, cdb: str
) -> None:
    assert ask(cdb) == Immediate(Flush(), unit, nexus)


def test_synchronize_cache_of_zero_blocks_reaches_to_the_end(ask: Ask) -> None:
    assert ask("35 00 00000102 00 0000 00") == Flush()


def test_synchronize_cache_beyond_the_end_is_out_of_range(ask: Ask) -> None:
    assert ask("35 00 000003e7 00 0002 00") == Failed(out_of_range(1000))
    assert ask("35 00 000003e8 00 0000 00") == Failed(out_of_range(1000))


def test_synchronize_cache_is_not_bound_by_the_maximum_transfer(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**40)
    cdb = bytes.fromhex("91 00 0000000000000000 ffffffff 00 00")
    assert unit.execute(cdb, nexus) == Flush()


def test_a_unit_without_a_cache_has_nothing_to_flush(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=8, write_cache=False)
    for immed in ("00", "02"):
        assert unit.execute(bytes.fromhex(f"35 {immed}" + "00" * 8), nexus) == Done()
