"""A unit's blocks, as the steps of a command use them: see `trioscsi.scsi.Storage`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import attrs
import trio

from trioscsi import lun as luns
from trioscsi.backends import (
    Abilities,
    BlockDevice,
    Buffer,
    Extent,
    Gone,
    Space,
    WriteThrough,
)
from trioscsi.backends.base import Then
from trioscsi.difference import first_difference
from trioscsi.scsi import Failed, LogicalUnit, Nexus, Plan, Refusal, Sense
from trioscsi.server.ranges import Ranges
from trioscsi.server.supervised import Supervised

if TYPE_CHECKING:
    from trioscsi.protocol import Task
    from trioscsi.server.jobs import Jobs
    from trioscsi.server.keeper import Keeper

_ZEROES = memoryview(bytes(2**20))
"""What is written at once where a disk cannot zero blocks by itself."""


@attrs.define(eq=False)
class Unit:
    """A logical unit, the disk behind it, and which of its blocks are in use.

    While an initiator has switched the cache off (WCE), each write goes through it: ``disk`` and
    ``can`` are then those of a disk that has none, and nobody has to ask.
    """

    logical: LogicalUnit
    disk: BlockDevice
    backend: BlockDevice = attrs.field(init=False)
    """The disk as it was handed over."""
    supervised: Supervised = attrs.field(init=False)
    """The same, as far as commands may trust it."""
    fields: list[int] = attrs.field(init=False)
    """The LUN fields that address it, the first of them in what we say."""
    can: Abilities = attrs.field(init=False)
    ranges: Ranges = attrs.field(factory=Ranges, init=False)
    present: bool = attrs.field(default=True, init=False)
    """Whether commands find it; it may be about to go."""
    waiting: dict[Task, Sense | None] = attrs.field(factory=dict, init=False)
    """The commands that wait for storage, each with what ``overtaken`` was when it began to."""
    overtaken: Sense | None = attrs.field(default=None, init=False)
    """What those hear that came before the last work on the whole medium, another one each time."""

    def __attrs_post_init__(self) -> None:
        self.fields = luns.fields(self.logical.number)
        self.backend = self.disk
        cached = self.supervised = Supervised(self.backend)
        through = WriteThrough(cached)

        def choose() -> None:
            caches = self.logical.modes.wce or not self.logical.write_cache
            self.disk = cached if caches else through
            self.can = Abilities.of(self.disk)

        self.logical.modes.watch(choose)

    def begin_read(self, lba: int, blocks: int, then: Then) -> Buffer | None:
        """See `Abilities.begin_read`; also None if somebody wants blocks for himself."""
        if self.can.begin_read is None or not self._is_free_for_all(lba, blocks):
            return None
        claim = self.ranges.hold(lba, blocks)
        self.ranges.enter(claim)
        buffer = None
        try:
            buffer = self.can.begin_read(lba, blocks, claim.until(then))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the backend's
            self.supervised.fault("begin_read", error)  # it will be said of what waits instead
        if buffer is None:
            self.ranges.leave(claim)
        return buffer

    def begin_write(self, lba: int, data: Buffer, then: Then, owner: object) -> bool:
        """See `Abilities.begin_write`; also False if somebody wants blocks for himself, or to know.

        What is written is held for ``owner``, see `Ranges.isolate`.
        """
        blocks = len(data) // self.disk.block_size
        if self.can.begin_write is None or not self._is_free_for_all(lba, blocks):
            return False
        claim = self.ranges.hold(lba, blocks, owner=owner)
        self.ranges.enter(claim)
        has_begun = False
        try:
            has_begun = self.can.begin_write(lba, data, claim.until(then))
        except Exception as error:  # noqa: BLE001 - as above
            self.supervised.fault("begin_write", error)
        if not has_begun:
            self.ranges.leave(claim)
        return has_begun

    def _is_free_for_all(self, lba: int, blocks: int) -> bool:
        """Whether blocks can be shared at once, and are still there."""
        return not self.ranges.exclusive and lba + blocks <= self.logical.blocks

    async def withdraw(self) -> None:
        """Wait until nothing uses the disk any more: work that comes back to it finds it gone."""
        self.disk = Gone(self.backend)
        self.can = Abilities.of(self.disk)
        async with self.ranges.hold(0, self.logical.blocks, exclusive=True):
            pass


@attrs.frozen
class UnitStorage:
    """The storage of one unit.

    Each read and write waits for those that have the blocks for themselves; ``alone`` is true for
    the storage of one that has.  What is written is held for ``owner``, see `Ranges.isolate`.
    """

    unit: Unit
    unit_of: Callable[[LogicalUnit], Unit]
    jobs: Jobs
    keeper: Keeper
    abort_tasks: Callable[[Unit, Collection[Nexus]], Awaitable[None]]
    divert: Callable[[Unit, Callable[[Task], Plan | None]], None]
    owner: object = None
    alone: bool = False
    epoch: Sense | None = attrs.field(
        default=attrs.Factory(lambda storage: storage.unit.overtaken, takes_self=True)
    )
    """What ``Unit.overtaken`` was when the command came."""

    async def read(self, lba: int, blocks: int) -> Buffer:
        """See `Storage.read`."""
        async with self._hold(lba, blocks):
            self._check(lba, blocks)
            return await self.unit.disk.read(lba, blocks)

    async def write(self, lba: int, data: Buffer) -> None:
        """See `Storage.write`."""
        blocks = len(data) // self.unit.disk.block_size
        async with self._hold(lba, blocks, self.owner):
            self._change(lba, blocks)
            await self.unit.disk.write(lba, data)

    async def flush(self) -> None:
        """See `Storage.flush`."""
        if self.unit.can.flush is not None:
            await self.unit.can.flush()

    async def compare_and_write(self, lba: int, expected: Buffer, data: Buffer) -> int | None:
        """See `Storage.compare_and_write`."""
        blocks = len(data) // self.unit.disk.block_size
        compare_and_write = self.unit.can.compare_and_write
        if compare_and_write is not None:
            async with self._hold(lba, blocks, self.owner):
                self._change(lba, blocks)
                return await compare_and_write(lba, expected, data)
        async with nullcontext(self) if self.alone else self.exclusive(lba, blocks) as alone:
            offset = first_difference(await alone.read(lba, blocks), expected)
            if offset is None:
                await alone.write(lba, data)
            return offset

    async def write_atomic(self, lba: int, data: Buffer) -> None:
        """See `Storage.write_atomic`."""
        assert self.unit.can.write_atomic is not None, "the unit is not atomic"
        blocks = len(data) // self.unit.disk.block_size
        async with self._hold(lba, blocks, self.owner):
            self._change(lba, blocks)
            await self.unit.can.write_atomic(lba, data)

    async def zero(self, lba: int, blocks: int) -> None:
        """See `Storage.zero`."""
        async with self._hold(lba, blocks, self.owner):
            self._change(lba, blocks)
            if self.unit.can.write_zeroes is not None:
                await self.unit.can.write_zeroes(lba, blocks)
                return
            block_size = self.unit.disk.block_size
            step = len(_ZEROES) // block_size
            for first in range(lba, lba + blocks, step):
                count = min(step, lba + blocks - first)
                await self.unit.disk.write(first, _ZEROES[: count * block_size])

    async def unmap(self, lba: int, blocks: int) -> None:
        """See `Storage.unmap`."""
        if self.unit.can.unmap is None:
            await self.zero(lba, blocks)
            return
        async with self._hold(lba, blocks, self.owner):
            self._change(lba, blocks)
            await self.unit.can.unmap(lba, blocks)

    async def extents(self, lba: int, blocks: int) -> Sequence[Extent]:
        """See `Storage.extents`."""
        self._check(lba, blocks)
        if self.unit.can.extents is None:
            return [Extent(lba, blocks, mapped=True)]
        return await self.unit.can.extents(lba, blocks)

    async def space(self) -> Space | None:
        """See `Storage.space`."""
        return None if self.unit.can.space is None else await self.unit.can.space()

    @asynccontextmanager
    async def exclusive(self, lba: int, blocks: int) -> AsyncIterator[UnitStorage]:
        """See `Storage.exclusive`."""
        async with self.unit.ranges.hold(lba, blocks, exclusive=True):
            self._check_epoch()
            yield attrs.evolve(self, alone=True)

    def watch(self, lba: int, blocks: int, changing: Callable[[], None]) -> Callable[[], None]:
        """See `Storage.watch`."""
        return self.unit.ranges.watch(lba, blocks, changing)

    def of(self, unit: LogicalUnit) -> UnitStorage:
        """See `Storage.of`."""
        other = self.unit_of(unit)
        return attrs.evolve(self, unit=other, alone=False, epoch=other.overtaken)

    def later(self, job: Callable[[], Awaitable[None]]) -> bool:
        """See `Storage.later`."""
        logical = self.unit.logical
        name = f"job of {logical.target_name} LUN {logical.number}"
        return self.jobs.start(job, name, self.unit)

    async def outlasting(self, job: Callable[[], Awaitable[None]]) -> bool:
        """See `Storage.outlasting`."""
        ended = trio.Event()

        async def run() -> None:
            try:
                await job()
            finally:
                ended.set()

        if not self.later(run):
            return False
        await ended.wait()
        return True

    async def ration(self, blocks: int) -> int:
        """See `Storage.ration`."""
        block_size = self.unit.disk.block_size
        return await self.jobs.pace.ration(blocks * block_size, block_size) // block_size

    async def save(self, name: str, data: bytes) -> None:
        """See `Storage.save`."""
        await self.keeper.save(self.unit.logical.number, name, data)

    async def abort(self, nexuses: Collection[Nexus]) -> None:
        """See `Storage.abort`."""
        await self.abort_tasks(self.unit, nexuses)

    def overtake(self, sense: Sense) -> UnitStorage:
        """See `Storage.overtake`."""
        self.unit.overtaken = attrs.evolve(sense)
        self.divert(self.unit, lambda _: Failed(sense))
        return attrs.evolve(self, epoch=self.unit.overtaken)

    def _hold(
        self, lba: int, blocks: int, owner: object = None
    ) -> AbstractAsyncContextManager[None]:
        """Share blocks with all who do not want them for themselves."""
        if self.alone:
            return nullcontext()
        return self.unit.ranges.hold(lba, blocks, owner=owner)

    def _change(self, lba: int, blocks: int) -> None:
        """Blocks that are held are about to change: tell those who want to know.

        Raises Refusal if the disk has them no more, or it was worked on since the command came.
        """
        self._check(lba, blocks)
        if not self.alone:
            self._check_epoch()
        self.unit.ranges.changing(lba, blocks)

    def _check(self, lba: int, blocks: int) -> None:
        """Raise Refusal for blocks that the disk had when the command was looked at."""
        self.unit.logical.check_lba(lba, blocks)

    def _check_epoch(self) -> None:
        """Raise Refusal if the whole medium was worked on since the command came."""
        latest = self.unit.overtaken
        if latest is not None and latest is not self.epoch:
            raise Refusal(latest)
