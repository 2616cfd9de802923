"""What a target has to remember over a restart: reservations, saved mode pages.

A file for each, replaced as a whole: a crash leaves the old one or the new one, whenever it comes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import trio

from trioscsi.backends.threads import Threads
from trioscsi.errors import BackendError, UsageError

_DIGEST_LENGTH = 32


class Keeper:
    """The memory of one target, in a folder; without one, nothing can be saved."""

    def __init__(self, folder: Path | None, target_name: str) -> None:
        """Raises UsageError if the folder cannot be made."""
        self._folder = folder
        # A name may hold what a file name may not, and be longer than one.
        self._prefix = hashlib.sha256(target_name.encode()).hexdigest()[:16]
        self._threads = Threads(f"the state in {folder}", width=1)
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"no state can be kept in {folder}: {error.strerror}") from None

    @property
    def can_save(self) -> bool:
        """Whether there is a folder."""
        return self._folder is not None

    def load(self, number: int) -> Mapping[str, bytes]:
        """What was saved for a unit, by name; raises UsageError for what is damaged."""
        if self._folder is None:
            return {}
        start = f"{self._prefix}-{number}."
        try:
            paths = [p for p in self._folder.iterdir() if p.name.startswith(start)]
            return {
                path.name.removeprefix(start): _checked(path)
                for path in paths
                if path.suffix != _NEW
            }
        except OSError as error:
            raise UsageError(f"{self._folder} cannot be read: {error.strerror}") from None

    async def save(self, number: int, name: str, data: bytes) -> None:
        """Keep ``data`` under a name of a unit.

        When it returns, a restart finds ``data``; raises BackendError if that cannot be promised.
        Saves happen in the order of the calls.
        """
        if self._folder is None:
            raise BackendError("there is no folder to keep state in")
        path = self._folder / f"{self._prefix}-{number}.{name}"
        # Not to be called off: a file half written must not become the one that counts, and whoever
        # waits for others here has changed already what it saves.
        with trio.CancelScope(shield=True):
            await self._threads.run(_replace, path, data)

    def abandon(self) -> None:
        """Give up a save that hangs, and whatever waits for it: see `Threads.abandon`."""
        self._threads.abandon()


_NEW = ".new"


def _replace(path: Path, data: bytes) -> None:
    new = path.with_name(path.name + _NEW)
    with new.open("wb") as file:
        file.write(hashlib.sha256(data).digest() + data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _checked(path: Path) -> bytes:
    content = path.read_bytes()
    digest, data = content[:_DIGEST_LENGTH], content[_DIGEST_LENGTH:]
    if hashlib.sha256(data).digest() != digest:
        raise UsageError(f"{path} is damaged: remove it to forget what it kept")
    return data
