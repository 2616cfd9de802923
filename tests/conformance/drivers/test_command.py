from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from trioscsi.conformance.bench.scenario import Drive
from trioscsi.conformance.drivers.command import CommandDriver
from trioscsi.conformance.drivers.driver import Ending, How, Where

WHERE = Where(host="127.0.0.1", port=1, iqn="iqn.2025-12.local:nobody")


def ending_of(script: str, *arguments: str) -> Ending:
    driver = CommandDriver.of([sys.executable, "-c", script, *arguments])
    return trio.run(driver.drive, Drive.LOGIN, WHERE)


LEAVES_A_CHILD = """
import pathlib, subprocess, sys
child = subprocess.Popen(["sleep", "60"], stdout=eval(sys.argv[2]))
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
print("done")
"""


@pytest.mark.parametrize("pipe", ["None", "subprocess.DEVNULL"])
def test_a_command_is_over_when_it_ends_and_what_it_left_behind_ends_too(tmp_path: Path, pipe: str):
    file = tmp_path / "pid"
    ending = ending_of(LEAVES_A_CHILD, str(file), pipe)
    assert ending == Ending(How.DONE, "done", "done\n")
    with suppress(ProcessLookupError), os.fdopen(os.pidfd_open(int(file.read_text()))) as handle:
        ended, _, _ = select.select([handle], [], [], 5)
        assert ended


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was sent to groups of processes, each of which has to be still that of its number."""
    sent: list[int] = []
    really = os.killpg

    def note(group: int, number: int) -> None:
        assert Path(f"/proc/{group}").exists()
        sent.append(number)
        really(group, number)

    monkeypatch.setattr(os, "killpg", note)
    return sent


def test_what_a_command_may_have_left_behind_is_ended_once(signals: list[int]):
    assert ending_of("print('done')").how is How.DONE
    assert signals == [signal.SIGKILL]


def test_a_command_that_is_interrupted_is_asked_to_end_first(signals: list[int], tmp_path: Path):
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    driver = CommandDriver.of(["sh", "-c", f"echo >{begun}; sleep 60"])

    async def interrupt() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver.drive, Drive.LOGIN, WHERE)
            await trio.Path(begun).read_text()
            nursery.cancel_scope.cancel()

    trio.run(interrupt)
    assert signals == [signal.SIGTERM, signal.SIGKILL]


def test_of_what_a_command_prints_the_beginning_and_the_end_are_kept():
    script = "print('first'); print('x' * 3_000_000); print('last')"
    ending = ending_of(script)
    assert ending.says == "last"
    assert ending.output.startswith("first\nxxx")
    assert len(ending.output) == 2**20


def test_what_a_command_says_neither_colours_nor_clears_a_terminal():
    assert ending_of(r"print('\x1b[31m\x07bad \x1b[2Jthing\x1b[0m')").says == "bad thing"


def test_a_command_finds_nothing_to_read():
    assert ending_of("print(repr(input()))").says.startswith("EOFError")
