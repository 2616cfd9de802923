from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scsi.cdbs import plain
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Nexus,
    Plan,
    Read,
    Reply,
)
from trioscsi.scsi.cache import Flush
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.sense import NO_SENSE, START_REQUIRED, invalid_field, unit_attention

Ask = Callable[[str], Plan]


def test_a_unit_is_ready(ask: Ask) -> None:
    assert ask("00") == Done()


def test_request_sense_of_a_quiet_unit_is_no_sense(ask: Ask) -> None:
    assert ask("03 00 0000 ff 00") == Reply(NO_SENSE.encode())
    assert ask("03 01 0000 ff 00") == Reply(NO_SENSE.encode(descriptor=True))


def test_request_sense_is_cut_to_the_allocation_length(ask: Ask) -> None:
    for length in range(20):
        assert ask(f"03 00 0000 {length:02x} 00") == Reply(NO_SENSE.encode()[:length])


def test_request_sense_reports_a_unit_attention_as_data_once(ask: Ask, nexus: Nexus) -> None:
    code = AdditionalSense.CAPACITY_DATA_HAS_CHANGED
    nexus.establish(0, code)
    assert ask("03 00 0000 ff 00") == Reply(unit_attention(code).encode())
    assert ask("03 00 0000 ff 00") == Reply(NO_SENSE.encode())


def test_a_stop_makes_all_writes_durable(ask: Ask) -> None:
    assert ask("1b 00 0000 00 00") == Flush()
    assert ask("1b 01 0000 00 00") == Flush()
    assert ask("1b 00 0000 04 00") == Done()


def test_a_stopped_unit_waits_for_its_start(ask: Ask) -> None:
    ask("1b 00 0000 00 00")
    assert ask("00") == Failed(START_REQUIRED)
    assert ask("28 00 00000000 00 0001 00") == Failed(START_REQUIRED)
    assert ask("03 00 0000 ff 00") == Reply(START_REQUIRED.encode())
    assert isinstance(ask("12 00 0000 ff 00"), Reply)
    assert ask("1b 00 0000 01 00") == Done()
    assert ask("00") == Done()
    assert ask("28 00 00000000 00 0001 00") == Read(0, 1, fua=False)


def test_every_command_on_the_medium_needs_a_started_unit(unit: LogicalUnit, nexus: Nexus) -> None:
    unit.stopped = True
    for command in DISK:
        assert (unit.execute(plain(command), nexus) == Failed(START_REQUIRED)) is command.medium


@pytest.mark.parametrize(
    ("cdb", "byte", "bit"),
    [
        pytest.param("1b 00 0000 02 00", 4, 1, id="eject"),
        pytest.param("1b 00 0000 10 00", 4, 7, id="active"),
        pytest.param("1b 00 0000 b1 00", 4, 7, id="force standby"),
        pytest.param("1b 00 0001 01 00", 3, 3, id="a modifier"),
    ],
)
def test_what_no_virtual_disk_can_do_is_refused(ask: Ask, cdb: str, byte: int, bit: int) -> None:
    assert ask(cdb) == Failed(invalid_field(byte, bit))
