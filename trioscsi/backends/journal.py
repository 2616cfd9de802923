"""A journal beside a file, for writes that are done whole or not at all.

Before blocks are replaced, the journal durably holds what is there and what is to come. Only when
the file durably holds the new data is that forgotten. Whatever ends the program or the power in
between leaves the file with what was there, with what was to come, or with a mixture; a mixture
is undone when the file is opened again. A file whose blocks hold anything else has been changed by
others, and is left alone.
"""

from __future__ import annotations

import hashlib
import os
import struct
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from trioscsi.backends.base import Buffer
from trioscsi.backends.opening import sync_directory, sync_file
from trioscsi.backends.sparse import write_fully

SECTOR = 512
"""What a device writes whole, or not at all."""

_HEADER = struct.Struct(">8sQQ32s")  # what it is, offset, length, digest of all that follows
_MAGIC = b"trioscsi"


class Store(Protocol):
    """Bytes that outlive a crash: those written when ``sync`` has returned. Raises OSError."""

    def read(self, offset: int, length: int) -> bytes:
        """As many bytes as there are."""

    def write(self, offset: int, data: Buffer) -> None:
        """Replace bytes."""

    def sync(self) -> None:
        """Make durable what was written."""


class Removable(Store, Protocol):
    """A store that can be done without."""

    def remove(self) -> None:
        """Have nothing any more."""


class Opened:
    """The store of an open file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, offset: int, length: int) -> bytes:
        """See `Store.read`."""
        found = b""
        while len(found) < length:
            part = os.pread(self._descriptor, length - len(found), offset + len(found))
            if not part:
                break
            found += part
        return found

    def write(self, offset: int, data: Buffer) -> None:
        """See `Store.write`."""
        write_fully(self._descriptor, [memoryview(data)], offset)

    def sync(self) -> None:
        """See `Store.sync`."""
        sync_file(self._descriptor)


class Beside:
    """The store of a file that is made when it is first written."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._flags = os.O_CLOEXEC | (os.O_RDONLY if read_only else os.O_RDWR)
        self._descriptor: int | None = None
        self._let_go: Callable[[], object] = bool

    def read(self, offset: int, length: int) -> bytes:
        """See `Store.read`."""
        with suppress(FileNotFoundError):
            return self._open().read(offset, length)
        return b""

    def write(self, offset: int, data: Buffer) -> None:
        """See `Store.write`."""
        if self._descriptor is None:
            self._open(os.O_CREAT)
            sync_directory(self._path.parent)
        self._open().write(offset, data)

    def sync(self) -> None:
        """See `Store.sync`."""
        self._open().sync()

    def remove(self) -> None:
        """Let there be no file any more, if there is one."""
        self._let_go()
        self._descriptor = None
        self._path.unlink(missing_ok=True)

    def _open(self, flags: int = 0) -> Opened:
        if self._descriptor is None:
            # It holds what the disk held: nobody else is to read it.
            self._descriptor = os.open(self._path, self._flags | flags, 0o600)
            self._let_go = weakref.finalize(self, os.close, self._descriptor)
        return Opened(self._descriptor)


class Journal:
    """The journal of one target, in a store of its own; one write at a time."""

    def __init__(self, store: Removable, target: Store) -> None:
        self._store, self._target = store, target
        self._settled = True
        self._broken = False

    def write(self, offset: int, data: Buffer) -> None:
        """Replace bytes of the target, all or none, durably. Raises OSError: then it is none."""
        if self._broken:
            raise OSError("an earlier write could not be undone, which needs a restart")
        old = self._target.read(offset, len(data))
        self._store.write(0, _record(offset, old, bytes(data)))
        self._store.sync()
        try:
            self._target.write(offset, data)
            self._target.sync()
        except OSError:
            self._undo(offset, old)
            raise
        self._forget()

    def settle(self) -> None:
        """Called when all else that was written is durable: no later crash undoes anything."""
        if not self._settled:
            self._settled = True  # a write that ends meanwhile says otherwise again
            try:
                self._store.sync()
            except OSError:
                self._settled = False
                raise

    def is_torn(self) -> bool:
        """Whether the target holds a mixture, which has to be undone."""
        return self._torn() is not None

    def recover(self) -> None:
        """Undo the write in whose midst the last program ended, if there is one."""
        torn = self._torn()
        if torn is not None:
            self._target.write(*torn)
            self._target.sync()
        if self._store.read(0, 1):
            self._forget()
            self.settle()
            with suppress(OSError):  # the folder is not ours
                self._store.remove()

    def remove(self) -> None:
        """Let there be no journal any more. Raises OSError."""
        self.settle()
        if not self._broken:
            self._store.remove()

    def _undo(self, offset: int, old: bytes) -> None:
        try:
            self._target.write(offset, old)
            self._target.sync()
        except OSError:
            self._broken = True  # and the record is kept, for the next start
        else:
            self._forget()

    def _forget(self) -> None:
        # It may come back with the power, and undo what is not durable either, until `settle`.
        self._store.write(0, bytes(_HEADER.size))
        self._settled = False

    def _torn(self) -> tuple[int, bytes] | None:
        """Where, and what has to be written there."""
        header = self._store.read(0, _HEADER.size)
        if len(header) < _HEADER.size:
            return None
        magic, offset, length, _ = _HEADER.unpack(header)
        if magic != _MAGIC:
            return None
        content = self._store.read(_HEADER.size, 2 * length)
        old, new = content[:length], content[length:]
        if len(new) != length or _record(offset, old, new) != header + content:
            return None  # it ended while the journal was written: the target had not been touched
        found = self._target.read(offset, length)
        return (offset, old) if _is_mixture(found, old, new) else None


def _record(offset: int, old: bytes, new: bytes) -> bytes:
    digest = hashlib.sha256(struct.pack(">Q", offset) + old + new).digest()
    return _HEADER.pack(_MAGIC, offset, len(new), digest) + old + new


def _is_mixture(found: bytes, old: bytes, new: bytes) -> bool:
    """Whether ``found`` has sectors of both, and no others."""
    if len(found) != len(old) or found in (old, new):
        return False
    sectors = (slice(at, at + SECTOR) for at in range(0, len(found), SECTOR))
    return all(found[sector] in (old[sector], new[sector]) for sector in sectors)
