"""Each lesson runs, shows what it is about, and ends in a question."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "lessons"
LESSONS = sorted(FOLDER.glob("[0-9]*.py"))
SECTIONS = tomllib.loads((ROOT / "specs" / "sections.toml").read_text())

SHOWN = {
    "01_login": [
        "connection T3: FREE -> XPT_UP (RFC 7143 section 8.1)",
        "-->  Login Request, stage 1 to 3",
        "connection T5: IN_LOGIN -> LOGGED_IN",
        "session N2: ACTIVE -> LOGGED_IN",
        "<--  Login Response, SUCCESS",
        "TargetPortalGroupTag",
        "-->  NOP-Out",
        "<--  NOP-In",
    ],
    "02_t_is_not_c": [
        "login C-in: OPERATIONAL -> OPERATIONAL_PARTIAL",
        "<--  Login Response, SUCCESS",
        "login C-in-end: OPERATIONAL_PARTIAL -> OPERATIONAL",
        "wrong: text that goes on cannot end a step (RFC 7143 section 11.12)",
        "login refuse: AWAITING -> REFUSED",
        "Login Response, INITIATOR_ERROR",
        "A header that begins with 43 c7",
    ],
    "03_command_window": [
        "CmdSN 6, ExpStatSN 5",
        "window: ExpCmdSN 4 to MaxCmdSN 6, room for 3; the next CmdSN is 7, 5 commands wait",
        "CmdSN 11",
        "the next CmdSN is 12, 0 commands wait",
    ],
    "04_write_by_r2t": [
        "<--  Ready To Transfer, 4096 bytes wanted from 0",
        "DataSN 1, 2048 bytes",
        "<--  Ready To Transfer, 4096 bytes wanted from 4096",
        "SCSI Response, GOOD",
        "(2) SCSI Command, WRITE(10), ITT 0x00000005, CmdSN 4, ExpStatSN 5, 2048 bytes",
        "DataSN 2, 2048 bytes",
    ],
    "05_stat_sn": [
        "ITT 0x00000007, CmdSN 6",
        "ITT 0x00000007, StatSN 5",
        "ITT 0x00000005, StatSN 7",
        "NOP-Out, ITT 0x00000008, CmdSN 7, ExpStatSN 8",
    ],
    "06_digest_error": [
        "wrong: the data digest does not match",
        "<--  Reject, DATA_DIGEST_ERROR",
        "the initiator gives up: rejected: data digest error",
        "wrong: the header digest does not match",
        "connection T15: LOGGED_IN -> CLEANUP_WAIT",
        "the initiator gives up: the target has closed the connection",
    ],
    "07_coming_back": [
        "connection T15: LOGGED_IN -> CLEANUP_WAIT",
        "session N5: LOGGED_IN -> FAILED",
        "cleanup M2: CLEANUP_WAIT -> IN_CLEANUP",
        "cleanup M4: IN_CLEANUP -> FREE",
        "What was written is there: !!!!!!!!",
    ],
    "08_two_connections": [
        "session N1: FREE -> ACTIVE",
        "session N2: ACTIVE -> LOGGED_IN",
        "(2) connection T5: IN_LOGIN -> LOGGED_IN",
        "Four reads, by turns on both",
        "-->  (2) Logout Request, CLOSE_CONNECTION",
        "(2) connection T13: IN_LOGOUT -> FREE",
        "<--  NOP-In",
        "-->  Logout Request, CLOSE_SESSION",
        "session N3: LOGGED_IN -> FREE",
    ],
    "09_task_abort": [
        "-->  Task Management Request, ABORT_TASK",
        "<--  Task Management Response, COMPLETE",
        "the reader hears: aborted",
        "<--  Task Management Response, NO_TASK",
        "<--  NOP-In",
    ],
    "10_reservations": [
        "PERSISTENT RESERVE OUT (RESERVE)",
        "(2) SCSI Response, RESERVATION_CONFLICT",
        "PERSISTENT RESERVE OUT (PREEMPT)",
        "that went well",
        "REGISTRATIONS_PREEMPTED",
        "that was refused: RESERVATION_CONFLICT",
    ],
    "11_misbehaving_target": [
        "the judge: T-06: StatSN 5, 4 is the next (7143-4.2.2.2-2)",
        "the initiator: StatSN 5 came where 4 was due",
        "the judge: T-07: MaxCmdSN 0 after",
        "the judge: T-08: data from byte 8, 0 is the next",
        "the initiator: data up to byte 40",
        "the judge: T-12: the tag is not that of the request",
        "the initiator: a Login Response to another login",
    ],
    "12_judge_your_initiator": [
        "The initiator that counts DataSN from 1, judged:",
        "FAIL: 1",
        "DataSN counts from 0 in each sequence.",
        "M-15: DataSN 1, 0 is the next (7143-4.2.2.4-1)",
        "not-exercised:",
    ],
}
"""What a lesson shows, in its order."""


Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a lesson in this process, and gives what it shows."""

    def run(lesson: Path, *arguments: str) -> str:
        monkeypatch.syspath_prepend(str(FOLDER))
        monkeypatch.delitem(sys.modules, "classroom", raising=False)
        monkeypatch.setattr(sys, "argv", [str(lesson), *arguments])
        runpy.run_path(str(lesson), run_name="__main__")
        shown, complaints = capsys.readouterr()
        assert complaints == ""
        return shown

    return run


