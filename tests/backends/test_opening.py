from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from trioscsi.backends import FileDisk, opening
from trioscsi.backends.opening import ask_physical_block, measure, open_storage
from trioscsi.errors import BackendError, UsageError


def opened(path: Path, size: int | None = None, *, read_only: bool = False) -> int:
    return open_storage(path, size=size, block_size=512, read_only=read_only)


def identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "sleep", lambda _: None)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1024))
    return path


def refusal(path: Path, size: int | None = None, *, read_only: bool = False) -> str:
    with pytest.raises(UsageError) as caught:
        opened(path, size, read_only=read_only)
    return str(caught.value).replace(str(path.parent), "...")


def test_a_missing_file_with_a_size_is_made_sparse(tmp_path: Path) -> None:
    descriptor = opened(tmp_path / "new.img", 2**30)
    assert measure(descriptor) == 2**30
    assert os.fstat(descriptor).st_blocks * 512 < 2**20
    os.close(descriptor)


def test_an_empty_file_with_a_size_gets_it(tmp_path: Path) -> None:
    (tmp_path / "empty.img").touch()
    descriptor = opened(tmp_path / "empty.img", 1024)
    assert measure(descriptor) == 1024
    os.close(descriptor)


def test_a_new_file_is_synced_together_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(identity(os.fstat(fd))))
    os.close(opened(tmp_path / "new.img", 512))
    assert synced == [identity((tmp_path / "new.img").stat()), identity(tmp_path.stat())]


def test_a_file_of_the_right_size_is_left_as_it_is(image: Path) -> None:
    image.write_bytes(b"x" * 1024)
    os.close(opened(image, 1024))
    assert image.read_bytes() == b"x" * 1024


def test_a_file_is_for_one_disk_unless_all_only_read(image: Path) -> None:
    writer = opened(image)
    assert "is in use" in refusal(image)
    assert "is in use" in refusal(image, read_only=True)
    os.close(writer)
    readers = [opened(image, read_only=True) for _ in range(2)]
    assert "is in use" in refusal(image)
    for descriptor in readers:
        os.close(descriptor)


def test_a_file_that_its_last_user_is_about_to_let_go_is_waited_for(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last, pauses = opened(image), 0

    def sleep(seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == round(1 / seconds):
            os.close(last)

    monkeypatch.setattr(opening, "sleep", sleep)
    os.close(opened(image))
    assert pauses == 100


def test_a_device_that_its_last_user_is_about_to_let_go_is_waited_for(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_busy, opens = True, os.open

    def open_device(*arguments: Any) -> int:
        if is_busy:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return opens(*arguments)

    def sleep(_: float) -> None:
        nonlocal is_busy
        is_busy = False

    monkeypatch.setattr(os, "open", open_device)
    assert "in use" in refusal(image)
    monkeypatch.setattr(opening, "sleep", sleep)
    os.close(opened(image))


def test_a_link_to_where_no_file_can_be_made_is_told_by_where_it_leads(tmp_path: Path) -> None:
    link = tmp_path / "link.img"
    link.symlink_to("gone/disk.img")
    with pytest.raises(UsageError, match=f"there is no directory {tmp_path}/gone$"):
        opened(link, 1024)


def test_a_working_directory_that_was_removed_is_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    with pytest.raises(UsageError, match=r"^there is no directory \.$"):
        opened(Path("disk.img"), 1024)
    with pytest.raises(UsageError, match=r"^there is no disk\.img: give a size"):
        opened(Path("disk.img"))


def test_every_refusal_says_what_is_wrong(tmp_path: Path, image: Path) -> None:
    (tmp_path / "odd.img").write_bytes(bytes(1000))
    (tmp_path / "empty.img").touch()
    os.mkfifo(tmp_path / "fifo")
    assert refusal(tmp_path / "no.img") == (
        "there is no .../no.img: give a size to make it, such as .../no.img?size=10GiB"
    )
    for size in (None, 1024):
        assert refusal(tmp_path / "no.img", size, read_only=True) == (
            "there is no .../no.img, and a read-only disk makes none"
        )
    assert refusal(tmp_path / "no" / "no.img", 1024) == "there is no directory ..."
    assert refusal(image / "no.img", 1024) == "there is no directory ..."
    assert refusal(tmp_path).endswith("is neither a file nor a block device")
    assert refusal(tmp_path / "fifo") == ".../fifo is neither a file nor a block device"
    assert refusal(tmp_path / "empty.img").startswith(".../empty.img is empty: give it a size")
    assert refusal(tmp_path / "odd.img").startswith(".../odd.img: 1000 bytes are not a multiple")
    assert refusal(tmp_path / "new.img", 1000).startswith("1000 bytes are not a multiple")
    assert refusal(image, 2048).startswith(".../disk.img exists with 1 KiB, not 2 KiB")
    assert refusal(tmp_path / "a\0b") == "a file name cannot hold a zero byte"
    assert not (tmp_path / "new.img").exists()


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (PermissionError(13, "Permission denied"), UsageError, "a read-only disk needs less"),
        (OSError(16, "Device or resource busy"), UsageError, "mounted"),
        (OSError(24, "Too many open files"), BackendError, "Too many open files"),
    ],
)
def test_what_the_system_refuses_is_told(
    image: Path,
    error: OSError,
    kind: type[Exception],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> int:
        raise error

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(kind, match=says):
        opened(image)


def test_a_file_that_cannot_be_made_that_long_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, size: int) -> None:
        raise OSError(27, "File too large")

    monkeypatch.setattr(os, "ftruncate", refuse)
    (tmp_path / "old.img").touch()
    for name in ("new.img", "old.img"):
        with pytest.raises(BackendError, match="File too large"):
            opened(tmp_path / name, 1024)
    assert [path.name for path in tmp_path.iterdir()] == ["old.img"]
    monkeypatch.undo()
    os.close(opened(tmp_path / "old.img", 1024))  # it was closed


def test_file_systems_without_locks_do_without(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    os.close(opened(image))


def test_a_lock_that_fails_is_an_error_of_storage(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int, how: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("fcntl.flock", fail)
    with pytest.raises(BackendError, match="Input/output"):
        opened(image)


def test_a_block_device_is_taken_for_oneself(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags: list[int] = []
    really = os.open

    def note(path: Path, how: int, mode: int) -> int:
        flags.append(how)
        return really(path, how, mode)

    monkeypatch.setattr("stat.S_ISBLK", lambda mode: True)
    monkeypatch.setattr(os, "open", note)
    os.close(opened(image))
    os.close(opened(image, read_only=True))
    assert [bool(how & os.O_EXCL) for how in flags] == [True, False]


def test_a_file_says_nothing_of_physical_blocks_and_a_device_does(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    descriptor = opened(image)
    assert ask_physical_block(descriptor) is None
    monkeypatch.setattr("stat.S_ISBLK", lambda mode: True)
    assert ask_physical_block(descriptor) is None  # it is none after all
    answer = (16_384).to_bytes(4, sys.byteorder)
    monkeypatch.setattr("fcntl.ioctl", lambda *_: answer)
    assert ask_physical_block(descriptor) == 16_384
    os.close(descriptor)
    disk = FileDisk(image)
    assert disk.physical_block_size == 16_384
