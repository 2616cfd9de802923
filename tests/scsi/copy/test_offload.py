from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scsi.copy.world import World, out, populate, receive, write_using
from tests.scsi.store import Blocks, at_once
from trioscsi.scsi import Done, Failed, Outcome, Receive, Refused, Reply, Status
from trioscsi.scsi.complaints import (
    PARAMETER_LIST_LENGTH_ERROR,
    WRITE_PROTECTED,
    invalid_parameter,
    out_of_range,
    unrecovered_read,
    write_error,
)
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.offload import PopulateToken
from trioscsi.scsi.copy.results import STATUS_LID4
from trioscsi.scsi.copy.token import (
    DELETED,
    EXPIRED,
    REVOKED,
    TOKEN,
    UNKNOWN,
    Range,
    RodType,
)

ZERO = TOKEN.encode(rod_type=RodType.ZERO, rod_token_length=504)


def token_of(world: World, *places: tuple[int, int], lun: int = 0, **fields: int) -> bytes:
    """A token of these blocks."""
    data = populate(*places, **fields)
    assert world.do(out(0x10, len(data), 5), data, lun=lun) == Done()
    reply = world.do(receive(7, 5), lun=lun)
    assert isinstance(reply, Reply)
    return reply.data[-512:]


def write(
    world: World, token: bytes, *places: tuple[int, int], lun: int = 0, **fields: int
) -> Outcome:
    data = write_using(token, *places, **fields)
    return world.do(out(0x11, len(data), 6), data, lun=lun)


def written(world: World, lun: int = 0) -> int:
    """The transfer count of the latest WRITE USING TOKEN."""
    reply = world.do(receive(5, 6), lun=lun)
    assert isinstance(reply, Reply)
    return STATUS_LID4.decode(reply.data)["transfer_count"]


def test_a_token_stands_for_these_blocks(world: World) -> None:
    data = populate((8, 4), (0, 2), inactivity_timeout=7)
    plan = world.plan(out(0x10, len(data), 3))
    assert isinstance(plan, Receive)
    assert plan.received(data) == PopulateToken(
        unit=world.target.units[0],
        nexus=world.nexus,
        list_id=3,
        ranges=(Range(8, 4), Range(0, 2)),
        timeout=7,
    )


@pytest.mark.parametrize(("source", "destination"), [(0, 2), (0, 1), (1, 0), (0, 0)])
def test_what_a_token_stands_for_is_written_where_it_is_wanted(
    world: World, source: int, destination: int
) -> None:
    token = token_of(world, (8, 8), (64, 16), lun=source)
    size, there = world.disks[source].unit.block_size, world.disks[destination].unit.block_size
    data = world.disks[source].data
    expected = data[8 * size : 16 * size] + data[64 * size : 80 * size]
    count = len(expected) // there
    assert write(world, token, (120, count - 1), (110, 1), lun=destination) == Done()
    found = world.disks[destination].data
    assert found[120 * there : (119 + count) * there] == expected[:-there]
    assert found[110 * there : 111 * there] == expected[-there:]
    assert written(world, destination) == count


def test_a_block_that_is_written_in_parts_is_counted(world: World) -> None:
    token = token_of(world, (8, 1), (20, 7))
    assert write(world, token, (10, 1), lun=1) == Done()
    assert written(world, 1) == 1


def test_another_initiator_may_use_a_token(world: World) -> None:
    token = token_of(world, (0, 8))
    data = write_using(token, (100, 8))
    other = world.attach("another")
    assert world.do(out(0x11, len(data)), data, lun=2, nexus=other) == Done()
    assert world.disks[2].data[51_200:55_296] == world.disks[0].data[:4096]


def test_a_token_is_used_from_an_offset_on(world: World) -> None:
    token = token_of(world, (8, 8), (64, 16))
    assert write(world, token, (10, 2), lun=1, offset_into_rod=6) == Done()
    source = world.disks[0].data
    assert (
        world.disks[1].data[40_960:49_152]
        == source[14 * 512 : 16 * 512] + source[64 * 512 : 78 * 512]
    )


