from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import trio
import trio.testing
from click.testing import CliRunner, Result

from tests.server.peer import NAME
from tests.teaching.live.test_replay import Recorded, recorded  # noqa: F401 - a fixture
from trioscsi import MemoryDisk, Server, Target
from trioscsi.cli import commands
from trioscsi.cli.terminal.player import Player
from trioscsi.cli.terminal.view import Interest
from trioscsi.cli.watch import _show


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["watch", *arguments])


@pytest.fixture
def capture(recorded: Recorded, tmp_path: Path) -> str:  # noqa: F811
    path = tmp_path / "trace.pcapng"
    path.write_bytes(recorded.capture)
    return str(path)


def test_a_capture_is_told_in_lines(capture: str) -> None:
    result = invoke(capture)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "# capture: 0 connections now"
    assert "    * connection T5: IN_LOGIN -> LOGGED_IN" in result.stdout
    assert "--> Login Request, stage 1 to 3" in result.stdout
    assert "= refused: there is no target" in result.stdout or "refused" in result.stdout


def test_what_is_shown_can_be_chosen(capture: str) -> None:
    result = invoke(capture, "--connection", "1", "--pdu", "logout", "--no-transitions")
    said = [line for line in result.stdout.splitlines() if "-->" in line or "<--" in line]
    assert [line.split()[3] for line in said] == ["Logout", "Logout"]
    assert " * " not in result.stdout


def test_the_messages_themselves_are_json(capture: str) -> None:
    result = invoke(capture, "--json")
    messages = [json.loads(line) for line in result.stdout.splitlines()]
    assert messages[0]["type"] == "hello"
    assert {message["type"] for message in messages} >= {"pdu", "task", "keys", "session"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "say what to watch: --control PATH, or a CAPTURE"),
        (["nowhere.pcapng"], "does not exist"),
        (["--connection", "0"], "Invalid value for '--connection'"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], reason: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_only_one_thing_is_watched(capture: str, tmp_path: Path) -> None:
    assert invoke(capture, "--control", str(tmp_path / "x")).exit_code == 2


def test_steps_need_a_terminal(capture: str) -> None:
    result = invoke(capture, "--step")
    assert result.exit_code == 2
    assert "--step needs a terminal" in result.stderr


def test_who_reads_may_go(capture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(line: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(click, "echo", gone)
    assert invoke(capture).exit_code == 1


def test_a_terminal_gets_a_screen(capture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[Player, Interest]] = []
    module = import_module("trioscsi.cli.watch")  # "watch" in trioscsi.cli is the command
    monkeypatch.setattr(module, "_show", lambda *arguments: shown.append(arguments))
    monkeypatch.setattr(module, "_is_terminal", lambda: True)
    assert invoke(capture, "--step", "--speed", "0.5", "--pdu", "Login, R2T").exit_code == 0
    ((player, interest),) = shown
    assert (player.paused, player.speed) == (True, 0.5)
    assert interest == Interest(None, ("login", "r2t"))


async def test_a_server_is_told_of_in_lines_until_it_is_gone(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    control = tmp_path / "control"
    server = Server([Target(NAME, MemoryDisk("1MiB"))], ["127.0.0.1:0"], control=control)
    await nursery.start(server.serve)
    results: list[Result] = []

    async def watch() -> None:
        results.append(await trio.to_thread.run_sync(invoke, "--control", str(control)))

    async with trio.open_nursery() as watching:
        watching.start_soon(watch)
        with trio.fail_after(10):
            while not server.feed.followed or len(server.feed._subscriptions[0]):
                await trio.testing.wait_all_tasks_blocked(0.01)
        await server.stop()
    (result,) = results
    assert result.exit_code == 1
    assert result.stdout.startswith("# trioscsi ")
    assert result.stderr == "Error: the server is gone\n"


def test_where_no_server_is_it_is_said_how_to_start_one(tmp_path: Path) -> None:
    path = tmp_path / "control"
    result = invoke("--control", str(path))
    assert result.exit_code == 1
    assert f"start one with trioscsi serve --control {path}" in result.stderr


def test_what_is_no_capture_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("dear diary")
    result = invoke(str(path))
    assert result.exit_code == 1
    assert "no pcap or pcapng file" in result.stderr


def test_a_capture_that_is_cut_is_a_failure_after_what_is_there(
    recorded: Recorded,  # noqa: F811
    tmp_path: Path,
) -> None:
    path = tmp_path / "trace"
    path.write_bytes(recorded.capture[:-2500])
    result = invoke(str(path))
    assert result.exit_code == 1
    assert "Login Request" in result.stdout
    assert "ends in the middle of a packet" in result.stderr


def test_without_textual_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "trioscsi.cli.terminal.app", raising=False)
    monkeypatch.setitem(sys.modules, "textual.app", None)
    monkeypatch.setitem(sys.modules, "textual", None)
    unused: Any = None
    with pytest.raises(click.ClickException, match=r"pip install 'trioscsi\[watch\]'"):
        _show(Player(unused), Interest())
