from __future__ import annotations

import mmap

from trioscsi.backends import Abilities, BlockDevice, MemoryDisk, NullDisk, PatternDisk, ReadOnly
from trioscsi.backends.base import OPTIONAL, WRITING


class Plainest:
    block_size = 512
    blocks = 8

    async def read(self, lba: int, blocks: int) -> bytes:
        return bytes(512 * blocks)

    async def write(self, lba: int, data: object) -> None:
        pass


class Inheriting(BlockDevice):
    def __init__(self) -> None:
        self.block_size = 4096
        self.blocks = 8


def test_four_members_make_a_disk_that_can_do_nothing_else() -> None:
    assert Abilities.of(Plainest()) == Abilities()


def test_inheriting_from_the_base_promises_nothing_optional() -> None:
    assert Abilities.of(Inheriting()) == Abilities()


def test_a_method_that_is_there_is_found() -> None:
    disk = MemoryDisk("1MiB")
    able = Abilities.of(disk)
    assert able.unmap == disk.unmap
    assert able.flush is None
    assert not able.read_only


def test_a_read_only_disk_is_not_asked_to_write() -> None:
    class Protected(NullDisk):
        read_only = True

    able = Abilities.of(Protected("1MiB"))
    assert able.read_only
    assert able.read_now is not None
    assert all(getattr(able, name) is None for name in WRITING)
    assert Abilities.of(ReadOnly(NullDisk("1MiB"))).read_only


def test_a_disk_is_thin_if_its_blocks_can_be_unmapped() -> None:
    assert Abilities.of(MemoryDisk("1MiB")).thin
    assert not Abilities.of(Plainest()).thin


def test_a_read_only_disk_is_thin_if_it_tells_what_is_stored() -> None:
    assert Abilities.of(ReadOnly(MemoryDisk("1MiB"))).thin
    assert not Abilities.of(PatternDisk("1MiB")).thin


def test_the_granularity_is_that_of_the_disk_if_it_has_one() -> None:
    assert Abilities.of(MemoryDisk("1MiB")).granularity == mmap.PAGESIZE
    assert Abilities.of(ReadOnly(MemoryDisk("1MiB"))).granularity == mmap.PAGESIZE
    assert Abilities.of(Plainest()).granularity == 0


def test_the_writing_methods_are_optional_methods() -> None:
    assert set(WRITING) < set(OPTIONAL)