def test_more_than_a_token_stands_for_is_refused(world: World) -> None:
    token = token_of(world, (0, 8))
    assert write(world, token, (100, 9)) == Failed(invalid_parameter(8, 7))
    assert write(world, token, (100, 1), offset_into_rod=8) == Failed(invalid_parameter(8, 7))
    assert write(world, token, (100, 1), offset_into_rod=2**64 - 1) == Failed(
        invalid_parameter(8, 7)
    )
    assert write(world, token, (100, 1), offset_into_rod=7) == Done()


def test_zeroes_are_written_with_a_token_that_everybody_knows(world: World) -> None:
    assert write(world, ZERO, (4, 2), (9, 1), offset_into_rod=3) == Done()
    assert world.disks[0].steps == ["zero 4 2", "zero 9 1"]
    world.target.units[0].thin = True
    assert write(world, ZERO, (4, 2)) == Done()
    assert world.disks[0].steps[-1] == "unmap 4 2"
    assert written(world) == 2


def test_a_token_is_worth_nothing_once_its_blocks_change(world: World) -> None:
    token = token_of(world, (8, 8))
    at_once(world.disks[0].write(15, bytes(512)))
    before = bytes(world.disks[2].data)
    assert write(world, token, (100, 8), lun=2) == Failed(REVOKED)
    assert world.disks[2].data == before


def test_a_change_meanwhile_ends_the_write(world: World) -> None:
    token = token_of(world, (0, 16))

    class Meddling(Blocks):
        async def write(self, lba: int, data: Any) -> None:
            await Blocks.write(self, lba, data)
            await world.disks[0].write(15, bytes(512))

    world.disks[2] = Meddling(world.target.units[2], world.disks)
    assert write(world, token, (100, 8), (300, 8), lun=2) == Failed(REVOKED)
    assert written(world, 2) == 8


def test_a_write_to_the_blocks_of_a_token_is_a_change(world: World) -> None:
    token = token_of(world, (0, 16))
    assert write(world, token, (8, 8), (300, 8)) == Failed(REVOKED)


def test_a_token_that_nobody_uses_in_time_expires(world: World) -> None:
    token = token_of(world, (0, 8), inactivity_timeout=10)
    world.now = 9
    assert write(world, token, (100, 8)) == Done()
    world.now = 18
    assert write(world, token, (100, 8)) == Done()
    world.now = 28
    assert write(world, token, (100, 8)) == Failed(EXPIRED)
    token = token_of(world, (0, 8))
    world.now += bounds.INACTIVITY
    assert write(world, token, (100, 8)) == Failed(EXPIRED)


def test_a_token_can_be_deleted_by_its_last_use(world: World) -> None:
    token = token_of(world, (0, 8))
    assert write(world, token, (100, 8), del_tkn=1) == Done()
    assert write(world, token, (100, 8)) == Failed(DELETED)


def test_a_token_of_a_unit_that_is_gone_is_unknown(world: World) -> None:
    token = token_of(world, (0, 8))
    world.target.remove(0)
    world.nexus.pending.clear()
    assert write(world, token, (100, 8), lun=2) == Failed(UNKNOWN)


def test_a_write_goes_on_in_the_background(world: World) -> None:
    token = token_of(world, (0, 8))
    assert write(world, token, (100, 8), lun=2, immed=1) == Done()
    assert written(world, 2) == 0
    world.disks[2].run_jobs()
    assert written(world, 2) == 8
    assert world.disks[2].data[51_200:55_296] == world.disks[0].data[:4096]


