from __future__ import annotations

import tracemalloc
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.copy.world import World
from tests.scsi.store import at_once
from trioscsi.errors import BackendError, OutOfSpace
from trioscsi.scsi.complaints import SPACE_ALLOCATION_FAILED, unrecovered_read, write_error
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.mover import Place, Trouble, move

ROOM = 24 * 4096
"""The bytes of each unit that the property uses."""


def place(world: World, lun: int, offset: int) -> Place:
    disk = world.disks[lun]
    return Place(disk.unit, disk, offset)


def nothing() -> None:
    pass


def run(source: Place, destination: Place, length: int) -> list[int]:
    moved: list[int] = []
    at_once(move(source, destination, length, nothing, moved.append))
    return moved


@given(
    st.sampled_from([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]),
    st.integers(0, ROOM // 2) | st.integers(0, 12).map(lambda n: n * 4096),
    st.integers(0, ROOM // 2) | st.integers(0, 12).map(lambda n: n * 4096),
    st.integers(0, ROOM // 2) | st.integers(0, 12).map(lambda n: n * 4096),
    st.sets(st.integers(0, ROOM // 4096)),
    st.booleans(),
)
def test_bytes_are_moved_as_if_they_were_lifted_first(
    luns: tuple[int, int], start: int, to: int, length: int, holes: set[int], thin: bool
) -> None:
    world = World()
    source, destination = (world.disks[lun] for lun in luns)
    destination.unit.thin = thin
    for hole in holes:
        size = 4096 // source.unit.block_size
        at_once(source.unmap(hole * size, size))
    expected = bytearray(destination.data)
    expected[to : to + length] = source.data[start : start + length]
    before = bytes(source.data)
    with patch.object(bounds, "CHUNK", 8192):
        moved = run(place(world, luns[0], start), place(world, luns[1], to), length)
    assert destination.data == expected
    assert sum(moved) == length
    if luns[0] != luns[1]:
        assert source.data == before


def test_large_pieces_end_where_blocks_end(world: World) -> None:
    with patch.object(bounds, "CHUNK", 8192):
        run(place(world, 0, 512), place(world, 1, 4096), 20_480)
    assert [step for step in world.disks[1].steps if "write" in step] == [
        "write 1 1",
        "write 2 2",
        "write 4 2",
    ]


def test_pieces_are_not_all_thought_of_before_the_last_is_moved(world: World) -> None:
    world.disks[0].fails.add("read")
    tracemalloc.start()
    with pytest.raises(Trouble):
        run(place(world, 0, 0), place(world, 0, 512), 2**40)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_what_is_not_stored_is_not_read_and_not_stored_again(world: World) -> None:
    source, destination = world.disks[0], world.disks[1]
    destination.unit.thin = True
    at_once(source.unmap(8, 16))
    run(place(world, 0, 0), place(world, 1, 0), 32 * 512)
    assert destination.steps == ["write 0 1", "unmap 1 2", "write 3 1"]


def test_a_unit_that_is_not_thin_gets_zeroes(world: World) -> None:
    at_once(world.disks[0].unmap(8, 16))
    run(place(world, 0, 8 * 512), place(world, 1, 0), 16 * 512)
    assert world.disks[1].steps == ["zero 0 2"]


def test_a_hole_smaller_than_a_block_is_copied(world: World) -> None:
    source = world.disks[0]
    at_once(source.unmap(0, 1))
    run(place(world, 0, 0), place(world, 1, 0), 4096)
    assert world.disks[1].steps == ["write 0 1"]
    assert world.disks[1].data[:4096] == source.data[:4096]


def test_a_block_that_is_filled_in_part_is_held_meanwhile(world: World) -> None:
    run(place(world, 0, 100), place(world, 1, 4000), 200)
    assert world.disks[1].steps == ["hold 0 2", "write 0 2", "let go 0 2"]


def test_no_bytes_are_no_work(world: World) -> None:
    assert run(place(world, 0, 0), place(world, 1, 0), 0) == []
    assert at_once(place(world, 0, 0).read(0)) == b""
    at_once(place(world, 0, 0).write(b""))
    assert world.disks[0].steps == world.disks[1].steps == []


@pytest.mark.parametrize(
    ("lun", "method", "writing", "lba"),
    [
        (0, "read", False, 8),
        (0, "extents", False, 8),
        (1, "write", True, 2),
        (1, "zero", True, 2),
    ],
)
def test_storage_that_fails_is_told_with_the_block(
    world: World, lun: int, method: str, writing: bool, lba: int
) -> None:
    if method == "zero":
        at_once(world.disks[0].unmap(8, 8))
    world.disks[lun].fails.add(method)
    with pytest.raises(Trouble) as trouble:
        run(place(world, 0, 8 * 512), place(world, 1, 2 * 4096), 4096)
    assert (trouble.value.writing, trouble.value.lba) == (writing, lba)
    assert isinstance(trouble.value.__cause__, BackendError)


def test_a_block_in_part_that_cannot_be_read_cannot_be_written(world: World) -> None:
    world.disks[1].fails.add("read")
    with pytest.raises(Trouble) as trouble:
        at_once(place(world, 1, 5000).write(b"x"))
    assert trouble.value.writing


def test_whoever_checks_can_stop_it_before_anything_is_written(world: World) -> None:
    class Stop(Exception):
        pass

    def check() -> None:
        raise Stop

    at_once(world.disks[0].unmap(0, 8))
    for source in (place(world, 0, 0), place(world, 0, 8 * 512), place(world, 1, 4000)):
        with pytest.raises(Stop):
            at_once(move(source, place(world, 1, 4096), 8192, check, lambda _: None))
    assert world.disks[1].steps == []


def test_what_a_unit_says_to_trouble_names_the_block() -> None:
    error = BackendError("broken")
    assert Trouble(error, 7, writing=False).sense == unrecovered_read(7)
    assert Trouble(error, 7, writing=True).sense == write_error(7)
    assert Trouble(OutOfSpace("full"), 7, writing=True).sense == SPACE_ALLOCATION_FAILED
