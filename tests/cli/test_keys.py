from __future__ import annotations

import io
import os
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from trioscsi.cli.keys import ENTER, Keys


async def all_keys(keys: Keys) -> list[str]:
    found = []
    with trio.fail_after(5), keys.ready():
        while (key := await keys.next()) is not None:
            found.append(key)
    return found


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        (b"", []),
        (b"\n", [ENTER]),
        (b"\n\nc\n", [ENTER, ENTER, "c"]),
        (b"Continue\n q \nx", ["c", "q", "x"]),
        (b"\xff\xfe\n", ["\ufffd"]),
    ],
)
async def test_a_line_of_a_file_is_a_key(tmp_path: Path, given: bytes, keys: list[str]) -> None:
    path = tmp_path / "keys"
    path.write_bytes(given)
    with path.open("rb") as file:
        assert await all_keys(Keys(file.fileno())) == keys


async def test_a_key_is_waited_for(pipe: tuple[int, int], nursery: trio.Nursery) -> None:
    found: list[str | None] = []

    async def read() -> None:
        found.append(await Keys(pipe[0]).next())

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    assert found == []
    os.write(pipe[1], b"c\n")
    with trio.fail_after(5):
        while not found:
            await trio.testing.wait_all_tasks_blocked(0.001)
    assert found == ["c"]


async def test_what_waits_for_a_key_can_be_cancelled_and_takes_none(
    pipe: tuple[int, int],
) -> None:
    keys = Keys(pipe[0])
    with trio.move_on_after(0):
        await keys.next()
    os.write(pipe[1], b"q\n")
    with trio.fail_after(5):
        assert await keys.next() == "q"


async def test_a_terminal_gives_each_key_at_once() -> None:
    ours, theirs = os.openpty()
    try:
        keys = Keys(theirs)
        before = termios.tcgetattr(theirs)
        with keys.ready(), trio.fail_after(5):
            for typed, key in ((b"\n", ENTER), (b"\r", ENTER), (b" ", ENTER), (b"C", "c")):
                os.write(ours, typed)
                assert await keys.next() == key
            assert not termios.tcgetattr(theirs)[3] & termios.ECHO
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("stdin", [None, io.StringIO("c\n")])
async def test_without_standard_input_there_are_no_keys(
    monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    assert await all_keys(Keys()) == []


async def test_standard_input_is_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    path.write_text("q\n")
    with path.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert await all_keys(Keys()) == ["q"]