@pytest.mark.parametrize("token", [ZERO, None])
def test_a_write_in_the_background_can_be_aborted(world: World, token: bytes | None) -> None:
    made = token or token_of(world, (0, 8))
    assert write(world, made, (100, 8), lun=2, immed=1) == Done()
    abort = bytes.fromhex("83 1c 00000006 0000000000000000 00 00")
    assert world.do(abort, lun=2) == Done()
    world.disks[2].run_jobs()
    assert world.disks[2].steps == []
    operation = world.target.units[2].copies.find(world.nexus, 6)
    assert operation is not None
    assert operation.outcome == Refused(Status.TASK_ABORTED)


def test_storage_that_fails_is_told(world: World) -> None:
    token = token_of(world, (8, 8))
    world.disks[0].fails.add("read")
    assert write(world, token, (100, 8), lun=2) == Failed(unrecovered_read(8))
    world.disks[0].fails.clear()
    world.disks[2].fails |= {"write", "zero"}
    assert write(world, token, (100, 8), lun=2) == Failed(write_error(100))
    assert write(world, ZERO, (100, 8), lun=2) == Failed(write_error(100))


# Parameter lists.


def ask(world: World, action: int, data: bytes, length: int | None = None) -> Outcome:
    return world.do(out(action, len(data) if length is None else length, 5), data)


def both(*places: tuple[int, int], **fields: int) -> list[tuple[int, bytes]]:
    """The parameter lists of both commands."""
    return [(0x10, populate(*places, **fields)), (0x11, write_using(ZERO, *places, **fields))]


@pytest.mark.parametrize("action", [0x10, 0x11])
def test_a_list_has_a_header_and_so_many_ranges_at_most(world: World, action: int) -> None:
    header = 16 if action == 0x10 else 536
    most = header + 16 * bounds.RANGES
    for length in (0, 1, header - 1, most + 1, 2**32 - 1):
        assert world.plan(out(action, length)) == Failed(PARAMETER_LIST_LENGTH_ERROR)
    for length in (header, most):
        assert isinstance(world.plan(out(action, length)), Receive)


@pytest.mark.parametrize("which", [0, 1])
def test_a_list_comes_whole(world: World, which: int) -> None:
    action, data = both((0, 1))[which]
    for cut in (1, 16, 17):
        assert ask(world, action, data[:-cut], len(data)) == Failed(PARAMETER_LIST_LENGTH_ERROR)
    assert ask(world, action, data[:-1]) == Failed(PARAMETER_LIST_LENGTH_ERROR)
    assert ask(world, action, data) == Done()


@pytest.mark.parametrize("which", [0, 1])
def test_the_lengths_in_a_list_agree(world: World, which: int) -> None:
    place = (14, 534)[which]
    for length in (0, 8, 17):
        action, data = both((0, 1), block_device_range_descriptor_length=length)[which]
        assert ask(world, action, data) == Failed(invalid_parameter(place, 7))
    action, data = both((0, 1))[which]
    wrong = (int.from_bytes(data[:2], "big") + 1).to_bytes(2, "big") + data[2:]
    assert ask(world, action, wrong) == Failed(PARAMETER_LIST_LENGTH_ERROR)


@pytest.mark.parametrize("which", [0, 1])
def test_ranges_are_blocks_of_the_unit_each_named_once(world: World, which: int) -> None:
    start = (16, 536)[which]
    for places, sense in (
        ([(999, 2)], out_of_range(1000)),
        ([(0, 1), (2**64 - 1, 1)], out_of_range(2**64 - 1)),
        ([(0, 8), (7, 2)], invalid_parameter(start + 16, 7)),
        ([(0, 8), (20, 2), (4, 1)], invalid_parameter(start + 32, 7)),
    ):
        action, data = both(*places)[which]
        assert ask(world, action, data) == Failed(sense)
    action, data = both((0, 8), (8, 2), (0, 0), (1000, 0), (999, 1))[which]
    assert ask(world, action, data) == Done()


