from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.copy.world import World, blocks, lid1, lid4, out
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    Receive,
    Refused,
    Sense,
    SenseKey,
    Status,
)
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_field, invalid_parameter
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.extended import ExtendedCopy
from trioscsi.scsi.copy.parameters import parse_lid1, parse_lid4


def test_a_copy_is_made_from_its_parameter_list(world: World) -> None:
    data = lid1(world.named(0, 1), blocks(8), list_id=7)
    plan = world.plan(out(0, len(data)))
    assert isinstance(plan, Receive)
    assert plan.received(data) == ExtendedCopy(
        unit=world.target.units[0],
        nexus=world.nexus,
        list_id=7,
        action=0,
        request=parse_lid1(data),
    )
    data = lid4(world.named(0, 1), blocks(8), list_id=2**32 - 1, immed=1)
    plan = world.plan(out(1, len(data)))
    assert isinstance(plan, Receive)
    assert plan.received(data) == ExtendedCopy(
        unit=world.target.units[0],
        nexus=world.nexus,
        list_id=2**32 - 1,
        immed=True,
        action=1,
        request=parse_lid4(data),
    )


@pytest.mark.parametrize(("action", "make"), [(0, lid1), (1, lid4)])
def test_both_forms_copy(world: World, action: int, make: Callable[..., bytes]) -> None:
    assert world.copy(make(world.named(0, 1), blocks(8)), action=action) == Done()
    assert world.disks[1].data[:4096] == world.disks[0].data[:4096]


def test_good_status_comes_with_sense_data_if_that_is_asked_for_and_understood(
    world: World,
) -> None:
    data = lid4(world.named(0, 1), blocks(8), g_sense=1)
    assert world.copy(data, action=1) == Failed(invalid_parameter(15, 1))
    assert world.disks[1].steps == []
    world.nexus.sense_with_any_status = True
    sense = Sense(SenseKey.COMPLETED, AdditionalSense.EXTENDED_COPY_INFORMATION_AVAILABLE)
    assert world.copy(data, action=1) == Done(sense)
    assert world.disks[1].data[:4096] == world.disks[0].data[:4096]


@pytest.mark.parametrize("action", [0, 1])
def test_no_parameter_list_is_no_copy(world: World, action: int) -> None:
    assert world.plan(out(action, 0)) == Done()


@pytest.mark.parametrize(("action", "header"), [(0, 16), (1, 48)])
def test_a_list_has_a_header_and_so_many_descriptors_at_most(
    world: World, action: int, header: int
) -> None:
    most = header + bounds.DESCRIPTORS_LENGTH
    for length in (1, header - 1, most + 1, 2**32 - 1):
        assert world.plan(out(action, length)) == Failed(PARAMETER_LIST_LENGTH_ERROR)
    for length in (header, most):
        plan = world.plan(out(action, length))
        assert isinstance(plan, Receive)
        assert plan.data_out == length


def test_a_list_that_comes_in_part_is_refused(world: World) -> None:
    data = lid1(world.named(0, 1), blocks(8))
    assert world.do(out(0, len(data)), data[:-1]) == Failed(PARAMETER_LIST_LENGTH_ERROR)
    assert world.disks[1].steps == []


def test_a_copy_that_does_not_run_cannot_be_aborted(world: World) -> None:
    abort = bytes.fromhex("83 1c 00000007 0000000000000000 00 00")
    assert world.do(abort) == Failed(invalid_field(2, 7))


def test_a_copy_is_aborted_by_its_list_identifier(world: World) -> None:
    data = lid4(world.named(0, 1), blocks(8) * 3, list_id=7, immed=1)
    assert world.copy(data, action=1) == Done()
    assert world.do(bytes.fromhex("83 1c 00000007 0000000000000000 00 00")) == Done()
    world.disks[0].run_jobs()
    assert world.disks[1].steps == []
    operation = world.target.units[0].copies.find(world.nexus, 7)
    assert operation is not None
    assert operation.outcome == Refused(Status.TASK_ABORTED)


def test_a_reset_of_the_unit_ends_its_copies(world: World) -> None:
    data = lid4(world.named(0, 1), blocks(8), list_id=7, immed=1)
    assert world.copy(data, action=1) == Done()
    world.target.reset(0)
    world.disks[0].run_jobs()
    assert world.disks[1].steps == []


def test_a_nexus_that_ends_takes_its_copies_along(world: World) -> None:
    assert world.copy(lid1(b"", b"", list_id=7)) == Done()
    copies = world.target.units[0].copies
    assert copies.find(world.nexus, 7) is not None
    world.target.detach(world.nexus)
    assert copies.find(world.nexus, 7) is None


@given(st.sampled_from([0, 1]), st.binary(max_size=120), st.integers(0, 120))
def test_any_list_gets_an_answer(action: int, data: bytes, length: int) -> None:
    world = World()
    before = {lun: bytes(disk.data) for lun, disk in world.disks.items()}
    outcome = world.do(out(action, length), data)
    assert isinstance(outcome, Done | Failed)
    if isinstance(outcome, Failed):
        assert {lun: disk.data for lun, disk in world.disks.items()} == before


@given(st.data())
def test_a_list_with_one_byte_changed_gets_an_answer(data: st.DataObject) -> None:
    world = World()
    make, action = data.draw(st.sampled_from([(lid1, 0), (lid4, 1)]))
    parameters = bytearray(make(world.named(0, 1), blocks(8) + blocks(1, between=(1, 0))))
    parameters[data.draw(st.integers(0, len(parameters) - 1))] = data.draw(st.integers(0, 255))
    outcome = world.copy(bytes(parameters), action=action)
    assert isinstance(outcome, Done | Failed)
