from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trioscsi.backends import sparse
from trioscsi.backends.base import Extent

MIB = 2**20


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.ftruncate(descriptor, 4 * MIB)
    yield descriptor
    os.close(descriptor)


def test_a_hole_reads_as_zeroes_and_takes_no_space(file: int) -> None:
    os.pwrite(file, b"x" * MIB, 0)
    sparse.punch_hole(file, 512, MIB - 1024)
    assert os.pread(file, MIB, 0) == b"x" * 512 + bytes(MIB - 1024) + b"x" * 512
    assert os.fstat(file).st_blocks * 512 < MIB // 2
    assert os.fstat(file).st_size == 4 * MIB


def test_zeroes_are_written_where_there_are_no_holes(
    file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparse, "_fallocate", None)
    os.pwrite(file, b"x" * 3 * MIB, 0)
    sparse.punch_hole(file, 512, 2 * MIB)
    assert os.pread(file, 3 * MIB, 0) == b"x" * 512 + bytes(2 * MIB) + b"x" * (MIB - 512)


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL, errno.EINTR])
def test_a_refusal_to_punch_is_got_round(
    file: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([code, 0])

    def fallocate(*_: int) -> int:
        ctypes.set_errno(next(answers))
        return -ctypes.get_errno()

    monkeypatch.setattr(sparse, "_fallocate", fallocate)
    os.pwrite(file, b"x" * 1024, 0)
    sparse.punch_hole(file, 0, 512)
    assert os.pread(file, 512, 0) == (b"x" * 512 if code == errno.EINTR else bytes(512))


def test_other_errors_keep_their_number(file: int) -> None:
    with pytest.raises(OSError, match="Bad file") as caught:
        sparse.punch_hole(-1, 0, 512)
    assert caught.value.errno == errno.EBADF


def test_only_linux_is_asked_for_fallocate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert sparse._find_fallocate() is None


def test_short_writes_are_continued(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, bufs, at: whole(fd, [bufs[0][:100]], at))
    sparse.write_fully(file, [memoryview(b"a" * 250), memoryview(b"b" * 250)], 6)
    assert os.pread(file, 500, 6) == b"a" * 250 + b"b" * 250


def test_extents_are_in_blocks_and_cover_the_range(file: int) -> None:
    os.pwrite(file, b"x" * 4096, MIB)
    per_mib = MIB // 512
    assert sparse.find_extents(file, 1, 2 * per_mib, 512) == [
        Extent(1, per_mib - 1, mapped=False),
        Extent(per_mib, 8, mapped=True),
        Extent(per_mib + 8, per_mib - 7, mapped=False),
    ]
    assert sparse.find_extents(file, per_mib, 8, 512) == [Extent(per_mib, 8, mapped=True)]
    assert sparse.find_extents(file, 0, 4, 512) == [Extent(0, 4, mapped=False)]


def test_a_block_stored_in_part_counts_as_stored(
    file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparse, "_data_runs", lambda *_: iter([(1024, 2048), (3072, 4608)]))
    assert sparse.find_extents(file, 0, 3, 4096) == [
        Extent(0, 1, mapped=True),
        Extent(1, 1, mapped=True),
        Extent(2, 1, mapped=False),
    ]


def test_a_shredded_file_is_told_in_parts(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sparse, "_data_runs", lambda *_: iter((n * 1024, n * 1024 + 512) for n in range(2000))
    )
    found = sparse.find_extents(file, 0, 4000, 512)
    assert len(found) <= 1001
    assert sum(extent.blocks for extent in found) == found[-1].lba + found[-1].blocks < 4000


def test_a_block_device_counts_as_stored(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "lseek", refuse)
    assert sparse.find_extents(file, 5, 10, 512) == [Extent(5, 10, mapped=True)]


def test_errors_of_seeking_are_not_holes() -> None:
    with pytest.raises(OSError, match="Bad file"):
        sparse.find_extents(-1, 0, 1, 512)


@pytest.mark.parametrize("length", [0, 512, MIB])
def test_what_was_cut_off_a_file_is_no_hole(file: int, length: int) -> None:
    os.ftruncate(file, length)
    os.pwrite(file, b"x" * length, 0)
    with pytest.raises(OSError, match=f"the file has been cut off at byte {length}"):
        sparse.find_extents(file, 0, 2 * MIB // 512, 512)
    with pytest.raises(OSError, match=f"the file has been cut off at byte {length}"):
        sparse.find_extents(file, MIB // 512, 1, 512)
    if length:
        assert sparse.find_extents(file, 0, 1, 512) == [Extent(0, 1, mapped=True)]


def test_zeroes_come_in_any_length() -> None:
    assert sparse.zeroes(512) == bytes(512)
    assert len(sparse.zeroes(2**24 + 512)) == 2**24 + 512
