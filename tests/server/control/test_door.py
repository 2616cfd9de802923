from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from trioscsi.errors import PortalError
from trioscsi.server.control.door import MOST_PATH, listening


def test_the_socket_is_its_owners_alone_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "control"
    modes: list[int] = []
    monkeypatch.setattr(
        socket.socket, "listen", lambda self, backlog: modes.append(path.lstat().st_mode)
    )
    before = os.umask(0)
    try:
        with listening(path):
            modes.append(path.lstat().st_mode)
    finally:
        assert os.umask(before) == 0
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600, 0o600]


def test_the_socket_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with listening(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert list(tmp_path.iterdir()) == []


def test_a_socket_at_which_nobody_listens_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with listening(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_at_which_somebody_listens_stays(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with listening(path) as first:
        with pytest.raises(PortalError, match="another server does"), listening(path):
            pass
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            first.accept()[0].close()


def test_a_backlog_that_is_full_is_somebody(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as client:
        busy.bind(str(path))
        busy.listen(0)
        client.connect(str(path))
        with pytest.raises(PortalError, match="another server does"), listening(path):
            pass


def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "control"
    path.write_text("dear to somebody")
    with pytest.raises(PortalError, match="something that is no socket"), listening(path):
        pass
    assert path.read_text() == "dear to somebody"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "control"
    with pytest.raises(PortalError, match=r"cannot listen at .*: No such file"), listening(path):
        pass


def test_a_path_that_is_too_long_is_told(tmp_path: Path) -> None:
    path = tmp_path / ("x" * MOST_PATH)
    with pytest.raises(PortalError, match="107 bytes at most"), listening(path):
        pass


def test_what_somebody_has_put_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with listening(path):
        path.unlink()
        path.write_text("another")
    assert path.read_text() == "another"
