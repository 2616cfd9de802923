"""Thin disks, from the initiators' side of the wire."""

from __future__ import annotations

import pytest

from tests.server.conftest import Build
from tests.server.peer import BLOCK, write10
from trioscsi import BlockDevice, MemoryDisk, PatternDisk, ReadOnly, Thin
from trioscsi.scsi import SenseKey, Status


async def test_a_write_that_finds_no_room_is_told_so_and_an_unmap_makes_room(build: Build) -> None:
    peer = await build(Thin(MemoryDisk("1TiB"), pool=Thin.SLICE)).log_in()
    whole = Thin.SLICE // BLOCK
    await peer.write(0, b"w" * Thin.SLICE)
    answer = await peer.do(write10(whole, 1), b"w" * BLOCK)
    assert answer.status == Status.CHECK_CONDITION
    assert answer.sense_code == (SenseKey.DATA_PROTECT, 0x2707)
    await peer.write(0, b"v" * BLOCK)
    parameters = bytes.fromhex("0016 0010 00000000 0000000000000000") + whole.to_bytes(4) + bytes(4)
    assert (await peer.do(b"\x42" + bytes(7) + b"\x18\0", parameters)).status == Status.GOOD
    await peer.write(whole, b"w" * BLOCK)
    assert await peer.read(0, 1) == bytes(BLOCK)


@pytest.mark.parametrize(
    ("disk", "thin"),
    [
        (MemoryDisk("1MiB"), True),
        (ReadOnly(MemoryDisk("1MiB")), True),
        (PatternDisk("1MiB"), False),
    ],
)
async def test_a_unit_is_thin_if_its_disk_is(build: Build, disk: BlockDevice, thin: bool) -> None:
    peer = await build(disk).log_in()
    capacity = await peer.do(bytes.fromhex("9e10 0000000000000000 00000020 0000"), reads=32)
    assert capacity.data[14] == (0xC0 if thin else 0)
