"""Each example runs, and does what its docstring says."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trio

from tests.server.peer import BLOCK, TEST_UNIT_READY, Peer
from trioscsi import Server, Target

EXAMPLES = Path(__file__).parents[2] / "examples"
ALL = sorted(EXAMPLES.glob("*.py"))
TARGETS = [EXAMPLES / "memory_target.py", EXAMPLES / "own_backend.py"]

LogIn = Callable[[Target], Awaitable[Peer]]


@pytest.fixture
async def log_in(nursery: trio.Nursery) -> AsyncIterator[LogIn]:
    """Serves a target at a port that is free, and logs in to it."""
    sockets = []

    async def log_in(target: Target) -> Peer:
        (address,) = await nursery.start(Server([target], ["127.0.0.1:0"]).serve)
        sockets.append(trio.socket.socket())
        await sockets[-1].connect(address)
        peer = Peer(sockets[-1])
        assert await peer.log_in(target.name) == 0
        await peer.do(TEST_UNIT_READY)
        return peer

    yield log_in
    for sock in sockets:
        sock.close()


def served(path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """The target that an example would serve if it were run."""
    targets: list[Target] = []
    with monkeypatch.context() as patch:
        patch.setattr(trio, "run", lambda serve: targets.append(serve.__self__))
        runpy.run_path(str(path), run_name="__main__")
    return targets[0]


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
async def test_an_example_is_a_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch, log_in: LogIn
) -> None:
    peer = await log_in(served(path, monkeypatch))
    await peer.write(9, b"e" * BLOCK)
    assert await peer.read(8, 3) == bytes(BLOCK) + b"e" * BLOCK + bytes(BLOCK)
    await peer.log_out()


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_login_is_watched_from_beginning_to_end() -> None:
    done = run("watch_login.py")
    assert (done.returncode, done.stderr) == (0, "")
    labels = ["T3", "T4", "N1", "T5", "N2", "T9", "T13", "N3"]
    places = [done.stdout.index(f" {label}: ") for label in labels]
    assert places == sorted(places)


def test_an_own_scenario_is_played() -> None:
    done = run("own_scenario.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ME-01 pass: ")
    assert done.stdout.count("NopOut(") == 2
    assert "ME-01 not-exercised" in run("own_scenario.py", "true").stdout


def test_a_command_is_judged() -> None:
    done = run("judge_a_command.py", "false", "{url}")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["LG-01", "not-exercised"],
        ["NG-01", "not-exercised"],
    ]


def test_without_a_command_nothing_is_judged() -> None:
    done = run("judge_a_command.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "say how the initiator is started, such as: iscsi-inq {url}\n"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_an_example_says_how_to_run_it(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring is not None
    assert f"python examples/{path.name}" in docstring


def test_every_example_is_tested() -> None:
    assert {path.stem for path in ALL} == {
        "judge_a_command",
        "memory_target",
        "own_backend",
        "own_scenario",
        "watch_login",
    }
