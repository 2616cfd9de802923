from __future__ import annotations

from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scsi.copy.world import World, blocks, lid1, name, receive, some, verify
from tests.scsi.store import at_once
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    FieldPointer,
    LogicalUnit,
    Nexus,
    Outcome,
    Plan,
    Refused,
    Reply,
    Status,
)
from trioscsi.scsi.command import Access, Command, Concern
from trioscsi.scsi.complaints import (
    START_REQUIRED,
    WRITE_PROTECTED,
    out_of_range,
    unrecovered_read,
    write_error,
)
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy import segments as course
from trioscsi.scsi.copy.descriptors import THIS_UNIT, Kind
from trioscsi.scsi.inquiry.designation import designators
from trioscsi.scsi.sense import Forwarded, Sense, SenseKey

INEXACT = AdditionalSense.UNEXPECTED_INEXACT_SEGMENT
NOTHING = AdditionalSense.NO_ADDITIONAL_SENSE_INFORMATION
FAILURE = AdditionalSense.THIRD_PARTY_DEVICE_FAILURE
PADS = [(False, False), (False, True), (True, False), (True, True)]


def aborted(
    code: AdditionalSense,
    segment: int = 0,
    *,
    at: tuple[int, int] | None = None,
    said: Forwarded | None = None,
) -> Failed:
    pointer = None if at is None else FieldPointer(*at, in_cdb=False)
    return Failed(
        Sense(
            SenseKey.COPY_ABORTED, code, specific=pointer, command_specific=segment, forwarded=said
        )
    )


def check_condition(sense: Sense, *, destination: bool) -> Forwarded:
    return Forwarded(destination, Status.CHECK_CONDITION, sense)


def copy(
    world: World, *segments: bytes, luns: tuple[int, ...] = (0, 1), targets: bytes = b""
) -> Outcome:
    return world.copy(lid1(targets or world.named(*luns), b"".join(segments)))


def status(world: World) -> tuple[int, int]:
    """The segments that were processed, and the bytes that were copied."""
    reply = world.do(receive(0, 1))
    assert isinstance(reply, Reply)
    assert reply.data[7] == 0
    return int.from_bytes(reply.data[5:7], "big"), int.from_bytes(reply.data[8:12], "big")


@pytest.mark.parametrize("luns", [(0, 1), (1, 0), (0, 2), (1, 1), (0, 0)])
@pytest.mark.parametrize("dc", [0, 1])
def test_blocks_of_all_sizes_are_copied(world: World, luns: tuple[int, int], dc: int) -> None:
    source, destination = (world.disks[lun] for lun in luns)
    size = (destination if dc else source).unit.block_size
    read, write = 16 * source.unit.block_size, 40 * destination.unit.block_size
    expected = source.data[read : read + 24 * size]
    assert copy(world, blocks(24, 16, 40, dc=dc), luns=luns) == Done()
    assert destination.data[write : write + 24 * size] == expected
    assert status(world) == (1, 24 * size)


def test_segments_are_performed_in_order(world: World) -> None:
    there, back = blocks(8, 0, 5, between=(0, 1)), blocks(1, 5, 100, between=(1, 0))
    assert copy(world, there, back) == Done()
    assert world.disks[0].data[51_200:55_296] == world.disks[0].data[:4096]
    assert status(world) == (2, 8192)


def test_no_segments_and_no_blocks_are_no_error(world: World) -> None:
    assert copy(world) == copy(world, blocks(0), some(0, (0, 0), (0, 0))) == Done()
    assert world.disks[1].steps == []


def test_the_unit_itself_needs_no_name(world: World) -> None:
    segment = blocks(3, 0, 10, between=(THIS_UNIT, THIS_UNIT))
    assert copy(world, segment, luns=()) == Done()
    assert world.disks[0].data[5120:6656] == world.disks[0].data[:1536]


def test_a_unit_copies_between_two_others(world: World) -> None:
    data = lid1(world.named(0, 1), blocks(8))
    assert world.copy(data, lun=2) == Done()
    assert world.disks[1].data[:4096] == world.disks[0].data[:4096]


def test_bytes_are_copied_from_where_they_are(world: World) -> None:
    before = bytes(world.disks[1].data)
    assert copy(world, some(10_000, (3, 17), (2, 4000))) == Done()
    source, data = world.disks[0].data, world.disks[1].data
    assert data[12_192:22_192] == source[1553:11_553]
    assert data[:12_192] == before[:12_192]
    assert data[22_192:] == before[22_192:]
    assert status(world) == (1, 10_000)


