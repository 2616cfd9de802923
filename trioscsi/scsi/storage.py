"""What the steps of a command are taken on: the blocks of a unit, as the device server sees them.

Whoever performs plans provides it; bounds have been checked, and BackendError says that storage
failed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.sense import Sense

Buffer = bytes | bytearray | memoryview


class Extent(Protocol):
    """A run of blocks that are alike: stored (``mapped``), or reading as zeroes for free."""

    @property
    def lba(self) -> int: ...
    @property
    def blocks(self) -> int: ...
    @property
    def mapped(self) -> bool: ...


class Space(Protocol):
    """How much room a unit takes where it lives, in bytes, and how much is left, if known."""

    @property
    def used(self) -> int: ...
    @property
    def free(self) -> int | None: ...


class Storage(Protocol):
    """The blocks of one unit, and what outlives its commands."""

    async def read(self, lba: int, blocks: int) -> Buffer:
        """The blocks from ``lba`` on; the buffer may show later writes."""

    async def write(self, lba: int, data: Buffer) -> None:
        """Replace the blocks from ``lba`` on."""

    async def flush(self) -> None:
        """Make durable what was written."""

    async def compare_and_write(self, lba: int, expected: Buffer, data: Buffer) -> int | None:
        """Replace the blocks from ``lba`` on if they are as expected; nothing comes in between.

        None: they were. A number: the offset of the first byte that differs; nothing is written.
        """

    async def write_atomic(self, lba: int, data: Buffer) -> None:
        """Replace the blocks from ``lba`` on, all or none. Only where the unit is ``atomic``."""

    async def zero(self, lba: int, blocks: int) -> None:
        """Replace blocks by zeroes, with as little writing as storage can do."""

    async def unmap(self, lba: int, blocks: int) -> None:
        """Give the space of blocks back where that is possible; they read as zeroes afterwards."""

    async def extents(self, lba: int, blocks: int) -> Sequence[Extent]:
        """What is stored and what is not, in order, from ``lba`` on: one block at least."""

    async def space(self) -> Space | None:
        """How much room the blocks take; None if that cannot be known."""

    def exclusive(self, lba: int, blocks: int) -> AbstractAsyncContextManager[Storage]:
        """A span of time in which no other command reads or writes these blocks.

        Within it, they are used through the storage that it gives, and others not at all.
        """

    def watch(self, lba: int, blocks: int, changing: Callable[[], None]) -> Callable[[], None]:
        """Call ``changing`` before one of these blocks changes, each time, until told to stop.

        What is returned stops it. A write that was on its way already counts when it is done.
        """

    def of(self, unit: LogicalUnit) -> Storage:
        """The storage of another unit of the same target."""

    def later(self, job: Callable[[], Awaitable[None]]) -> bool:
        """Let ``job`` go on after the command was answered; a BackendError of it is logged.

        False if so many go on already that this one may not.
        """

    async def outlasting(self, job: Callable[[], Awaitable[None]]) -> bool:
        """Like `later`, but wait until ``job`` has ended; it goes on if the command is aborted."""

    async def ration(self, blocks: int) -> int:
        """Wait until a long work may write some of so many blocks: how many, one at least.

        Commands of others are not to find that it has taken all the bandwidth.
        """

    async def save(self, name: str, data: bytes) -> None:
        """Keep ``data`` under a name of the unit: from now on a restart finds it.

        One that comes too early finds what was saved before. Only where the unit keeps state.
        """

    async def abort(self, nexuses: Collection[Nexus]) -> None:
        """End all commands that these nexuses gave to the unit, but for the one that asks for it.

        Afterwards, nothing of them can change a block any more.
        """

    def overtake(self, sense: Sense) -> Storage:
        """Let no other command that has come to the unit before change a block any more.

        Those that wait for their data end with ``sense``, and so do those that have begun, when
        they want the next blocks. The storage that is returned is for who says this.
        """
