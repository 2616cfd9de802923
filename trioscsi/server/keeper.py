"""What a target has to remember over a restart: reservations, saved mode pages.

A file for each, replaced as a whole: a crash leaves the old one or the new one, whenever it comes.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from itertools import count
from pathlib import Path

import attrs
import trio

from trioscsi.backends.opening import lock, sync_directory, sync_file
from trioscsi.backends.threads import Threads
from trioscsi.errors import BackendError, UsageError

_DIGEST_LENGTH = 32


@attrs.frozen
class Kept:
    """A file with what was saved for a unit under ``name``."""

    name: str
    path: Path

    def read(self) -> bytes:
        """What was saved; raises UsageError if the file is damaged, or cannot be read."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise UsageError(f"it cannot be read: {error.strerror}") from None
        digest, data = content[:_DIGEST_LENGTH], content[_DIGEST_LENGTH:]
        if hashlib.sha256(data).digest() != digest:
            raise UsageError("it is damaged: remove it to forget what it kept")
        return data


class Keeper:
    """The memory of one target, in a folder; without one, nothing can be saved.

    It is locked against another server of the same target until it is closed, or the process ends.
    """

    def __init__(self, folder: Path | None, target_name: str) -> None:
        """Raises UsageError if the folder cannot be made, or nothing can be kept in it."""
        self._folder = folder
        # A name may hold what a file name may not, and be longer than one.
        self._prefix = hashlib.sha256(target_name.encode()).hexdigest()[:16]
        self._threads = Threads(f"the state in {folder}", width=1)
        self._spared: set[Path] = set()
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"no state can be kept in {folder}: {error.strerror}") from None
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise UsageError(f"no state can be kept in {folder}: nothing can be written there")
            self._lock(folder / f"{self._prefix}.lock", target_name)

    def _lock(self, path: Path, target_name: str) -> None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._let_go = weakref.finalize(self, os.close, descriptor)
            alone = lock(descriptor)
        except OSError as error:
            raise UsageError(f"no state can be kept in {path}: {error.strerror}") from None
        if not alone:
            self._let_go()
            raise UsageError(
                f"the state of {target_name} in {path.parent} is in use: another server keeps it"
            )

    @property
    def can_save(self) -> bool:
        """Whether there is a folder."""
        return self._folder is not None

    def load(self, number: int) -> list[Kept]:
        """What was saved for a unit; raises UsageError if the folder cannot be read."""
        if self._folder is None:
            return []
        start = f"{self._prefix}-{number}."
        try:
            paths = [p for p in self._folder.iterdir() if p.name.startswith(start)]
        except OSError as error:
            raise UsageError(f"{self._folder} cannot be read: {error.strerror}") from None
        files = [Kept(path.name.removeprefix(start), path) for path in paths]
        # What has an ending was not finished, or was put aside.
        return [kept for kept in files if "." not in kept.name]

    def spare(self, kept: Kept) -> None:
        """Never overwrite this file: what is saved takes its place, and it gets another name."""
        self._spared.add(kept.path)

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
            await self._threads.run(_replace, path, data, path in self._spared)
        self._spared.discard(path)

    def abandon(self) -> None:
        """Give up a save that hangs, and whatever waits for it: see `Threads.abandon`."""
        self._threads.abandon()

    async def close(self) -> None:
        """Let another server have the folder once all is saved; nothing can be after that."""
        if self._folder is not None:
            await self._threads.close(self._let_go)


_NEW = ".new"


def _replace(path: Path, data: bytes, spare: bool) -> None:
    if spare:
        _put_aside(path)
    new = path.with_name(path.name + _NEW)
    with new.open("wb") as file:
        file.write(hashlib.sha256(data).digest() + data)
        file.flush()
        sync_file(file.fileno())
    new.replace(path)
    sync_directory(path.parent)


def _put_aside(path: Path) -> None:
    """Give a file one more name. Until another file has the first one, a restart finds it there."""
    for number in count(1):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        try:
            aside.hardlink_to(path)
        except FileExistsError:
            if aside.samefile(path):
                return  # since a save that failed
        else:
            return
