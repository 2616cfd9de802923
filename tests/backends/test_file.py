from __future__ import annotations

import errno
import fcntl
import gc
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trioscsi.backends import Abilities, Extent, FileDisk, opening
from trioscsi.backends import file as module
from trioscsi.backends.journal import Beside, Journal, Opened
from trioscsi.errors import BackendError, UsageError

TWO = b"a" * 512 + b"b" * 512


@pytest.fixture(params=["io_uring", "threads"])
async def disk(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FileDisk]:
    if request.param == "threads":
        monkeypatch.setattr(module, "open_uring", lambda _: None)
    disk = FileDisk(tmp_path / "disk.img", size="1MiB")
    yield disk
    await disk.close()


in_threads = pytest.mark.parametrize("disk", ["threads"], indirect=True)


def failing(code: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


async def test_what_is_written_is_in_the_file(disk: FileDisk, tmp_path: Path) -> None:
    await disk.write(7, TWO)
    await disk.flush()
    assert await disk.read(6, 4) == bytes(512) + TWO + bytes(512)
    assert (tmp_path / "disk.img").read_bytes()[7 * 512 : 9 * 512] == TWO
    assert disk.blocks == 2048


async def test_it_is_opened_again_without_a_size(disk: FileDisk, tmp_path: Path) -> None:
    await disk.write(0, TWO)
    await disk.close()
    again = FileDisk(tmp_path / "disk.img", block_size=4096, read_only=True)
    assert (again.blocks, again.read_only) == (256, True)
    assert (await again.read(0, 1))[:1024] == TWO
    with pytest.raises(BackendError):
        await again.write(0, bytes(4096))
    await again.close()


@in_threads
async def test_short_transfers_are_continued(
    disk: FileDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.preadv, os.pwritev
    monkeypatch.setattr(os, "preadv", lambda fd, bufs, at: read(fd, [bufs[0][:100]], at))
    monkeypatch.setattr(os, "pwritev", lambda fd, bufs, at: write(fd, [bufs[0][:100]], at))
    await disk.write(3, TWO)
    assert await disk.read(3, 2) == TWO


async def test_transfers_go_on_by_themselves(disk: FileDisk) -> None:
    over = trio.Event()
    assert disk.begin_write(3, TWO, lambda _: over.set())
    await over.wait()
    over = trio.Event()
    buffer = disk.begin_read(2, 3, lambda _: over.set())
    await over.wait()
    assert buffer == bytes(512) + TWO


async def test_a_read_is_answered_now_or_left_to_a_thread(
    disk: FileDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_read_flags", 0)
    await disk.write(0, TWO)
    assert disk.read_now(0, 2) == TWO
    monkeypatch.setattr(os, "preadv", failing(errno.EAGAIN))
    assert disk.read_now(0, 2) is None
    monkeypatch.setattr(os, "preadv", lambda *_: 512)
    assert disk.read_now(0, 2) is None
    assert disk.read_now(0, 1) is not None


async def test_a_write_is_taken_now_or_left_to_a_thread(
    disk: FileDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_write_flags", 0)
    assert disk.write_now(0, TWO)
    assert await disk.read(0, 2) == TWO
    monkeypatch.setattr(os, "pwritev", failing(errno.EAGAIN))
    assert not disk.write_now(0, TWO)
    monkeypatch.setattr(os, "pwritev", lambda *_: 512)
    assert not disk.write_now(0, TWO)
    assert disk.write_now(0, TWO[:512])


async def test_a_file_system_that_cannot_try_is_not_asked_again(
    disk: FileDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_read_flags", 0)
    monkeypatch.setattr(disk, "_write_flags", 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", failing(errno.EOPNOTSUPP))
        patch.setattr(os, "pwritev", failing(errno.EOPNOTSUPP))
        assert disk.read_now(0, 1) is None
        assert not disk.write_now(0, TWO)
    assert disk.read_now(0, 1) is None
    assert not disk.write_now(0, TWO)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no tmpfs")
async def test_nothing_waits_on_tmpfs() -> None:
    path = Path("/dev/shm") / f"trioscsi-test-{os.getpid()}"
    disk = FileDisk(path, size="1MiB")
    path.unlink()
    assert disk.write_now(5, TWO)
    assert disk.read_now(5, 2) == TWO
    await disk.close()


async def test_without_a_list_of_mounts_nothing_is_taken_for_memory(
    disk: FileDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", failing(errno.ENOENT))
    assert not module._is_in_memory(disk._descriptor)


async def test_unmapping_makes_holes(disk: FileDisk) -> None:
    await disk.write(0, b"x" * 65_536)
    await disk.unmap(8, 112)
    assert await disk.read(7, 2) == b"x" * 512 + bytes(512)
    extents = await disk.extents(0, disk.blocks)
    assert extents[0] == Extent(0, 8, mapped=True)
    assert sum(extent.blocks for extent in extents) == disk.blocks


async def test_it_tells_what_it_takes_of_its_file_system(disk: FileDisk) -> None:
    assert (await disk.space()).used == 0
    await disk.write(0, bytes(64 * 512))
    await disk.flush()
    space = await disk.space()
    assert space.used >= 64 * 512
    assert space.free is not None
    assert space.free > 0
    assert disk.granularity % 512 == 0


@in_threads
async def test_an_error_names_the_file_and_what_the_system_said(
    disk: FileDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "preadv", failing(errno.EIO))
    monkeypatch.setattr(os, "pwritev", failing(errno.ENOSPC))
    with pytest.raises(BackendError, match=r"disk\.img: Input/output error"):
        await disk.read(0, 1)
    with pytest.raises(BackendError, match="No space left"):
        await disk.write(0, TWO)


async def test_a_file_that_was_cut_off_is_an_error(disk: FileDisk, tmp_path: Path) -> None:
    os.truncate(tmp_path / "disk.img", 700)
    with pytest.raises(BackendError, match="cut off at byte 700"):
        await disk.read(0, 4)


@in_threads
async def test_a_flush_that_failed_fails_for_good(
    disk: FileDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(errno.EIO))
        with pytest.raises(BackendError, match="Input/output"):
            await disk.flush()
    with pytest.raises(BackendError, match="an earlier flush failed"):
        await disk.flush()


@in_threads
async def test_on_macos_the_drive_is_told_to_flush_too(
    disk: FileDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda descriptor, command: asked.append(command))
    await disk.flush()
    assert asked == [51]


async def test_it_grows_and_shrinks(disk: FileDisk) -> None:
    await disk.resize(4096)
    await disk.write(4095, b"x" * 512)
    await disk.resize(8)
    await disk.resize(4096)
    assert not any(await disk.read(0, 4096))


async def test_it_can_be_measured_anew(disk: FileDisk, tmp_path: Path) -> None:
    os.truncate(tmp_path / "disk.img", 8 * disk.block_size)
    assert await disk.measure() == 8 == disk.blocks
    os.truncate(tmp_path / "disk.img", 0)
    assert await disk.measure() == 0
    assert disk.blocks == 8


async def test_a_closed_disk_refuses_and_can_be_opened_by_another(
    disk: FileDisk, tmp_path: Path
) -> None:
    await disk.close()
    await disk.close()
    assert disk.read_now(0, 1) is None
    assert not disk.write_now(0, TWO)
    with pytest.raises(BackendError, match="closed"):
        await disk.read(0, 1)
    await FileDisk(tmp_path / "disk.img").close()


@pytest.mark.parametrize("disk", ["io_uring"], indirect=True)
async def test_a_disk_whose_transfers_hang_is_given_up(
    disk: FileDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await disk.write(0, TWO)
    if disk._uring is None:
        pytest.skip("no io_uring")
    reader, writer = os.pipe()  # nobody can read before somebody writes
    monkeypatch.setattr(disk, "_descriptor", reader)

    async def read() -> None:
        with pytest.raises(BackendError, match="was given up"):
            await disk.read(0, 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        disk.abandon()
    await disk.close()
    os.close(writer)
    os.close(reader)


def test_a_disk_that_is_forgotten_gives_its_file_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "sleep", lambda _: None)
    path = tmp_path / "disk.img"
    disk = FileDisk(path, size="1MiB")
    with pytest.raises(UsageError, match="in use"):
        FileDisk(path)
    del disk
    gc.collect()
    FileDisk(path)


# Writes of all blocks or none.


async def test_an_atomic_write_is_in_the_file_and_its_journal_goes_when_it_is_closed(
    disk: FileDisk, tmp_path: Path
) -> None:
    journal = tmp_path / "disk.img.journal"
    assert not journal.exists()
    await disk.write_atomic(7, TWO)
    assert await disk.read(6, 4) == bytes(512) + TWO + bytes(512)
    assert journal.exists()
    await disk.flush()
    await disk.close()
    assert not journal.exists()


async def test_a_write_that_was_interrupted_is_undone_when_the_file_is_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "disk.img"
    interrupted(path)
    with pytest.raises(UsageError, match="open it once for writing"):
        FileDisk(path, read_only=True)
    disk = FileDisk(path)
    assert await disk.read(0, 4) == b"o" * 2048
    assert not path.with_name("disk.img.journal").exists()
    await disk.close()


def interrupted(path: Path) -> None:
    """A file in which two of three blocks were replaced when the program ended."""
    path.write_bytes(b"o" * 2048)
    beside = path.with_name(path.name + ".journal")
    new = b"n" * 1536
    with path.open("r+b") as file:
        journal = Journal(Beside(beside), Opened(file.fileno()))
        journal.write(0, new)
        record = beside.read_bytes()
    with path.open("r+b") as file:
        file.seek(1024)
        file.write(b"o" * 512)
    offset, old = (0).to_bytes(8, "big"), b"o" * 1536
    digest = hashlib.sha256(offset + old + new).digest()
    header = b"trioscsi" + offset + len(new).to_bytes(8, "big") + digest
    assert record[len(header) :] == old + new
    beside.write_bytes(header + old + new)


async def test_where_no_journal_can_be_kept_no_write_is_atomic(
    disk: FileDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Abilities.of(disk).write_atomic is not None
    await disk.close()
    protected = FileDisk(tmp_path / "disk.img", read_only=True)
    assert Abilities.of(protected).write_atomic is None
    await protected.close()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        elsewhere = FileDisk(tmp_path / "disk.img")
    assert Abilities.of(elsewhere).write_atomic is None
    assert not hasattr(elsewhere, "write_atomic")
    await elsewhere.close()
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    device = FileDisk(tmp_path / "disk.img")
    assert Abilities.of(device).write_atomic is None
    await device.close()


def test_a_journal_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(512))
    path.with_name("disk.img.journal").mkdir()
    with pytest.raises(BackendError, match="its journal: Is a directory"):
        FileDisk(path)
