from __future__ import annotations

import attrs
import pytest

from tests.scsi.store import Blocks
from trioscsi.errors import BackendError
from trioscsi.scsi import (
    Done,
    Failed,
    LogicalUnit,
    Nexus,
    Outcome,
    Plan,
    Procedure,
    Refusal,
    Storage,
)
from trioscsi.scsi.blocks.cache import Flush
from trioscsi.scsi.complaints import (
    WRITE_PROTECTED,
    deferred,
    out_of_range,
    unrecovered_read,
    write_error,
)
from trioscsi.scsi.immediate import Immediate
from trioscsi.scsi.sense import Sense

READY = bytes(6)


@attrs.define
class Step(Procedure):
    """Ends as the test says, having noted the data that came."""

    outcome: Plan | Exception = attrs.field(factory=Done)
    data: bytes = b""

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        self.data = bytes(data)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome  # type: ignore[return-value]


@attrs.define
class ReadingStep(Step):
    reads = True


def test_the_answer_comes_first(unit: LogicalUnit, nexus: Nexus) -> None:
    storage = Blocks(unit)
    assert storage.perform(Immediate(Flush(), unit, nexus)) == Done()
    assert storage.steps == []
    storage.run_jobs()
    assert storage.steps == ["flush"]
    assert nexus.pending == {}


def test_the_data_are_kept_until_they_are_used(unit: LogicalUnit, nexus: Nexus) -> None:
    storage, step, data = Blocks(unit), Step(), bytearray(b"data")
    storage.perform(Immediate(step, unit, nexus, data_out=4), data)
    data[:] = b"gone"
    storage.run_jobs()
    assert step.data == b"data"


def test_if_too_much_goes_on_already_the_answer_comes_last(unit: LogicalUnit, nexus: Nexus) -> None:
    storage = Blocks(unit, busy=True)
    assert storage.perform(Immediate(Flush(), unit, nexus)) == Done()
    assert storage.steps == ["flush"]


@pytest.mark.parametrize(
    ("step", "sense"),
    [
        (Step(Failed(out_of_range(5))), out_of_range(5)),
        (Step(Refusal(WRITE_PROTECTED)), WRITE_PROTECTED),
        (Step(BackendError("broken")), write_error()),
        (ReadingStep(BackendError("broken")), unrecovered_read()),
    ],
)
def test_what_goes_wrong_later_is_told_to_who_asked_with_its_next_command(
    unit: LogicalUnit, nexus: Nexus, step: Step, sense: Sense
) -> None:
    storage = Blocks(unit)
    assert storage.perform(Immediate(step, unit, nexus)) == Done()
    if isinstance(step.outcome, BackendError):
        with pytest.raises(BackendError):
            storage.run_jobs()
    else:
        storage.run_jobs()
    assert unit.execute(READY, nexus) == Failed(deferred(sense))
    assert unit.execute(READY, nexus) == Done()
