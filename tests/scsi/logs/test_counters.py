from __future__ import annotations

from collections.abc import Callable

import pytest

from trioscsi.scsi import Done, LogicalUnit, Plan, Procedure, Read, Write
from trioscsi.scsi.blocks.cache import Flush
from trioscsi.scsi.blocks.verify import Verify
from trioscsi.scsi.logs.counters import Counters

Ask = Callable[[str], Plan]


@pytest.mark.parametrize(
    ("cdb", "counted"),
    [
        pytest.param("08 000001 00", Counters(reads=1, blocks_read=256), id="READ(6)"),
        pytest.param("0a 000001 03", Counters(writes=1, blocks_written=3), id="WRITE(6)"),
        pytest.param("28 00 00000001 00 0004", Counters(reads=1, blocks_read=4), id="READ(10)"),
        pytest.param("28 00 00000001 00 0000", Counters(reads=1), id="READ(10) of nothing"),
        pytest.param(
            "2a 00 00000001 00 0004", Counters(writes=1, blocks_written=4), id="WRITE(10)"
        ),
        pytest.param("a8 00 00000001 00000005", Counters(reads=1, blocks_read=5), id="READ(12)"),
        pytest.param(
            "8a 00 0000000000000001 00000006", Counters(writes=1, blocks_written=6), id="WRITE(16)"
        ),
        pytest.param(
            "2f 00 00000001 00 0007", Counters(verifies=1, blocks_verified=7), id="VERIFY(10)"
        ),
        pytest.param(
            "2e 00 00000001 00 0008",
            Counters(writes=1, blocks_written=8, verifies=1, blocks_verified=8),
            id="WRITE AND VERIFY(10)",
        ),
        pytest.param(
            "89 00 0000000000000001 000000 02", Counters(writes=1, blocks_written=2), id="COMPARE"
        ),
        pytest.param(
            "8b 00 0000000000000001 00000003", Counters(writes=1, blocks_written=3), id="ORWRITE"
        ),
        pytest.param(
            "7f000000000000180009 0000 0000000000000001 0000000000000000 00000004",
            Counters(reads=1, blocks_read=4),
            id="READ(32)",
        ),
        pytest.param(
            "7f00000000000018000b 0000 0000000000000001 0000000000000000 00000004",
            Counters(writes=1, blocks_written=4),
            id="WRITE(32)",
        ),
        pytest.param("28 00 ffffffff 00 0004", Counters(), id="what is refused"),
        pytest.param("00", Counters(), id="what moves no blocks"),
    ],
)
def test_commands_are_counted_with_their_blocks(
    ask: Ask, unit: LogicalUnit, cdb: str, counted: Counters
) -> None:
    ask(cdb)
    assert unit.counters == counted


@pytest.mark.parametrize(
    ("plan", "counted"),
    [
        (Read(0, 1, fua=False), Counters(failed_reads=1)),
        (Write(0, 1, False, 512), Counters(failed_writes=1)),
        (Verify(0, 1, None, 0), Counters(failed_verifies=1)),
        (Flush(), Counters(failed_writes=1)),
        (Procedure(), Counters(failed_writes=1)),
    ],
)
def test_what_storage_fails_is_counted_by_what_it_was_for(plan: Plan, counted: Counters) -> None:
    counters = Counters()
    counters.failed(plan)
    assert counters == counted


def test_a_procedure_that_only_reads_fails_as_a_read() -> None:
    class Reading(Procedure):
        reads = True

    counters = Counters()
    counters.failed(Reading())
    assert counters == Counters(failed_reads=1)


def test_a_difference_is_what_was_counted_in_between(ask: Ask, unit: LogicalUnit) -> None:
    ask("28 00 00000001 00 0004")
    before = Counters(reads=1, blocks_read=4)
    assert unit.counters - before == Counters()
    assert ask("2f 00 00000001 00 0000") == Done()
    assert unit.counters - before == Counters(verifies=1)
