from __future__ import annotations

from collections.abc import Callable

from tests.scsi.cdbs import plain
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Nexus,
    Plan,
    Reply,
    Sense,
    SenseKey,
)
from trioscsi.scsi.complaints import NO_SENSE, START_REQUIRED, unit_attention
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.modes.pages import INFORMATIONAL_EXCEPTIONS_CONTROL

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


def test_every_command_on_the_medium_needs_a_started_unit(unit: LogicalUnit, nexus: Nexus) -> None:
    unit.thin = unit.stopped = True
    for command in DISK:
        assert (unit.execute(plain(command), nexus) == Failed(START_REQUIRED)) is command.medium


def exceptions(unit: LogicalUnit, **values: int) -> None:
    unit.modes.change({INFORMATIONAL_EXCEPTIONS_CONTROL.key: values})


def test_a_test_of_informational_exceptions_is_told_on_request(ask: Ask, unit: LogicalUnit) -> None:
    exceptions(unit, test=1)
    code = AdditionalSense.FAILURE_PREDICTION_THRESHOLD_EXCEEDED_FALSE
    predicted = Reply(Sense(SenseKey.NO_SENSE, code).encode())
    assert ask("03 00 0000 ff 00") == predicted
    for values in ({"dexcpt": 1}, {"dexcpt": 0, "mrie": 2}, {"mrie": 0}):
        exceptions(unit, **values)
        assert ask("03 00 0000 ff 00") == Reply(NO_SENSE.encode())
    assert ask("00") == Done()
