from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trioscsi.errors import ControlError
from trioscsi.server.control.client import Client

WELCOME = b'{"type":"welcome","version":1,"program":"trioscsi 0"}\n'


@contextmanager
def server(path: Path, *answers: bytes) -> Iterator[list[bytes]]:
    """Says something at once, and one thing more after each line; ends after the last one."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()

        def talk() -> None:
            sock, _ = door.accept()
            with sock, sock.makefile("rb") as lines:
                for answer in answers:
                    sock.sendall(answer)
                    heard.append(lines.readline())

        thread = threading.Thread(target=talk)
        thread.start()
        yield heard
        thread.join()


def test_a_question_is_answered_whatever_comes_before(tmp_path: Path) -> None:
    path = tmp_path / "control"
    answer = b'{"type":"pdu"}\n{"type":"answer","id":1,"snapshot":{}}\n'
    with server(path, WELCOME, answer) as heard, Client(path) as client:
        assert client.ask("snapshot")["snapshot"] == {}
    assert heard[0] == b'{"id": 1, "request": "snapshot"}\n'


def test_a_refusal_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "control"
    answer = b'{"type":"error","id":1,"error":"no"}\n'
    with (
        server(path, WELCOME, answer),
        Client(path) as client,
        pytest.raises(ControlError, match="no"),
    ):
        client.ask("snapshot")


def test_messages_end_when_the_server_goes(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with server(path, WELCOME + b'{"type":"hello"}\n{"type":"cut'), Client(path) as client:
        client.send("subscribe")
        assert [message["type"] for message in client.messages()] == ["hello"]


def test_a_server_that_goes_instead_of_answering_is_told(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with (
        server(path, WELCOME),
        Client(path) as client,
        pytest.raises(ControlError, match="the server is gone"),
    ):
        client.ask("snapshot")


def test_where_nobody_answers_it_is_said_how_to_start_one(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with pytest.raises(ControlError, match=f"trioscsi serve --control {path}"):
        Client(path)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0\n", "no trioscsi"),
        (b"[]\n", "no trioscsi"),
        (b"{}\n", "no trioscsi"),
        (b"", "no trioscsi"),
        (
            b'{"type":"welcome","version":2,"program":"trioscsi 9"}\n',
            "trioscsi 9 speaks version 2",
        ),
    ],
)
def test_a_server_of_another_kind_is_told(tmp_path: Path, said: bytes, reason: str) -> None:
    path = tmp_path / "control"
    with server(path, *([said] if said else [])), pytest.raises(ControlError, match=reason):
        Client(path)


def test_who_leaves_is_not_told_of_errors(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with server(path, WELCOME):
        client = Client(path)
        client.close()
        client.close()
        assert list(client.messages()) == []
        with pytest.raises(ControlError, match="gone"):
            client.send("snapshot")
