from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import pytest

from tests.scsi.copy.world import World
from tests.scsi.store import at_once
from trioscsi.errors import BackendError
from trioscsi.scsi import Done, Failed, Outcome, Refusal, Refused, Status, Storage
from trioscsi.scsi.complaints import WRITE_PROTECTED
from trioscsi.scsi.copy.operation import (
    INSUFFICIENT_RESOURCES,
    OPERATION_IN_PROGRESS,
    Cancelled,
    Operation,
    State,
)
from trioscsi.scsi.copy.runner import Copy


@attrs.define(kw_only=True)
class Ends(Copy):
    """A copy that ends as it is told to."""

    error: BaseException | None = None
    operation: Operation = attrs.field(factory=lambda: Operation(0))

    def begin(self) -> Operation:
        return self.operation

    async def copy(self, storage: Storage, operation: Operation) -> None:
        assert operation.running
        if self.error is not None:
            raise self.error


@pytest.fixture
def make(world: World) -> Callable[..., Ends]:
    def make(error: BaseException | None = None, **more: bool) -> Ends:
        unit = world.target.units[0]
        return Ends(unit=unit, nexus=world.nexus, list_id=1, error=error, **more)

    return make


Make = Callable[..., Ends]


def perform(world: World, copy: Ends) -> Outcome:
    return world.disks[0].perform(copy)


def refusal(cause: BaseException | None = None) -> Refusal:
    error = Refusal(WRITE_PROTECTED)
    error.__cause__ = cause
    return error


def test_a_copy_is_listed_and_ends(world: World, make: Make) -> None:
    copy = make()
    assert perform(world, copy) == Done()
    assert copy.operation.state is State.COMPLETED
    assert world.target.units[0].copies.find(world.nexus, 1) is copy.operation


def test_a_copy_that_is_refused_says_why(world: World, make: Make) -> None:
    copy = make(refusal())
    assert perform(world, copy) == Failed(WRITE_PROTECTED)
    assert copy.operation.outcome == Failed(WRITE_PROTECTED)
    assert copy.operation.state is State.COMPLETED_WITH_ERRORS


def test_a_copy_that_another_command_ends_is_aborted(world: World, make: Make) -> None:
    copy = make(Cancelled())
    assert perform(world, copy) == Refused(Status.TASK_ABORTED)
    assert copy.operation.state is State.TERMINATED


def test_a_copy_whose_command_is_given_up_has_ended(world: World, make: Make) -> None:
    copy = make(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        perform(world, copy)
    assert copy.operation.state is State.TERMINATED
    assert perform(world, make()) == Done()


def test_a_list_identifier_in_use_is_refused(world: World, make: Make) -> None:
    assert perform(world, make(immed=True)) == Done()
    assert perform(world, make()) == Failed(OPERATION_IN_PROGRESS)
    world.disks[0].run_jobs()
    assert perform(world, make()) == Done()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, State.COMPLETED),
        (refusal(), State.COMPLETED_WITH_ERRORS),
        (Cancelled(), State.TERMINATED),
    ],
)
def test_a_copy_goes_on_after_its_answer(
    world: World, make: Make, error: BaseException | None, state: State
) -> None:
    copy = make(error, immed=True)
    assert perform(world, copy) == Done()
    assert copy.operation.state is State.IN_BACKGROUND
    world.disks[0].run_jobs()
    assert copy.operation.state is state


def test_the_log_hears_what_storage_said_to_a_copy_in_the_background(
    world: World, make: Make
) -> None:
    copy = make(refusal(BackendError("the disk is gone")), immed=True)
    assert perform(world, copy) == Done()
    job: Callable[[], Awaitable[None]] = world.disks[0].jobs[0]

    async def run() -> None:
        await job()

    with pytest.raises(BackendError, match="gone"):
        at_once(run())
    assert copy.operation.outcome == Failed(WRITE_PROTECTED)


def test_so_many_copies_go_on_in_the_background(world: World, make: Make) -> None:
    world.disks[0].busy = True
    copy = make(immed=True)
    assert perform(world, copy) == Failed(INSUFFICIENT_RESOURCES)
    assert not copy.operation.running
    assert perform(world, make()) == Done()