# Blocks that data fill in part: ten blocks of 512 bytes are one of 4096, and a quarter of one.


def units(world: World, pads: tuple[bool, bool], luns: tuple[int, int] = (0, 1)) -> bytes:
    return b"".join(world.named(lun, pad=pad) for lun, pad in zip(luns, pads, strict=True))


@pytest.mark.parametrize("pads", PADS)
def test_what_fills_a_block_of_the_destination_in_part(
    world: World, pads: tuple[bool, bool]
) -> None:
    source, before = world.disks[0].data, bytes(world.disks[1].data)
    outcome = copy(world, blocks(10), targets=units(world, pads))
    data = world.disks[1].data
    if pads == (False, False):
        assert outcome == aborted(INEXACT)
        assert data == before
    else:
        assert outcome == Done()
        assert data[:4096] == source[:4096]
        padded = source[4096:5120] + bytes(3072) if pads[1] else before[4096:8192]
        assert data[4096:8192] == padded


@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize("cat", [0, 1])
def test_what_is_left_may_go_to_the_next_segment(
    world: World, pads: tuple[bool, bool], cat: int
) -> None:
    source = world.disks[0].data
    outcome = copy(world, blocks(10, cat=cat), blocks(6, 100, 9), targets=units(world, pads))
    kept = cat or pads == (True, False)
    if kept:
        assert outcome == Done()
        assert world.disks[1].data[9 * 4096 : 10 * 4096] == (
            source[4096:5120] + source[51_200:54_272]
        )
    elif pads == (False, False):
        assert outcome == aborted(INEXACT)
    else:
        assert outcome == Done()
        assert world.disks[1].data[9 * 4096 : 10 * 4096] == source[51_200:54_272] + bytes(1024)


@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize("cat", [0, 1])
def test_what_is_left_of_a_block_of_the_source(
    world: World, pads: tuple[bool, bool], cat: int
) -> None:
    source = world.disks[1].data
    segments = blocks(5, dc=1, cat=cat), blocks(6, 9, 100, dc=1, cat=1)
    outcome = copy(world, *segments, targets=units(world, pads, (1, 0)))
    data = world.disks[0].data
    if not cat and pads == (False, False):
        assert outcome == aborted(INEXACT)
        return
    assert outcome == Done()
    assert data[:2560] == source[:2560]
    dropped = pads[0] and not cat
    rest = b"" if dropped else source[2560:4096]
    expected = (rest + source[9 * 4096 : 10 * 4096])[:3072]
    assert data[51_200 : 51_200 + 3072] == expected


def test_what_a_last_segment_leaves_is_let_go(world: World) -> None:
    assert copy(world, blocks(10, cat=1)) == Done()
    assert status(world) == (1, 4096)


def test_what_is_left_comes_first_in_a_segment_of_bytes(world: World) -> None:
    source = world.disks[0].data
    assert copy(world, blocks(9, cat=1), some(1000, (50, 3), (20, 5))) == Done()
    assert world.disks[1].data[81_925:82_925] == source[4096:4608] + source[25_603:26_091]