def test_a_lesson_runs_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, LESSONS[0]], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Question: " in done.stdout


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_shows_its_idea_and_ends_in_a_question(lesson: Path, run: Run) -> None:
    shown = run(lesson)
    at = 0
    for line in SHOWN[lesson.stem]:
        assert line in shown[at:], shown
        at = shown.index(line, at)
    *_, question = shown.rstrip().split("\n\n")
    assert question.startswith("Question: ")
    assert "?" in question


def test_commands_on_two_connections_have_one_order_and_two_counts_of_answers(run: Run) -> None:
    shown = run(FOLDER / "08_two_connections.py")
    commands = re.findall(r"-->  (\(2\) )?SCSI Command, READ\(10\), .* CmdSN (\d+)", shown)
    assert sorted(number for _, number in commands) == ["4", "5", "6", "7"]
    answers = re.findall(r"<--  (\(2\) )?SCSI Data-In, .* StatSN (\d+)", shown)
    assert sorted(answers) == [("", "5"), ("", "6"), ("(2) ", "2"), ("(2) ", "3")]


def test_any_command_can_be_judged(run: Run) -> None:
    command = (sys.executable, "-m", "trioscsi", "probe", "{url}")
    shown = run(FOLDER / "12_judge_your_initiator.py", *command)
    assert re.search(r"FAIL: 0\n +WARN: 0", shown)


def test_a_command_that_is_not_there_is_told(run: Run) -> None:
    assert "it ends with: [Errno 2]" in run(FOLDER / "12_judge_your_initiator.py", "no-such-thing")


def test_there_are_twelve_lessons_and_each_is_tested_and_listed() -> None:
    assert len(LESSONS) == 12
    assert {path.stem for path in LESSONS} == SHOWN.keys()
    listed = re.findall(
        r"^\| \[(\d\d)\]\((\w+\.py)\)", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    assert listed == [(path.stem[:2], path.name) for path in LESSONS]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_says_how_to_run_it_and_is_short(lesson: Path) -> None:
    text = lesson.read_text()
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert docstring.startswith(f"Lesson {int(lesson.stem[:2])}: ")
    assert f"python examples/lessons/{lesson.name}" in docstring
    assert len(text.splitlines()) < 100


@pytest.mark.parametrize("path", [*LESSONS, FOLDER / "README.md"], ids=lambda path: path.stem)
def test_the_sections_that_a_lesson_cites_are_there(path: Path) -> None:
    cited = re.findall(r"(?<![\w.-])(?:[1-9]|1[0-3])(?:\.\d+)+(?![\w-])", path.read_text())
    headings = SECTIONS["rfc7143"]
    assert [number for number in cited if number not in headings] == []
