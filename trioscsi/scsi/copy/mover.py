"""Moving bytes from blocks of one unit to blocks of another, whatever the sizes of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.complaints import storage_failure
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.sense import SenseKey

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.sense import Sense
    from trioscsi.scsi.storage import Storage


class Trouble(Exception):
    """A unit could not be read, or (``writing``) not be written, at ``lba``."""

    def __init__(self, error: BackendError, lba: int, *, writing: bool) -> None:
        super().__init__(error, lba)
        self.error, self.lba, self.writing = error, lba, writing

    @property
    def sense(self) -> Sense:
        """What the unit says to that."""
        sense = storage_failure(self.error, reading=not self.writing)
        if sense.key is SenseKey.MEDIUM_ERROR:
            return attrs.evolve(sense, information=self.lba)
        return sense


@attrs.frozen
class Place:
    """The bytes of a unit from ``offset`` on."""

    unit: LogicalUnit
    storage: Storage
    offset: int

    def __add__(self, count: int) -> Place:
        return attrs.evolve(self, offset=self.offset + count)

    @property
    def lba(self) -> int:
        """The block of the first byte."""
        return self.offset // self.unit.block_size

    @property
    def inside(self) -> int:
        """Where in that block it is."""
        return self.offset % self.unit.block_size

    def blocks(self, length: int) -> int:
        """How many blocks the bytes touch."""
        return -(-(self.inside + length) // self.unit.block_size)

    async def read(self, length: int) -> bytes:
        """Bytes that no later write changes. Raises Trouble."""
        if not length:
            return b""
        try:
            data = await self.storage.read(self.lba, self.blocks(length))
        except BackendError as error:
            raise Trouble(error, self.lba, writing=False) from error
        return bytes(memoryview(data)[self.inside : self.inside + length])

    async def write(self, data: bytes) -> None:
        """Replace bytes; the rest of a block that they fill in part stays. Raises Trouble."""
        blocks = self.blocks(len(data))
        whole = blocks * self.unit.block_size
        try:
            if len(data) == whole:
                if data:
                    await self.storage.write(self.lba, data)
                return
            async with self.storage.exclusive(self.lba, blocks) as storage:
                merged = bytearray(await storage.read(self.lba, blocks))
                merged[self.inside : self.inside + len(data)] = data
                await storage.write(self.lba, merged)
        except BackendError as error:
            raise Trouble(error, self.lba, writing=True) from error

    async def zero(self, length: int) -> None:
        """Replace whole blocks by zeroes, which a thin unit need not store. Raises Trouble."""
        method = self.storage.unmap if self.unit.thin else self.storage.zero
        try:
            await method(self.lba, length // self.unit.block_size)
        except BackendError as error:
            raise Trouble(error, self.lba, writing=True) from error

    async def hole(self, length: int) -> tuple[int, bool]:
        """How many of the next whole blocks (in bytes) are alike, and whether all are zeroes.

        Raises Trouble.
        """
        block_size = self.unit.block_size
        blocks = min(length, bounds.HOLES) // block_size
        try:
            extents = await self.storage.extents(self.lba, blocks)
        except BackendError as error:
            raise Trouble(error, self.lba, writing=False) from error
        return min(extents[0].blocks, blocks) * block_size, not extents[0].mapped


async def move(
    source: Place,
    destination: Place,
    length: int,
    check: Callable[[], None],
    moved: Callable[[int], None],
) -> None:
    """Copy ``length`` bytes, piece by piece, so that even overlapping places end as they should.

    ``check`` is called before each piece is written and may raise; ``moved`` hears of its length.
    Raises Trouble.
    """
    same = source.unit is destination.unit
    if same and source.offset < destination.offset < source.offset + length:
        for start, count in _pieces(destination, length, backwards=True):
            data = await (source + start).read(count)
            check()
            await (destination + start).write(data)
            moved(count)
        return
    done = 0
    while done < length:
        done += await _move_some(source + done, destination + done, length - done, check, moved)


async def _move_some(
    source: Place,
    destination: Place,
    length: int,
    check: Callable[[], None],
    moved: Callable[[int], None],
) -> int:
    """Move the next bytes that are alike; zeroes that are not stored are not read either."""
    coarser = max(source.unit.block_size, destination.unit.block_size)
    run, empty = length, False
    if not source.inside and not destination.inside and length >= coarser:
        alike, empty = await source.hole(length)
        run = alike // coarser * coarser
        if not run:
            run, empty = coarser, False
    if empty:
        check()
        await destination.zero(run)
        moved(run)
        return run
    for start, count in _pieces(destination, run):
        data = await (source + start).read(count)
        check()
        await (destination + start).write(data)
        moved(count)
    return run


def _pieces(
    destination: Place, length: int, *, backwards: bool = False
) -> Iterator[tuple[int, int]]:
    """Where the pieces begin and how long they are; they end where blocks of a unit end."""
    starts = range(-(destination.offset % bounds.CHUNK), length, bounds.CHUNK)
    for chunk in reversed(starts) if backwards else starts:
        start = max(chunk, 0)
        yield start, min(chunk + bounds.CHUNK, length) - start
