from __future__ import annotations

import io
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trioscsi.cli.streams import unhurried


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe: what is read, and what is written."""
    ours, theirs = os.pipe()
    yield ours, theirs
    for each in (ours, theirs):
        os.close(each)


def read_all(descriptor: int) -> str:
    os.set_blocking(descriptor, False)
    return os.read(descriptor, 1 << 20).decode()


def test_a_pipe_that_nobody_reads_holds_nobody_up(pipe: tuple[int, int]) -> None:
    ours, theirs = pipe
    line = "x" * 99 + "\n"
    with open(theirs, "w", closefd=False) as stream:
        log = unhurried(stream)
        for _ in range(2000):  # a pipe takes 64 KiB
            log.write(line)
        written = read_all(ours)
        assert set(written.splitlines()) == {line.strip()}
        log.write("more\n")
    missing = 2000 - written.count("\n")
    assert read_all(ours) == f"lines that could not be written here: {missing}\nmore\n"


def test_a_line_that_is_cut_off_does_not_take_the_next_one_with_it(pipe: tuple[int, int]) -> None:
    ours, theirs = pipe
    with open(theirs, "w", closefd=False) as stream:
        log = unhurried(stream)
        log.write("x" * (1 << 20) + "\n")
        assert set(read_all(ours)) == {"x"}
        log.write("more\n")
    assert read_all(ours) == "\nlines that could not be written here: 1\nmore\n"


def test_long_lines_are_written_whole(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        print("é" * select.PIPE_BUF, file=unhurried(stream))
    assert (tmp_path / "log").read_text("utf-8") == "é" * select.PIPE_BUF + "\n"


def test_a_reader_that_has_gone_and_a_full_disk_are_no_errors() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as stream:
        print("unheard", file=unhurried(stream))
    with Path("/dev/full").open("w") as stream:
        print("unheard", file=unhurried(stream))


def test_a_stream_in_memory_is_itself() -> None:
    stream = io.StringIO()
    assert unhurried(stream) is stream


def test_nothing_else_gets_the_number_of_a_stream_that_was_closed() -> None:
    script = (
        "import os\n"
        "from trioscsi.cli.streams import keep_standard_streams\n"
        "for each in range(3): os.close(each)\n"
        "import sys\n"
        "sys.stdin = sys.stdout = sys.stderr = None\n"
        "keep_standard_streams()\n"
        "print('unheard', file=sys.stderr)\n"
        "os._exit([each.fileno() for each in (sys.stdin, sys.stdout, sys.stderr)] != [0, 1, 2])\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def said(into: int, status: int) -> str:
    """What the program complains of, when it is to tell its version there; and its exit status."""
    command = [sys.executable, "-m", "trioscsi", "--version"]
    with os.fdopen(into, "w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True)
    assert done.returncode == status
    return done.stderr


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_behind_standard_output_is_told_in_one_line(
    buffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", buffered)
    complaint = "trioscsi: cannot write to standard output: No space left on device\n"
    assert said(os.open("/dev/full", os.O_WRONLY), 1) == complaint


def test_who_has_heard_enough_is_told_nothing() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    assert said(theirs, 1) == ""


def test_standard_output_is_written_as_before(tmp_path: Path) -> None:
    assert said(os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT), 0) == ""
    assert (tmp_path / "out").read_text().startswith("trioscsi, version ")
