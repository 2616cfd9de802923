from __future__ import annotations

import pytest

from trioscsi.scsi import Done, Failed, Nexus, Refusal, Refused, Status
from trioscsi.scsi.complaints import WRITE_PROTECTED
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.operation import (
    INSUFFICIENT_RESOURCES,
    OPERATION_IN_PROGRESS,
    Cancelled,
    Operation,
    Operations,
    State,
)


@pytest.fixture
def copies() -> Operations:
    return Operations()


def begun(copies: Operations, nexus: Nexus, list_id: int | None) -> Operation:
    operation = Operation(0)
    copies.begin(nexus, list_id, operation)
    return operation


def refusal_of(copies: Operations, nexus: Nexus, list_id: int | None) -> object:
    with pytest.raises(Refusal) as refusal:
        begun(copies, nexus, list_id)
    return refusal.value.plan


def test_a_copy_ends_well_or_not() -> None:
    for outcome, state in (
        (Done(), State.COMPLETED),
        (Failed(WRITE_PROTECTED), State.COMPLETED_WITH_ERRORS),
    ):
        operation = Operation(0)
        assert operation.running
        assert operation.end(outcome) is outcome
        assert (operation.state, operation.outcome, operation.running) == (state, outcome, False)


def test_a_copy_that_is_aborted_is_terminated() -> None:
    operation = Operation(0)
    operation.terminate()
    assert (operation.state, operation.outcome) == (
        State.TERMINATED,
        Refused(Status.TASK_ABORTED),
    )
    ended = Operation(0)
    ended.end(Done())
    ended.terminate()
    assert ended.state is State.COMPLETED


def test_the_latest_data_are_held() -> None:
    operation = Operation(0)
    operation.hold(bytes(bounds.HELD - 1))
    assert not operation.discarded
    operation.hold(b"ab")
    assert operation.discarded
    assert operation.held == bytes(bounds.HELD - 2) + b"ab"


def test_data_that_nobody_keeps_are_held_for_a_failure() -> None:
    well, ill = Operation(0, keeps=False), Operation(0, keeps=False)
    for operation, outcome in ((well, Done()), (ill, Failed(WRITE_PROTECTED))):
        operation.hold(b"data")
        operation.end(outcome)
    assert (well.held, well.discarded) == (b"", True)
    assert (ill.held, ill.discarded) == (b"data", False)


def test_a_list_identifier_names_one_running_copy_of_a_nexus(
    copies: Operations, nexus: Nexus
) -> None:
    first = begun(copies, nexus, 1)
    assert refusal_of(copies, nexus, 1) == Failed(OPERATION_IN_PROGRESS)
    assert begun(copies, Nexus("other", "port"), 1) is not first
    assert copies.find(nexus, 1) is first
    copies.ended(first)
    second = begun(copies, nexus, 1)
    assert copies.find(nexus, 1) is second


def test_a_copy_without_a_list_identifier_is_not_found(copies: Operations, nexus: Nexus) -> None:
    begun(copies, nexus, None)
    begun(copies, nexus, None)
    assert copies.find(nexus, 0) is None


def test_so_many_copies_at_once(copies: Operations, nexus: Nexus) -> None:
    running = [begun(copies, nexus, None) for _ in range(bounds.CONCURRENT)]
    assert refusal_of(copies, nexus, 5) == Failed(INSUFFICIENT_RESOURCES)
    assert copies.find(nexus, 5) is None
    copies.ended(running[0])
    begun(copies, nexus, 5)


def test_the_oldest_of_too_many_ends_is_forgotten(copies: Operations, nexus: Nexus) -> None:
    goes_on = begun(copies, nexus, 0)
    for list_id in range(1, bounds.REMEMBERED + 2):
        copies.ended(begun(copies, nexus, list_id))
    assert copies.find(nexus, 0) is goes_on
    assert copies.find(nexus, 1) is copies.find(nexus, 2) is None
    assert copies.find(nexus, 3) is not None


def test_a_nexus_takes_its_copies_along(copies: Operations, nexus: Nexus) -> None:
    begun(copies, nexus, 1)
    copies.forget(nexus)
    copies.forget(nexus)
    assert copies.find(nexus, 1) is None


def test_all_copies_can_be_cancelled(copies: Operations, nexus: Nexus) -> None:
    operation = begun(copies, nexus, 1)
    operation.check()
    copies.reset()
    with pytest.raises(Cancelled):
        operation.check()


def test_the_oldest_of_too_many_that_hold_data_let_go_of_them(
    copies: Operations, nexus: Nexus
) -> None:
    ended = []
    for list_id in range(bounds.HOLDING + 1):
        operation = begun(copies, nexus, list_id)
        operation.hold(b"h")
        operation.end(Done())
        copies.ended(operation)
        copies.ended(begun(copies, nexus, 1000))  # which holds none
        ended.append(operation)
    assert [each.held for each in ended] == [b""] + [b"h"] * bounds.HOLDING
    assert [each.discarded for each in ended] == [True] + [False] * bounds.HOLDING
