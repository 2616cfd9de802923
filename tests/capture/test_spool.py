from __future__ import annotations

import errno
import logging
import os
import threading
from pathlib import Path

import pytest

from trioscsi.capture import Spool
from trioscsi.errors import CaptureError


class Disk:
    """Stands for ``os.write``: it may have to wait, take little at once, or be full."""

    def __init__(self, *, most: int = 1 << 20, room: int = 1 << 30) -> None:
        self.open = threading.Event()
        self.open.set()
        self._most, self._room = most, room
        self._write = os.write

    def write(self, file: int, data: memoryview) -> int:
        assert self.open.wait(10)
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._write(file, data[: min(self._most, self._room)])
        self._room -= written
        return written


def test_what_is_put_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Spool(path) as spool:
        for number in range(1000):
            assert spool.put([b"%d" % number, memoryview(b",")])
    assert path.read_bytes() == b"".join(b"%d," % number for number in range(1000))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_takes_little_at_once_gets_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", Disk(most=3).write)
    with Spool(tmp_path / "file") as spool:
        spool.put([b"abcdefgh"])
    assert (tmp_path / "file").read_bytes() == b"abcdefgh"


def test_nothing_is_taken_beyond_the_backlog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    disk.open.clear()
    monkeypatch.setattr(os, "write", disk.write)
    with Spool(tmp_path / "file", backlog=100) as spool:
        taken = [spool.put([bytes(30)]) for _ in range(5)]
        assert taken == [True, True, True, False, False]
        disk.open.set()
    assert (tmp_path / "file").stat().st_size == 90


def test_a_full_disk_ends_it_with_a_line_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "write", Disk(room=25).write)
    spool = Spool(tmp_path / "file")
    while not spool.failed:
        spool.put([b"0123456789"])
    assert not spool.put([b"more"])
    spool.close()
    spool.close()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert f"the trace {tmp_path / 'file'} ends here: No space left" in record.getMessage()
    # What was whole stays.
    assert (tmp_path / "file").stat().st_size % 10 == 0


def test_what_was_written_in_part_may_have_to_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "write", Disk(room=4).write)
    monkeypatch.setattr(os, "ftruncate", refuse)
    with Spool(tmp_path / "file") as spool:
        spool.put([b"0123456789"])
    assert (tmp_path / "file").read_bytes() == b"0123"


def test_nothing_is_taken_once_it_is_closed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "file")
    spool.close()
    assert not spool.put([b"abc"])


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"cannot write .*nowhere.*: No such file"):
        Spool(tmp_path / "nowhere" / "file")


def test_a_disk_that_hangs_is_given_up_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    disk.open.clear()
    monkeypatch.setattr(os, "write", disk.write)
    monkeypatch.setattr("trioscsi.capture.spool._PATIENCE", 0.01)
    spool = Spool(tmp_path / "file")
    spool.put([b"abc"])
    spool.close()
    assert "is not written: the disk hangs" in caplog.text
    disk.open.set()
    spool._thread.join()
    os.close(spool._file)
