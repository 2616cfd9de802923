"""Copies that a target makes by itself, from the initiators' side of the wire."""

from __future__ import annotations

from tests.server.conftest import Build
from tests.server.peer import BLOCK, TEST_UNIT_READY, read10
from tests.server.tokens import token_of, use
from trioscsi import MemoryDisk
from trioscsi.scsi import SenseKey, Status


async def test_a_copy_is_made_between_disks(build: Build) -> None:
    peer = await build(MemoryDisk("1MiB"), MemoryDisk("1MiB", block_size=4096)).log_in()
    await peer.do(TEST_UNIT_READY, unit=1)
    await peer.write(8, b"c" * 4096)
    token = await token_of(peer, 8, 8)
    assert (await use(peer, token, 100, 1, unit=1)).status == Status.GOOD
    assert (await peer.do(read10(100, 1), reads=4096, unit=1)).data == b"c" * 4096


async def test_a_write_at_once_revokes_a_token(build: Build) -> None:
    peer = await build(MemoryDisk("1MiB")).log_in()
    tokens = [await token_of(peer, 8, 8) for _ in range(2)]
    assert tokens[0] != tokens[1]
    await peer.write(16, b"n" * BLOCK)
    assert (await use(peer, tokens[0], 100, 8)).status == Status.GOOD
    await peer.write(15, b"n" * BLOCK)
    for token in tokens:
        assert (await use(peer, token, 100, 8)).sense_code == (SenseKey.ILLEGAL_REQUEST, 0x2306)
