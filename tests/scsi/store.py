"""Storage in a bytearray, and the performing of plans on it: no iSCSI, no trio, nothing waits."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from types import coroutine
from typing import Any, NamedTuple, TypeVar

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi import (
    LogicalUnit,
    Nexus,
    Outcome,
    Plan,
    Procedure,
    Read,
    Receive,
    Refusal,
    Reply,
    Sense,
    Write,
)
from trioscsi.scsi.plan import Done
from trioscsi.scsi.storage import Buffer, Storage

T = TypeVar("T")


class Run(NamedTuple):
    lba: int
    blocks: int
    mapped: bool


class Room(NamedTuple):
    used: int
    free: int | None


@attrs.define(eq=False)
class Blocks:
    """The storage of one unit; ``others`` are those of its target, by LUN.

    ``steps`` are the calls that changed something, or that held blocks, in their order.
    """

    unit: LogicalUnit
    others: dict[int, Blocks] = attrs.field(factory=dict)
    data: bytearray = attrs.field(init=False)
    mapped: set[int] = attrs.field(factory=set)
    steps: list[str] = attrs.field(factory=list)
    saved: dict[str, bytes] = attrs.field(factory=dict)
    jobs: list[Callable[[], Awaitable[None]]] = attrs.field(factory=list)
    aborted: list[Nexus] = attrs.field(factory=list)
    overtaken: list[Sense] = attrs.field(factory=list)
    """The nexuses whose commands were to be ended."""
    fails: set[str] = attrs.field(factory=set)
    """The names of the methods that fail."""
    room: Room | None = None
    """What `space` says."""
    watches: list[tuple[int, int, Callable[[], None]]] = attrs.field(factory=list)
    rationed: list[int] = attrs.field(factory=list)
    """The blocks that a long work wanted to write."""
    at_once: int = 2**64
    """How many of them it may."""
    busy: bool = False
    """Whether no job may be added."""

    def __attrs_post_init__(self) -> None:
        self.data = bytearray(self.unit.blocks * self.unit.block_size)

    def _do(self, name: str, *numbers: int) -> None:
        if name in self.fails:
            raise BackendError(f"{name} fails, as it was told to")
        self.steps.append(" ".join([name, *map(str, numbers)]))

    def _change(self, lba: int, blocks: int) -> slice:
        place = self._place(lba, blocks)
        for start, count, changing in list(self.watches):
            if start < lba + blocks and lba < start + count:
                changing()
        return place

    def _place(self, lba: int, blocks: int) -> slice:
        assert blocks > 0, "bounds were checked"
        assert 0 <= lba <= self.unit.blocks - blocks, "bounds were checked"
        return slice(lba * self.unit.block_size, (lba + blocks) * self.unit.block_size)

    async def read(self, lba: int, blocks: int) -> Buffer:
        if "read" in self.fails:
            raise BackendError("read fails, as it was told to")
        return bytes(self.data[self._place(lba, blocks)])

    async def write(self, lba: int, data: Buffer) -> None:
        blocks = len(data) // self.unit.block_size
        assert len(data) == blocks * self.unit.block_size, "whole blocks"
        self._do("write", lba, blocks)
        self.data[self._change(lba, blocks)] = data
        self.mapped.update(range(lba, lba + blocks))

    async def flush(self) -> None:
        self._do("flush")

    async def compare_and_write(self, lba: int, expected: Buffer, data: Buffer) -> int | None:
        found = await self.read(lba, len(data) // self.unit.block_size)
        if found != expected:
            return next(i for i in range(len(data)) if found[i] != expected[i])
        await self.write(lba, data)
        return None

    async def write_atomic(self, lba: int, data: Buffer) -> None:
        await self.write(lba, data)
        self.steps[-1] = self.steps[-1].replace("write", "write atomically")

    async def zero(self, lba: int, blocks: int) -> None:
        self._do("zero", lba, blocks)
        place = self._change(lba, blocks)
        self.data[place] = bytes(place.stop - place.start)

    async def unmap(self, lba: int, blocks: int) -> None:
        self._do("unmap", lba, blocks)
        place = self._change(lba, blocks)
        self.data[place] = bytes(place.stop - place.start)
        self.mapped.difference_update(range(lba, lba + blocks))

    async def extents(self, lba: int, blocks: int) -> Sequence[Run]:
        if "extents" in self.fails:
            raise BackendError("extents fails, as it was told to")
        runs: list[Run] = []
        for block in range(lba, lba + blocks):
            mapped = block in self.mapped
            if runs and runs[-1].mapped == mapped:
                runs[-1] = runs[-1]._replace(blocks=runs[-1].blocks + 1)
            else:
                runs.append(Run(block, 1, mapped))
        return runs

    async def space(self) -> Room | None:
        return self.room

    @asynccontextmanager
    async def exclusive(self, lba: int, blocks: int) -> AsyncIterator[Storage]:
        self._do("hold", lba, blocks)
        yield self
        self._do("let go", lba, blocks)

    def watch(self, lba: int, blocks: int, changing: Callable[[], None]) -> Callable[[], None]:
        watch = (lba, blocks, changing)
        self.watches.append(watch)
        return lambda: self.watches.remove(watch)

    def of(self, unit: LogicalUnit) -> Blocks:
        return self if unit is self.unit else self.others[unit.number]

    def later(self, job: Callable[[], Awaitable[None]]) -> bool:
        if not self.busy:
            self.jobs.append(job)
        return not self.busy

    async def outlasting(self, job: Callable[[], Awaitable[None]]) -> bool:
        if not self.busy:
            with suppress(BackendError):
                await job()
        return not self.busy

    async def ration(self, blocks: int) -> int:
        self.rationed.append(blocks)
        return min(blocks, self.at_once)

    async def save(self, name: str, data: bytes) -> None:
        self._do("save")
        self.saved[name] = data

    async def abort(self, nexuses: Collection[Nexus]) -> None:
        self._do("abort")
        self.aborted += nexuses

    def overtake(self, sense: Sense) -> Blocks:
        self.overtaken.append(sense)
        return self

    # What a test asks for.

    def perform(self, plan: Plan, data: bytes = b"") -> Outcome:
        """How a plan ends when it is performed here with this data."""
        match plan:
            case Read():
                return Reply(bytes(at_once(self.read(plan.lba, plan.blocks))))
            case Write():
                at_once(self.write(plan.lba, data))
                return Done()
            case Receive():
                return self.perform(plan.received(data[: plan.data_out]))
            case Procedure():
                try:
                    return at_once(plan.perform(self, memoryview(data)[: plan.data_out]))
                except Refusal as refusal:
                    return refusal.plan
            case _:
                return plan

    def run_jobs(self) -> None:
        """Do what was to be done later."""
        while self.jobs:
            at_once(_awaited(self.jobs.pop(0)()))


class Failing(Blocks):
    """Saves nothing, and takes its time to say so."""

    async def save(self, name: str, data: bytes) -> None:
        await _turn()
        raise BackendError("save fails, after a while")


@coroutine
def _turn() -> Generator[None, None, None]:
    yield


async def _awaited(job: Awaitable[None]) -> None:
    await job


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waits")
