from __future__ import annotations

import pytest

from trioscsi.scsi import LogicalUnit
from trioscsi.scsi.logs.page import PARAMETER_HEADER, PageControl
from trioscsi.scsi.logs.pages import BACKGROUND_SCAN_STATUS, PAGES, STATISTICS


def values(unit: LogicalUnit, code: int) -> dict[int, bytes]:
    """The parameters of a page by code."""
    (page,) = (page for page in PAGES if page.code == code)
    data = page.encode(unit, PageControl.CUMULATIVE)
    assert data is not None
    assert int.from_bytes(data[2:4], "big") == len(data) - 4
    rest, found = data[4:], {}
    while rest:
        head = PARAMETER_HEADER.decode(rest)
        end = 4 + head["parameter_length"]
        found[head["parameter_code"]] = rest[4:end]
        rest = rest[end:]
    return found


@pytest.mark.parametrize(
    ("code", "blocks", "errors"),
    [
        (0x02, "blocks_written", "failed_writes"),
        (0x03, "blocks_read", "failed_reads"),
        (0x05, "blocks_verified", "failed_verifies"),
    ],
)
def test_bytes_and_errors_are_counted_and_corrections_are_not(
    unit: LogicalUnit, code: int, blocks: str, errors: str
) -> None:
    setattr(unit.counters, blocks, 2**33)
    setattr(unit.counters, errors, 5)
    found = values(unit, code)
    assert [found[parameter] for parameter in range(5)] == [bytes(4)] * 5
    assert found[5] == (2**33 * 512).to_bytes(8, "big")
    assert found[6] == b"\0\0\0\5"


def test_the_statistics_are_those_of_reads_and_writes(unit: LogicalUnit) -> None:
    unit.counters.read(7)
    unit.counters.wrote(3)
    unit.counters.wrote(4)
    fields = STATISTICS.decode(values(unit, 0x19)[1])
    assert {name: value for name, value in fields.items() if value} == {
        "number_of_read_commands": 1,
        "number_of_write_commands": 2,
        "number_of_logical_blocks_received": 7,
        "number_of_logical_blocks_transmitted": 7,
    }


def test_a_test_of_informational_exceptions_is_told(unit: LogicalUnit) -> None:
    unit.modes.test = 1
    assert values(unit, 0x2F) == {0: b"\x5d\xff\xff"}


def test_no_time_is_measured(unit: LogicalUnit) -> None:
    found = values(unit, 0x19)
    assert (found[2], found[3]) == (bytes(8), bytes(8))


def test_the_temperature_is_not_known(unit: LogicalUnit) -> None:
    assert values(unit, 0x0D) == {0: b"\x00\xff"}
    assert values(unit, 0x2F) == {0: b"\x00\x00\xff"}


def test_the_minutes_since_power_on_are_told_and_no_scan_is_made() -> None:
    now = 1000.0
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1, clock=lambda: now)
    now += 60 * 61 + 59
    fields = BACKGROUND_SCAN_STATUS.decode(values(unit, 0x15)[0])
    assert fields.pop("accumulated_power_on_minutes") == 61
    assert not any(fields.values())