@settings(max_examples=60)
@given(st.data())
def test_any_segments_copy_what_a_plain_stream_would(data: st.DataObject) -> None:
    world = World()
    model = {lun: bytearray(disk.data) for lun, disk in world.disks.items()}
    residue, segments = b"", []
    for _ in range(data.draw(st.integers(1, 4))):
        luns = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
        read, write = data.draw(st.integers(0, 60)), data.draw(st.integers(0, 60))
        count, dc = data.draw(st.integers(0, 40)), data.draw(st.integers(0, 1))
        segments.append(blocks(count, read, write, between=luns, dc=dc, cat=1))
        sizes = [world.disks[lun].unit.block_size for lun in luns]
        wanted = count * sizes[dc]
        if dc:
            missing = max(wanted - len(residue), 0)
            reads, writes = -(-missing // sizes[0]) * sizes[0], wanted
        else:
            reads, writes = wanted, (len(residue) + wanted) // sizes[1] * sizes[1]
        stream = residue + model[luns[0]][read * sizes[0] :][:reads]
        model[luns[1]][write * sizes[1] : write * sizes[1] + writes] = stream[:writes]
        residue = bytes(stream[writes:])
    assert copy(world, *segments, luns=(0, 1, 2)) == Done()
    assert {lun: disk.data for lun, disk in world.disks.items()} == model


# Held data.


def held(world: World) -> bytes:
    reply = world.do(receive(1, 1, 2**20))
    assert isinstance(reply, Reply)
    assert int.from_bytes(reply.data[:4], "big") == len(reply.data) - 4
    return reply.data[4:]


def test_data_are_held_where_a_segment_says_so(world: World) -> None:
    kind = Kind.BLOCK_TO_BLOCK_AND_HOLD
    assert copy(world, blocks(8), blocks(8, 8, kind=kind), blocks(16, 32, kind=kind)) == Done()
    source = world.disks[0].data
    assert held(world) == source[8 * 512 : 16 * 512] + source[32 * 512 : 48 * 512]
    assert copy(world, blocks(8)) == Done()
    assert held(world) == b""


def test_of_too_many_data_the_latest_are_held(world: World) -> None:
    assert copy(world, blocks(400, kind=Kind.BLOCK_TO_BLOCK_AND_HOLD)) == Done()
    end = 400 * 512
    assert held(world) == world.disks[0].data[end - bounds.HELD : end]
    reply = world.do(receive(0, 1))
    assert isinstance(reply, Reply)
    assert reply.data[4] & 0x80


# Errors.


@pytest.mark.parametrize("index", [2, 63, 0x0800, 0xC000, 0xF800, 0xFFFE])
def test_an_index_without_a_descriptor_is_told_with_its_segment(world: World, index: int) -> None:
    code, good = AdditionalSense.UNREACHABLE_COPY_TARGET, blocks(8)
    assert copy(world, good, blocks(8, between=(index, 0))) == aborted(code, 1, at=(112, 7))
    assert copy(world, good, blocks(8, between=(0, index))) == aborted(code, 1, at=(114, 7))
    assert copy(world, good, verify(index)) == aborted(code, 1, at=(112, 7))
    assert status(world) == (1, 4096)


def test_a_unit_that_is_not_of_this_target_cannot_be_reached(world: World) -> None:
    stranger = name(LogicalUnit(0, target_name="iqn.2026-11.example:other", blocks=1))
    code = AdditionalSense.COPY_TARGET_DEVICE_NOT_REACHABLE
    assert copy(world, blocks(1), targets=stranger + world.named(0)) == aborted(code)


def test_units_are_asked_for_their_names_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Mock(side_effect=designators)
    monkeypatch.setattr(course, "designators", asked)
    assert copy(world, *[blocks(0)] * 10) == Done()
    assert asked.call_count == len(world.disks)


def test_a_unit_is_of_the_type_that_the_initiator_thinks(world: World) -> None:
    targets = world.named(0, 1, peripheral_device_type=1)
    code = AdditionalSense.INCORRECT_COPY_TARGET_DEVICE_TYPE
    assert copy(world, blocks(8), targets=targets) == aborted(code)


def test_a_unit_has_the_blocks_that_the_initiator_thinks(world: World) -> None:
    targets = world.named(0, disk_block_length=512) + world.named(1, disk_block_length=512)
    code = AdditionalSense.INVALID_FIELD_IN_PARAMETER_LIST
    assert copy(world, blocks(8), targets=targets) == aborted(code, at=(77, 7))


@pytest.mark.parametrize(
    ("segment", "destination", "lba"),
    [
        (blocks(8, 993), False, 1000),
        (blocks(8, 2000), False, 2000),
        (blocks(16, 0, 199), True, 200),
        (some(513, (999, 0), (0, 0)), False, 1000),
        (some(2, (0, 0), (199, 4095)), True, 200),
        (blocks(8, 0, 2**64 - 1), True, 2**64 - 1),
    ],
)
def test_blocks_beyond_the_end_abort_the_copy(
    world: World, segment: bytes, destination: bool, lba: int
) -> None:
    said = check_condition(out_of_range(lba), destination=destination)
    assert copy(world, segment) == aborted(NOTHING, said=said)
    assert world.disks[1].steps == []


def test_a_block_that_would_be_filled_up_beyond_the_end_aborts_the_copy(world: World) -> None:
    said = check_condition(out_of_range(200), destination=True)
    targets = units(world, (False, True))
    assert copy(world, blocks(10, 0, 199), targets=targets) == aborted(NOTHING, said=said)


def test_a_segment_is_bounded(world: World) -> None:
    code = AdditionalSense.INVALID_FIELD_IN_PARAMETER_LIST
    assert copy(world, blocks(9000, between=(1, 0))) == aborted(code, at=(90, 7))
    assert copy(world, blocks(9000, dc=1)) == aborted(code, at=(90, 7))
    assert copy(world, some(bounds.SEGMENT + 1, (0, 0), (0, 0))) == aborted(code, at=(88, 7))


def test_an_offset_is_within_a_block(world: World) -> None:
    code = AdditionalSense.INVALID_FIELD_IN_PARAMETER_LIST
    assert copy(world, some(1, (0, 512), (0, 0))) == aborted(code, at=(108, 7))
    assert copy(world, some(1, (0, 0), (0, 4096))) == aborted(code, at=(110, 7))
    assert copy(world, some(1, (0, 511), (0, 4095))) == Done()


def test_a_destination_that_is_write_protected_says_so(world: World) -> None:
    world.target.units[1].write_protected = True
    said = check_condition(WRITE_PROTECTED, destination=True)
    assert copy(world, blocks(8)) == aborted(FAILURE, said=said)
    assert copy(world, blocks(1, between=(1, 0))) == Done()


@pytest.mark.parametrize("destination", [False, True])
def test_a_unit_that_is_stopped_takes_no_part(world: World, destination: bool) -> None:
    between = (0, 1) if destination else (1, 0)
    world.target.units[1].stopped = True
    said = check_condition(START_REQUIRED, destination=destination)
    assert copy(world, blocks(8, between=between)) == aborted(FAILURE, said=said)


def test_a_unit_is_asked_whether_it_is_ready(world: World) -> None:
    assert copy(world, verify(1)) == Done()
    world.target.units[1].stopped = True
    said = check_condition(START_REQUIRED, destination=False)
    assert copy(world, verify(1, tur=False), verify(1)) == aborted(FAILURE, 1, said=said)


class Narrow:
    """Sees LUN 0 and 2, and may only read the latter."""

    luns = (0, 2)

    def sees(self, number: int) -> bool:
        return number in self.luns

    def protects(self, number: int) -> bool:
        return number == 2


def test_an_initiator_copies_only_what_it_sees_and_to_where_it_may_write(world: World) -> None:
    world.nexus = world.attach("narrow", Narrow())
    unseen = AdditionalSense.COPY_TARGET_DEVICE_NOT_REACHABLE
    assert copy(world, blocks(8)) == copy(world, blocks(1), luns=(1, 0)) == aborted(unseen)
    assert copy(world, blocks(8), luns=(2, 0)) == Done()
    said = check_condition(WRITE_PROTECTED, destination=True)
    assert copy(world, blocks(8), luns=(0, 2)) == aborted(FAILURE, said=said)
    assert isinstance(world.do(receive(3), lun=2), Reply)


@pytest.mark.parametrize("access", [Access.READ, Access.WRITE])
@pytest.mark.parametrize("destination", [False, True])
def test_a_reservation_of_another_initiator_is_respected(
    world: World, access: Access, destination: bool
) -> None:
    def guard(_unit: LogicalUnit, command: Command, _cdb: object, nexus: Nexus) -> Plan | None:
        assert nexus is world.nexus
        return Refused(Status.RESERVATION_CONFLICT) if command.access is access else None

    world.target.units[1].guard(Concern.RESERVATION, guard)
    between = (0, 1) if destination else (1, 0)
    outcome = copy(world, blocks(8, between=between))
    if destination == (access is Access.WRITE):
        said = Forwarded(destination, Status.RESERVATION_CONFLICT)
        assert outcome == aborted(FAILURE, said=said)
    else:
        assert outcome == Done()


def test_storage_that_fails_aborts_the_copy(world: World) -> None:
    world.disks[0].fails.add("read")
    said = check_condition(unrecovered_read(8), destination=False)
    assert copy(world, verify(), blocks(8, 8)) == aborted(FAILURE, 1, said=said)
    world.disks[0].fails.clear()
    world.disks[1].fails.add("write")
    said = check_condition(write_error(3), destination=True)
    assert copy(world, blocks(8, 8, 3)) == aborted(FAILURE, said=said)


def test_a_copy_may_be_made_where_nothing_is_stored(world: World) -> None:
    at_once(world.disks[0].unmap(0, 1000))
    world.target.units[1].thin = True
    assert copy(world, blocks(800)) == Done()
    assert world.disks[1].steps == ["unmap 0 100"]
