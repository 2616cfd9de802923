from __future__ import annotations

import pytest

from tests.scsi.copy.world import World, blocks, lid1, lid4, out, populate, receive, verify
from trioscsi.scsi import Done, Failed, Refused, Reply, Status
from trioscsi.scsi.complaints import invalid_field
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.operation import State
from trioscsi.scsi.copy.results import (
    FAILURE_DETAILS,
    OPERATING_PARAMETERS,
    STATUS_LID1,
    STATUS_LID4,
)

FAR = 0xFFFE
"""An index for which there is no descriptor."""


def reply(world: World, action: int, list_id: int = 1, length: int = 4096) -> bytes:
    outcome = world.do(receive(action, list_id, length))
    assert isinstance(outcome, Reply)
    return outcome.data


@pytest.mark.parametrize("action", [0, 1, 4, 5, 7])
def test_a_list_identifier_that_names_no_copy_is_refused(world: World, action: int) -> None:
    assert world.do(receive(action, 1)) == Failed(invalid_field(2, 7))
    assert world.copy(lid1(b"", b"", 1)) == Done()
    assert isinstance(world.do(receive(action, 1)), Reply)
    other = world.attach("another")
    assert world.do(receive(action, 1), nexus=other) == Failed(invalid_field(2, 7))
    assert world.do(receive(action, 1), lun=1) == Failed(invalid_field(2, 7))


def test_the_status_of_a_copy_that_is_done(world: World) -> None:
    assert world.copy(lid1(world.named(0, 1), blocks(8) + verify())) == Done()
    assert reply(world, 0) == bytes.fromhex("00000008 01 0002 00 00001000")
    assert reply(world, 0, length=6) == bytes.fromhex("00000008 01 00")
    assert reply(world, 5) == bytes.fromhex(
        "0000001c 00 01 1002 fffffffe 00 00 00 00 0000000000001000 0002 000000000000"
    )


def test_the_status_of_a_copy_that_failed(world: World) -> None:
    outcome = world.copy(lid1(world.named(0, 1), blocks(8) + verify(FAR)))
    assert isinstance(outcome, Failed)
    sense = outcome.sense.encode()
    assert reply(world, 0) == bytes.fromhex("00000008 02 0001 00 00001000")
    data = reply(world, 5)
    fields = STATUS_LID4.decode(data)
    assert fields["copy_operation_status"] == State.COMPLETED_WITH_ERRORS
    assert fields["extended_copy_completion_status"] == Status.CHECK_CONDITION
    assert fields["sense_data_length"] == fields["length_of_the_sense_data_field"] == len(sense)
    assert fields["available_data"] == len(data) - 4
    assert data[32:] == sense


def test_the_details_of_a_failure(world: World) -> None:
    outcome = world.copy(lid1(world.named(0, 1), verify(FAR)))
    assert isinstance(outcome, Failed)
    data = reply(world, 4)
    sense = outcome.sense.encode()
    assert FAILURE_DETAILS.decode(data) == {
        "available_data": 56 + len(sense),
        "extended_copy_command_status": Status.CHECK_CONDITION,
        "sense_data_length": len(sense),
    }
    assert data[60:] == sense


def test_a_copy_that_did_not_fail_has_no_details(world: World) -> None:
    assert world.copy(lid1(b"", b"")) == Done()
    assert reply(world, 4) == bytes(4)


def test_a_copy_in_the_background_is_in_progress(world: World) -> None:
    data = lid4(world.named(0, 1), blocks(8), immed=1)
    assert world.copy(data, action=1) == Done()
    assert reply(world, 0) == bytes.fromhex("00000008 00 0000 00 00000000")
    fields = STATUS_LID4.decode(reply(world, 5))
    assert fields["response_to_service_action"] == 1
    assert fields["copy_operation_status"] == State.IN_BACKGROUND
    assert 0 < fields["estimated_status_update_delay"] < 0xFFFFFFFE
    assert reply(world, 1) == reply(world, 4) == bytes(4)
    world.disks[0].run_jobs()
    assert STATUS_LID4.decode(reply(world, 5))["copy_operation_status"] == State.COMPLETED


def test_a_copy_that_was_aborted_says_so(world: World) -> None:
    data = lid4(world.named(0, 1), blocks(8), immed=1)
    assert world.copy(data, action=1) == Done()
    world.target.reset(0)
    world.nexus.pending.clear()
    world.disks[0].run_jobs()
    assert STATUS_LID1.decode(reply(world, 0))["copy_operation_status"] == 2
    fields = STATUS_LID4.decode(reply(world, 5))
    assert fields["copy_operation_status"] == State.TERMINATED
    assert fields["extended_copy_completion_status"] == Status.TASK_ABORTED
    operation = world.target.units[0].copies.find(world.nexus, 1)
    assert operation is not None
    assert operation.outcome == Refused(Status.TASK_ABORTED)


def test_a_transfer_count_is_in_units_in_which_it_has_room(world: World) -> None:
    assert world.copy(lid1(b"", b"")) == Done()
    operation = world.target.units[0].copies.find(world.nexus, 1)
    assert operation is not None
    for count, units, shown in (
        (2**32 - 1, 0, 2**32 - 1),
        (2**32, 1, 2**22),
        (2**42, 2, 2**22),
    ):
        operation.transferred = count
        fields = STATUS_LID1.decode(reply(world, 0))
        assert (fields["transfer_count_units"], fields["transfer_count"]) == (units, shown)


def test_all_bounds_are_told(world: World) -> None:
    data = reply(world, 3, 0)
    assert OPERATING_PARAMETERS.decode(data) == {
        "available_data": len(data) - 4,
        "snlid": 1,
        "maximum_target_descriptor_count": bounds.TARGET_DESCRIPTORS,
        "maximum_segment_descriptor_count": bounds.SEGMENT_DESCRIPTORS,
        "maximum_descriptor_list_length": bounds.DESCRIPTORS_LENGTH,
        "maximum_segment_length": bounds.SEGMENT,
        "maximum_inline_data_length": 0,
        "held_data_limit": bounds.HELD,
        "maximum_stream_device_transfer_size": 0,
        "total_concurrent_copies": bounds.CONCURRENT,
        "maximum_concurrent_copies": bounds.CONCURRENT,
        "data_segment_granularity": 0,
        "inline_data_granularity": 0,
        "held_data_granularity": 0,
        "implemented_descriptor_list_length": 5,
    }
    assert data[44:] == bytes.fromhex("02 07 0a 0d e4")
    assert reply(world, 3, 0, length=46) == data[:46]


def test_a_token_is_had_with_the_status(world: World) -> None:
    data = populate((0, 8))
    assert world.do(out(0x10, len(data), 9), data) == Done()
    found = reply(world, 7, 9)
    fields = STATUS_LID4.decode(found)
    assert fields["response_to_service_action"] == 0x10
    assert (fields["transfer_count_units"], fields["transfer_count"]) == (0xF1, 8)
    assert fields["available_data"] == len(found) - 4
    assert found[32:38] == bytes.fromhex("00000202 0000")
    assert len(found) == 38 + 512
    assert reply(world, 7, 9, length=40) == found[:40]


def test_without_a_token_the_list_of_them_is_empty(world: World) -> None:
    assert world.copy(lid1(b"", b"")) == Done()
    assert reply(world, 7)[32:] == bytes(4)
