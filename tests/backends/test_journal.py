"""A program that ends, or power that is lost, at any moment: the file is as before or as after."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.backends.base import Buffer
from trioscsi.backends.journal import SECTOR, Beside, Journal, Opened

SIZE = 8 * SECTOR
OLD, NEW = b"o" * 4 * SECTOR, b"n" * 4 * SECTOR
AT = 2 * SECTOR


class Ended(BaseException):
    """The program, or the power."""


@attrs.define
class Machine:
    """Two stores whose writes are in a cache until they are synced, and a day of doom.

    ``steps`` counts writes and syncs down; the one that finds 0 is not done, or in part.
    """

    steps: int = -1
    error: OSError | None = None
    """What comes instead of doom."""
    tears: bool = True
    """Whether a write that is not done is done in part."""

    def step(self) -> bool:
        self.steps -= 1
        return self.steps == -1

    def end(self) -> None:
        raise self.error or Ended


class Broken(Machine):
    """Whose device fails from a certain step on."""

    def end(self) -> None:
        self.steps, self.tears = 0, False
        raise OSError(errno.EIO, "broken")


@attrs.define
class Cached:
    """A store in memory: what is durable, and the writes that are not."""

    machine: Machine
    durable: bytearray = attrs.field(factory=bytearray)
    pending: list[tuple[int, bytes]] = attrs.field(factory=list)
    removed: bool = False

    def now(self) -> bytearray:
        content = bytearray(self.durable)
        for offset, data in self.pending:
            put(content, offset, data)
        return content

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.now()[offset : offset + length])

    def write(self, offset: int, data: Buffer) -> None:
        if self.machine.step():
            half = len(data) // 2 // SECTOR * SECTOR * self.machine.tears
            self.pending.append((offset, bytes(data)[:half]))
            self.machine.end()
        self.pending.append((offset, bytes(data)))

    def sync(self) -> None:
        if self.machine.step():
            self.machine.end()
        self.durable, self.pending = self.now(), []

    def remove(self) -> None:
        self.durable, self.pending, self.removed = bytearray(), [], True

    def lose_power(self, kept: set[tuple[int, int]]) -> None:
        """Of what is not durable these sectors of these writes remain, by number."""
        for number, (offset, data) in enumerate(self.pending):
            for sector, at in enumerate(range(0, len(data), SECTOR)):
                if (number, sector) in kept:
                    put(self.durable, offset + at, data[at : at + SECTOR])
        self.pending = []


def put(content: bytearray, offset: int, data: bytes) -> None:
    content.extend(bytes(max(0, offset + len(data) - len(content))))
    content[offset : offset + len(data)] = data


@attrs.define
class Disk:
    """A file that holds OLD, and its journal."""

    machine: Machine = attrs.field(factory=Machine)
    file: Cached = attrs.field(init=False)
    beside: Cached = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        content = bytearray(b"x" * SIZE)
        put(content, AT, OLD)
        self.file, self.beside = Cached(self.machine, content), Cached(self.machine)

    @property
    def journal(self) -> Journal:
        """As a program makes it that has just begun."""
        return Journal(self.beside, self.file)

    def recovered(self) -> bytes:
        """What a program that starts now finds, once it has recovered."""
        self.machine.steps = -1
        self.journal.recover()
        assert not self.journal.is_torn()
        content = bytes(self.file.now())
        assert content[:AT] == b"x" * AT
        assert content[AT + len(NEW) :] == b"x" * (SIZE - AT - len(NEW))
        return content[AT : AT + len(NEW)]


sectors = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 20)), max_size=30)


@given(st.integers(0, 8), sectors, sectors, st.booleans())
def test_whatever_ends_a_write_leaves_all_or_nothing_of_it(
    steps: int, in_file: set[tuple[int, int]], in_journal: set[tuple[int, int]], power: bool
) -> None:
    disk = Disk(Machine(steps))
    try:
        disk.journal.write(AT, NEW)
        written = True
    except Ended:
        written = False
    if power:
        disk.file.lose_power(in_file)
        disk.beside.lose_power(in_journal)
    found = disk.recovered()
    assert found == NEW if written else found in (OLD, NEW)


@given(st.integers(0, 12), sectors, sectors)
def test_what_was_flushed_is_never_undone(
    steps: int, in_file: set[tuple[int, int]], in_journal: set[tuple[int, int]]
) -> None:
    disk = Disk()
    journal = disk.journal
    journal.write(AT, NEW)
    disk.file.write(AT + SECTOR, OLD[:SECTOR])  # the same as was there before
    disk.file.sync()
    journal.settle()
    disk.machine.steps = steps
    try:
        journal.write(AT + 2 * SECTOR, b"m" * SECTOR)
        journal.remove()
    except Ended:
        pass
    disk.file.lose_power(in_file)
    disk.beside.lose_power(in_journal)
    found = disk.recovered()
    assert found[: 2 * SECTOR] == NEW[:SECTOR] + OLD[:SECTOR]
    assert found[2 * SECTOR :] in (NEW[: 2 * SECTOR], b"m" * SECTOR + NEW[:SECTOR])


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_an_error_leaves_what_was_there_and_the_next_write_succeeds(steps: int) -> None:
    disk = Disk(Machine(steps, OSError(errno.ENOSPC, "no space")))
    journal = disk.journal
    with pytest.raises(OSError, match="no space"):
        journal.write(AT, NEW)
    assert disk.file.now()[AT : AT + len(OLD)] == OLD
    journal.write(AT, NEW)
    assert disk.recovered() == NEW


def test_what_cannot_be_undone_now_is_undone_at_the_next_start() -> None:
    disk = Disk(Broken(2))
    journal = disk.journal
    with pytest.raises(OSError, match="broken"):
        journal.write(AT, NEW)
    with pytest.raises(OSError, match="needs a restart"):
        journal.write(AT, NEW)
    journal.remove()
    assert not disk.beside.removed
    assert disk.file.now()[AT : AT + len(OLD)] not in (OLD, NEW)
    assert disk.journal.is_torn()
    assert disk.recovered() == OLD


def test_a_file_that_others_have_changed_is_left_alone() -> None:
    disk = Disk(Machine(2))
    with pytest.raises(Ended):
        disk.journal.write(AT, NEW)
    disk.machine.steps = -1
    disk.file.write(AT + 3 * SECTOR, b"z" * SECTOR)
    before = bytes(disk.file.now())
    assert not disk.journal.is_torn()
    disk.journal.recover()
    assert disk.file.now() == before
    assert disk.beside.removed


def test_a_file_that_was_cut_is_left_alone() -> None:
    disk = Disk(Machine(2))
    with pytest.raises(Ended):
        disk.journal.write(AT, NEW)
    disk.file.pending, disk.file.durable = [], bytearray(b"x" * SECTOR)
    assert not disk.journal.is_torn()


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"trioscsi" + rest))
def test_a_journal_of_anything_else_is_no_journal(content: bytes) -> None:
    disk = Disk()
    disk.beside.durable[:] = content
    assert disk.recovered() == OLD
    assert not disk.beside.now()


def test_without_a_write_there_is_nothing_to_settle_or_remove() -> None:
    disk = Disk(Machine(0))
    disk.journal.settle()
    disk.journal.remove()
    disk.journal.recover()


def test_what_cannot_be_settled_is_settled_another_time() -> None:
    disk = Disk()
    journal = disk.journal
    journal.write(AT, NEW)
    disk.machine.steps, disk.machine.error = 0, OSError(errno.EIO, "broken")
    with pytest.raises(OSError, match="broken"):
        journal.settle()
    assert disk.beside.pending
    journal.settle()
    assert not disk.beside.pending


# Stores in files.


def test_a_file_is_a_store(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(b"abc")
    descriptor = os.open(path, os.O_RDWR)
    store = Opened(descriptor)
    assert [store.read(1, 1), store.read(1, 9), store.read(9, 1)] == [b"b", b"bc", b""]
    store.write(2, b"de")
    store.sync()
    os.close(descriptor)
    assert path.read_bytes() == b"abde"


def test_a_store_beside_is_there_from_the_first_write_to_its_removal(tmp_path: Path) -> None:
    path = tmp_path / "disk.img.journal"
    store = Beside(path)
    assert store.read(0, 9) == b""
    store.remove()
    assert not path.exists()
    store.write(0, b"secret")
    store.sync()
    assert path.stat().st_mode & 0o777 == 0o600
    assert Beside(path, read_only=True).read(0, 9) == store.read(0, 9) == b"secret"
    store.remove()
    assert not path.exists()
    assert store.read(0, 9) == b""
