from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from trioscsi.cli import systemd


def test_a_service_that_was_passed_no_socket_inherits_none() -> None:
    assert systemd.inherited_sockets({}) == []


def test_sockets_passed_to_another_process_are_not_ours() -> None:
    assert systemd.inherited_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) == []


def test_the_sockets_of_a_socket_unit_are_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setattr(systemd, "_FIRST_FD", os.dup(listening.fileno()))
        environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
        (inherited,) = systemd.inherited_sockets(environ)
        with inherited:
            assert inherited.getsockname() == listening.getsockname()


def test_readiness_is_told_to_the_socket_that_systemd_names(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        systemd.notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert listening.recv(100) == b"READY=1"


def test_an_abstract_socket_is_named_with_an_at_sign() -> None:
    name = f"trioscsi-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        systemd.notify("READY=1", {"NOTIFY_SOCKET": f"@{name}"})
        assert listening.recv(100) == b"READY=1"


def test_without_systemd_nothing_is_told() -> None:
    systemd.notify("READY=1", {})
