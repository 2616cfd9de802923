"""Every backend that stores is a bytearray, whatever is done to it and by whichever method."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from trioscsi.backends import (
    Abilities,
    BlockDevice,
    FileDisk,
    MemoryDisk,
    Slow,
    Thin,
    in_thread,
)

BLOCKS = 700  # with 512 bytes a block more than one of the chunks that MemoryDisk keeps


class SyncBytes:
    """The simplest synchronous disk."""

    blocks = BLOCKS

    def __init__(self, block_size: int) -> None:
        self.block_size = block_size
        self.content = bytearray(BLOCKS * block_size)

    def read(self, lba: int, blocks: int) -> bytes:
        return bytes(self.content[lba * self.block_size :][: blocks * self.block_size])

    def write(self, lba: int, data: bytes) -> None:
        start = lba * self.block_size
        self.content[start : start + len(data)] = data


@contextmanager
def memory(block_size: int) -> Iterator[BlockDevice]:
    yield MemoryDisk(BLOCKS * block_size, block_size=block_size)


@contextmanager
def wrapped(block_size: int) -> Iterator[BlockDevice]:
    yield Slow(MemoryDisk(BLOCKS * block_size, block_size=block_size))


@contextmanager
def thin(block_size: int) -> Iterator[BlockDevice]:
    yield Thin(MemoryDisk(BLOCKS * block_size, block_size=block_size), pool="1GiB")


@contextmanager
def threaded(block_size: int) -> Iterator[BlockDevice]:
    yield in_thread(SyncBytes(block_size))


@contextmanager
def file(block_size: int, *, parent: str | None = None) -> Iterator[BlockDevice]:
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        yield FileDisk(
            Path(directory) / "disk.img", size=BLOCKS * block_size, block_size=block_size
        )


Kind: TypeAlias = Callable[[int], AbstractContextManager[BlockDevice]]
KINDS: list[Kind] = [memory, wrapped, thin, threaded, file]
if os.access("/dev/shm", os.W_OK):
    KINDS.append(partial(file, parent="/dev/shm"))

lba = st.integers(0, BLOCKS - 1)
length = st.integers(1, 20) | st.integers(1, BLOCKS)
operations = st.lists(
    st.tuples(
        st.sampled_from(["read", "write", "unmap", "write_zeroes", "flush"]),
        lba,
        length,
        st.booleans(),
    ),
    max_size=20,
)


@pytest.mark.parametrize("block_size", [512, 4096])
@pytest.mark.parametrize(
    "kind", KINDS, ids=["memory", "wrapped", "thin", "threaded", "file", "shm"][: len(KINDS)]
)
@given(operations)
@settings(max_examples=25, deadline=None)
def test_a_disk_is_a_bytearray(
    kind: Kind,
    block_size: int,
    operations: list[tuple[str, int, int, bool]],
) -> None:
    trio.run(partial(compare, kind, block_size, operations))


async def compare(
    kind: Kind, block_size: int, operations: list[tuple[str, int, int, bool]]
) -> None:
    model = bytearray(BLOCKS * block_size)
    with kind(block_size) as disk:
        able = Abilities.of(disk)
        for number, (operation, lba, blocks, now) in enumerate(operations, 1):
            blocks = min(blocks, BLOCKS - lba)
            start, end = lba * block_size, (lba + blocks) * block_size
            match operation:
                case "read":
                    data = able.read_now(lba, blocks) if now and able.read_now else None
                    assert (data or await disk.read(lba, blocks)) == model[start:end]
                case "write":
                    data = memoryview(bytes([number]) * (end - start))
                    if not (now and able.write_now and able.write_now(lba, data)):
                        await disk.write(lba, data)
                    model[start:end] = data
                case "flush":
                    if able.flush:
                        await able.flush()
                case _:
                    if method := getattr(able, operation):
                        await method(lba, blocks)
                        model[start:end] = bytes(end - start)
        assert await disk.read(0, BLOCKS) == model
        await agree_about_extents(able, model, block_size)
        if able.close:
            await able.close()


async def agree_about_extents(able: Abilities, model: bytearray, block_size: int) -> None:
    if able.extents is None:
        return
    at = 0
    for extent in await able.extents(0, BLOCKS):
        assert extent.lba == at
        at += extent.blocks
        if not extent.mapped:
            assert not any(model[extent.lba * block_size : at * block_size])
    assert at == BLOCKS
