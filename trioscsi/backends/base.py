"""What a disk is: four things that every backend has, and those that it may have.

A backend is any class with the members of `BlockDevice`; inheriting from it is possible and not
needed. What else it can do, it declares by having the method: `Abilities` lists them. A method
that is absent costs nothing; the layer above does without it or says so to the initiator.

The rules of every method:

- Bounds have been checked: ``lba`` and ``blocks`` lie within the disk, ``blocks`` is at least 1,
  data is a whole number of blocks.
- Calls overlap; their order is the caller's business.
- `BackendError` says that storage failed, `OutOfSpace` that it is full; an OSError is understood
  too. Anything else is taken for a mistake: the command fails, the log has the traceback.
- What is under way in a thread or in a library cannot be called off. A method that is cancelled
  then returns late, and never while somebody else still uses the caller's buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import attrs

from trioscsi.errors import BackendError

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes that are handed over without a copy; a memoryview has the format ``B``."""

Then: TypeAlias = Callable[[BackendError | None], None]
"""Called once, by the loop, when something has ended that goes on by itself; never before whoever
began it has returned. An error says that it failed.
"""

T = TypeVar("T")
Later: TypeAlias = Coroutine[Any, Any, T]
"""What calling an ``async def`` gives."""


class Extent(NamedTuple):
    """A run of blocks that are alike: stored (``mapped``), or reading as zeroes for free."""

    lba: int
    blocks: int
    mapped: bool


class Space(NamedTuple):
    """How much room a disk takes where it lives, in bytes, and how much is left for it.

    ``free`` is None where that cannot be known.
    """

    used: int
    free: int | None


class BlockDevice(Protocol):
    """The four members that every backend has."""

    block_size: int
    """Bytes in a block: 512 or 4096, of a CD-ROM 2048."""

    blocks: int
    """The capacity, in blocks."""

    async def read(self, lba: int, blocks: int, /) -> Buffer:
        """The blocks from ``lba`` on.

        The buffer is read and let go, never written. It may be a window on the medium that shows
        later writes.
        """

    async def write(self, lba: int, data: Buffer, /) -> None:
        """Replace the blocks from ``lba`` on. They are durable after the next `flush`."""


@attrs.frozen(kw_only=True)
class Abilities:
    """What a disk can do beyond `BlockDevice`, looked up once: each a method, or None."""

    read_only: bool = False
    """An attribute: True if the disk is write-protected. It is then never asked to write."""

    optical: bool = False
    """An attribute: True if initiators are to see a CD-ROM."""

    physical_block_size: int | None = None
    """An attribute: the bytes that storage writes at once, if they are not ``block_size``.

    Initiators then write whole physical blocks where they can.
    """
    granularity: int = 0
    """An attribute: bytes of the pieces, from the first byte on, in which space is given back."""

    flush: Callable[[], Later[None]] | None = None
    """``flush()``: every write that has returned survives a loss of power.

    A disk without it has no cache that can be lost, or nothing that survives anyway.
    """

    unmap: Callable[[int, int], Later[None]] | None = None
    """``unmap(lba, blocks)``: give the space back; the blocks read as zeroes from now on."""

    write_zeroes: Callable[[int, int], Later[None]] | None = None
    """``write_zeroes(lba, blocks)``: like writing zeroes, without sending them."""

    extents: Callable[[int, int], Later[Sequence[Extent]]] | None = None
    """``extents(lba, blocks)``: what is stored and what is not, in order, from ``lba`` on.

    The answer may end before the range does; it covers one block at least.
    """

    space: Callable[[], Later[Space]] | None = None
    """``space()``: how much room the disk takes, and how much there is."""

    compare_and_write: Callable[[int, Buffer, Buffer], Later[int | None]] | None = None
    """``compare_and_write(lba, expected, data)``: write if the blocks are as expected, atomically.

    None: they were, and are replaced. A number: the offset of the first byte that differs.
    """

    write_atomic: Callable[[int, Buffer], Later[None]] | None = None
    """``write_atomic(lba, data)``: `BlockDevice.write` of all the blocks or none.

    Whatever ends it: an error, the end of the program, a loss of power.
    """

    resize: Callable[[int], Later[None]] | None = None
    """``resize(blocks)``: change the capacity; new blocks read as zeroes, lost ones are lost."""

    measure: Callable[[], Later[int]] | None = None
    """``measure()``: see how many blocks there are by now, and let that be ``blocks`` unless 0.

    For storage that others can make longer or shorter.
    """

    close: Callable[[], Later[None]] | None = None
    """``close()``: wait for what is under way and let go of the storage. It may come twice."""

    abandon: Callable[[], None] | None = None
    """``abandon()``: give up calls that hang, if there are any. Not async.

    Their callers get `BackendError`, as if storage had failed; the disk is of no further use. What
    the calls still do, they do to buffers that nobody else has any more.
    """

    read_now: Callable[[int, int], Buffer | None] | None = None
    """``read_now(lba, blocks)``: `BlockDevice.read` if it need not wait, else None. Not async."""

    write_now: Callable[[int, Buffer], bool] | None = None
    """``write_now(lba, data)``: `BlockDevice.write` if it need not wait, else False. Not async.

    After False, any part of the data may have been written: the caller writes all of it again.
    """

    begin_read: Callable[[int, int, Then], Buffer | None] | None = None
    """``begin_read(lba, blocks, then)``: `BlockDevice.read` that goes on by itself, if it can.

    The buffer that is returned has the blocks when ``then`` is called; None: nothing has begun, as
    the blocks cannot be read so. Not async. Storage that does much at a time, and tells of the end
    of each, needs no task for each.
    """

    begin_write: Callable[[int, Buffer, Then], bool] | None = None
    """``begin_write(lba, data, then)``: `BlockDevice.write` that goes on by itself, else False.

    The data stay as they are until ``then`` is called. Not async.
    """

    window: Callable[[int, int], memoryview | None] | None = None
    """``window(lba, blocks)``: the blocks themselves, as memory to write to, or None. Not async.

    Once all of it is there, it is handed to `write_now` or `write` like any other data.
    """

    @property
    def thin(self) -> bool:
        """Whether blocks need not be stored before they are first written.

        A disk that is never asked to unmap shows it by telling what is stored and what is not.
        """
        return (self.extents if self.read_only else self.unmap) is not None

    @classmethod
    def of(cls, disk: BlockDevice) -> Abilities:
        """What ``disk`` declares; without the methods that write if it is read-only."""
        found = {name: getattr(disk, name, None) for name in (*OPTIONAL, "physical_block_size")}
        read_only = bool(getattr(disk, "read_only", False))
        if read_only:
            found |= dict.fromkeys(WRITING)
        return cls(
            read_only=read_only,
            optical=bool(getattr(disk, "optical", False)),
            granularity=getattr(disk, "granularity", 0),
            **found,
        )


OPTIONAL = tuple(
    field.name
    for field in attrs.fields(Abilities)
    if field.name not in ("read_only", "optical", "physical_block_size", "granularity")
)
"""The names of all optional methods."""

WRITING = (
    "unmap",
    "write_zeroes",
    "compare_and_write",
    "write_atomic",
    "write_now",
    "begin_write",
    "window",
)
"""Those that change what the disk holds."""
