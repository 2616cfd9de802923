"""The log pages of a disk (SPC-4 section 7.3; SBC-3 section 6.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.blocks.provisioning import is_thin
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.logs.page import Format, LogPage, Parameter, counter
from trioscsi.scsi.sense import AdditionalSense
from trioscsi.scsi.upkeep.self_test import KEPT, RESULT

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.logs.counters import Counters
    from trioscsi.scsi.storage import Storage

TEMPERATURE = layout(2, temperature=span(1))
BACKGROUND_SCAN_STATUS = layout(
    12,
    accumulated_power_on_minutes=span(0, 3),
    background_scan_status=span(5),
    number_of_background_scans_performed=span(6, 7),
    background_scan_progress=span(8, 9),
    number_of_background_medium_scans_performed=span(10, 11),
)
RESOURCE_COUNT = layout(8, resource_count=span(0, 3), scope=bits(4, 1, 0))
STATISTICS = layout(
    64,
    number_of_read_commands=span(0, 7),
    number_of_write_commands=span(8, 15),
    number_of_logical_blocks_received=span(16, 23),
    number_of_logical_blocks_transmitted=span(24, 31),
    read_command_processing_intervals=span(32, 39),
    write_command_processing_intervals=span(40, 47),
    weighted_number_of_commands=span(48, 55),
    weighted_command_processing=span(56, 63),
)
TIME_INTERVAL = layout(8, negative_exponent=span(0, 3), integer=span(4, 7))
INFORMATIONAL_EXCEPTIONS = layout(3, additional_sense=span(0, 1), temperature=span(2))

_UNKNOWN_TEMPERATURE = 0xFF
_OF_THE_UNIT, _OF_MORE_THAN_THE_UNIT = 0b01, 0b10
"""What a count of resources is about (SBC-3 section 6)."""
_ROOM = (1 << 64) - 1


def _errors(
    code: int, name: str, blocks: Callable[[Counters], int], failed: Callable[[Counters], int]
) -> LogPage:
    """An error counter page (SPC-4 section 7.3.8): storage corrects no error that we hear of."""
    parameters = (
        *(counter(parameter, 4, lambda _unit, _counters: 0) for parameter in range(5)),
        counter(0x0005, 8, lambda unit, counters: blocks(counters) * unit.block_size),
        counter(0x0006, 4, lambda _unit, counters: failed(counters)),
    )
    return LogPage(code, name, lambda _unit: parameters)


def _temperature(_unit: LogicalUnit, _counters: Counters) -> bytes:
    return TEMPERATURE.encode(temperature=_UNKNOWN_TEMPERATURE)


def _background_scan_status(unit: LogicalUnit, _counters: Counters) -> bytes:
    """No background scan is ever made: storage looks after itself."""
    minutes = int(unit.clock() - unit.powered_on) // 60
    return BACKGROUND_SCAN_STATUS.encode(accumulated_power_on_minutes=minutes)


def _statistics(_unit: LogicalUnit, counters: Counters) -> bytes:
    """The intervals are zero: no command is timed, as each one would have to pay for that."""
    return STATISTICS.encode(
        number_of_read_commands=counters.reads & _ROOM,
        number_of_write_commands=counters.writes & _ROOM,
        number_of_logical_blocks_received=counters.blocks_written & _ROOM,
        number_of_logical_blocks_transmitted=counters.blocks_read & _ROOM,
    )


def _idle_time(_unit: LogicalUnit, _counters: Counters) -> bytes:
    return bytes(8)


def _time_interval(_unit: LogicalUnit, _counters: Counters) -> bytes:
    """The length of an interval is zero too: no number of them says anything of time."""
    return TIME_INTERVAL.encode()


def _informational_exceptions(unit: LogicalUnit, _counters: Counters) -> bytes:
    """No failure is ever predicted, but in a test."""
    code = AdditionalSense.FAILURE_PREDICTION_THRESHOLD_EXCEEDED_FALSE
    return INFORMATIONAL_EXCEPTIONS.encode(
        additional_sense=code if unit.modes.prediction else 0, temperature=_UNKNOWN_TEMPERATURE
    )


def _page(code: int, name: str, *parameters: Parameter) -> LogPage:
    return LogPage(code, name, lambda _unit: parameters)


def _provisioning(
    unit: LogicalUnit, used: int | None = None, free: int | None = None
) -> tuple[Parameter, ...]:
    """What a unit takes where it lives, and what is left there, in bytes.

    They are told in threshold sets, as VPD page B2h says how large one is; what is not known is
    told as none, for the parameters of a page do not come and go.
    """
    counts = (free or 0, _OF_MORE_THAN_THE_UNIT), (used or 0, _OF_THE_UNIT)
    size = unit.block_size << unit.threshold_exponent
    return tuple(
        Parameter(code, _resources(min(count // size, 0xFFFFFFFF), scope))
        for code, (count, scope) in enumerate(counts, 1)
    )


def _resources(count: int, scope: int) -> Callable[[LogicalUnit, Counters], bytes]:
    data = RESOURCE_COUNT.encode(resource_count=count, scope=scope)
    return lambda _unit, _counters: data


async def _measured(unit: LogicalUnit, storage: Storage) -> LogPage:
    space = await storage.space()
    if space is None:
        return PROVISIONING
    parameters = _provisioning(unit, space.used, space.free)
    return attrs.evolve(PROVISIONING, parameters=lambda _unit: parameters)


PROVISIONING = LogPage(
    0x0C, "Logical Block Provisioning", _provisioning, measure=_measured, needs=is_thin
)


def _self_test_result(place: int) -> Parameter:
    """The parameter of the self-test that was begun so many tests ago."""

    def content(unit: LogicalUnit, _counters: Counters) -> bytes:
        results = unit.self_tests.results
        return results[place].encode() if place < len(results) else bytes(RESULT.length)

    return Parameter(1 + place, content)


PAGES = (
    _errors(0x02, "Write Error Counters", lambda c: c.blocks_written, lambda c: c.failed_writes),
    _errors(0x03, "Read Error Counters", lambda c: c.blocks_read, lambda c: c.failed_reads),
    _errors(
        0x05, "Verify Error Counters", lambda c: c.blocks_verified, lambda c: c.failed_verifies
    ),
    PROVISIONING,
    _page(0x0D, "Temperature", Parameter(0x0000, _temperature)),
    _page(0x10, "Self-Test Results", *map(_self_test_result, range(KEPT))),
    _page(0x15, "Background Scan", Parameter(0x0000, _background_scan_status)),
    _page(
        0x19,
        "General Statistics and Performance",
        Parameter(0x0001, _statistics, Format.COUNTER, resettable=True),
        Parameter(0x0002, _idle_time, Format.COUNTER, resettable=True),
        Parameter(0x0003, _time_interval),
    ),
    _page(0x2F, "Informational Exceptions", Parameter(0x0000, _informational_exceptions)),
)