@pytest.mark.parametrize("which", [0, 1])
def test_a_token_is_bounded(world: World, which: int) -> None:
    world.target.resize(0, 2**40)
    world.nexus.pending.clear()
    most = bounds.TOKEN_TRANSFER // 512
    action, data = both((0, most), (most, 1))[which]
    assert ask(world, action, data) == Failed(invalid_parameter((14, 534)[which], 7))


@pytest.mark.parametrize(
    "rod_type", [RodType.POINT_IN_TIME, RodType.CHANGE_VULNERABLE, RodType.ANY_POINT_IN_TIME]
)
def test_a_type_that_is_kept_can_be_asked_for(world: World, rod_type: int) -> None:
    token = token_of(world, (0, 1), rtv=1, rod_type=rod_type)
    assert TOKEN.decode(token)["rod_type"] == RodType.CHANGE_VULNERABLE


@pytest.mark.parametrize("rod_type", [0, 0x00010000, 0x00800002, 0xFFFF0001])
def test_a_type_that_promises_something_else_is_refused(world: World, rod_type: int) -> None:
    data = populate((0, 1), rtv=1, rod_type=rod_type)
    assert ask(world, 0x10, data) == Failed(invalid_parameter(8, 7))
    token_of(world, (0, 1), rod_type=rod_type)


def test_a_timeout_is_bounded(world: World) -> None:
    most = bounds.MAXIMUM_INACTIVITY
    token_of(world, (0, 1), inactivity_timeout=most)
    data = populate((0, 1), inactivity_timeout=most + 1)
    assert ask(world, 0x10, data) == Failed(invalid_parameter(4, 7))


def test_a_write_protected_unit_is_not_written_with_a_token(world: World) -> None:
    world.target.units[0].write_protected = True
    token = token_of(world, (0, 8))
    assert write(world, token, (100, 8)) == Failed(WRITE_PROTECTED)
    assert write(world, token, (100, 8), lun=2) == Done()


def test_a_group_number_is_passed_over(world: World) -> None:
    for action in (0x10, 0x11):
        cdb = bytearray(out(action, 536))
        cdb[14] = 1
        assert isinstance(world.plan(bytes(cdb)), Receive)


@settings(max_examples=50)
@given(st.data())
def test_a_token_is_what_its_blocks_were_whatever_the_pieces(data: st.DataObject) -> None:
    world = World()
    lun, other = data.draw(st.sampled_from([(0, 2), (0, 1), (1, 0), (2, 1)]))
    read, there = (world.disks[each].unit.block_size for each in (lun, other))
    cuts = st.lists(st.integers(1, 6), min_size=1, max_size=5)
    places = [(20 * n, count * 8) for n, count in enumerate(data.draw(cuts))]
    for lba in data.draw(st.sets(st.integers(0, 99))):
        at_once(world.disks[lun].unmap(lba, 1))
    token = token_of(world, *[(lba, min(count, 20)) for lba, count in places], lun=lun)
    stream = b"".join(
        world.disks[lun].data[lba * read : (lba + min(count, 20)) * read] for lba, count in places
    )
    skip = data.draw(st.integers(0, len(stream) // read - 1))
    room = (len(stream) - skip * read) // there
    wanted = [(40 * n, count) for n, count in enumerate(data.draw(cuts))]
    if sum(count for _, count in wanted) > room:
        return
    expected = bytearray(world.disks[other].data)
    position = skip * read
    for lba, count in wanted:
        expected[lba * there : (lba + count) * there] = stream[position : position + count * there]
        position += count * there
    assert write(world, token, *wanted, lun=other, offset_into_rod=skip) == Done()
    assert world.disks[other].data == expected


@given(st.sampled_from([0x10, 0x11]), st.binary(max_size=80), st.binary(max_size=40))
def test_any_list_gets_an_answer(action: int, head: bytes, tail: bytes) -> None:
    world = World()
    data = head if action == 0x10 else (head + ZERO).ljust(534, b"\0") + tail
    assert isinstance(ask(world, action, data), Done | Failed)
