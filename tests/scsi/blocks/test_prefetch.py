from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scsi.store import Blocks
from trioscsi.errors import BackendError
from trioscsi.scsi import Done, Failed, LogicalUnit, Met, Nexus, Plan
from trioscsi.scsi.blocks.prefetch import Prefetch
from trioscsi.scsi.complaints import invalid_field, out_of_range

Ask = Callable[[str], Plan]

PREFETCH = {10: "34 {:02x} 00000102 00 {:04x} 00", 16: "90 {:02x} 0000000000000102 {:08x} 00 00"}
LENGTHS = pytest.mark.parametrize("length", PREFETCH)


@LENGTHS
def test_blocks_are_named_and_none_means_the_rest(ask: Ask, length: int) -> None:
    assert ask(PREFETCH[length].format(0, 4)) == Prefetch(258, 4, immed=False, whole=True)
    assert ask(PREFETCH[length].format(2, 0)) == Prefetch(258, 742, immed=True, whole=True)


def test_blocks_beyond_the_end_are_out_of_range(ask: Ask) -> None:
    assert ask("34 00 000003e7 00 0002 00") == Failed(out_of_range(1000))
    assert ask("90 00 00000000000003e8 00000000 00 00") == Failed(out_of_range(1000))


def test_more_than_the_maximum_is_refused_and_the_rest_is_not_read_whole(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**20, maximum_transfer=65_536)

    def ask(number: int) -> Plan:
        return unit.execute(bytes.fromhex(PREFETCH[16].format(0, number)), nexus)

    assert ask(128) == Prefetch(258, 128, immed=False, whole=True)
    assert ask(129) == Failed(invalid_field(10, 7))
    assert ask(0) == Prefetch(258, 128, immed=False, whole=False)


def test_the_condition_is_met_when_all_blocks_were_read(unit: LogicalUnit) -> None:
    assert Blocks(unit).perform(Prefetch(0, 4, immed=False, whole=True)) == Met()
    assert Blocks(unit).perform(Prefetch(0, 4, immed=False, whole=False)) == Done()


def test_immediately_the_condition_is_met_if_they_are_going_to_be(unit: LogicalUnit) -> None:
    blocks = Blocks(unit)
    assert blocks.perform(Prefetch(0, 4, immed=True, whole=True)) == Met()
    assert len(blocks.jobs) == 1
    blocks.run_jobs()
    blocks.busy = True
    assert blocks.perform(Prefetch(0, 4, immed=True, whole=True)) == Done()


def test_what_cannot_be_read_is_not_met(unit: LogicalUnit) -> None:
    blocks = Blocks(unit)
    blocks.fails = {"read"}
    with pytest.raises(BackendError):
        blocks.perform(Prefetch(0, 4, immed=False, whole=True))
