from __future__ import annotations

import errno
import runpy
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version

import click
import pytest

from trioscsi import cli
from trioscsi.cli.streams import OutputError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line; gives the exit status, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trioscsi", *arguments])
        try:
            cli.main()
        except SystemExit as error:
            return int(error.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    return run


def test_without_a_command_there_is_help(run: Run) -> None:
    status, output, complaint = run()
    assert (status, complaint) == (0, "")
    assert "serve" in output
    assert "draw" in output


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert version("trioscsi") in run("--version")[1]


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help_with_an_example(run: Run, command: str) -> None:
    status, output, _ = run(command, "--help")
    assert status == 0
    assert f"  trioscsi {command}" in output


def test_a_command_is_imported_when_it_is_asked_for() -> None:
    code = "import sys, trioscsi.cli.serve; print('trioscsi.teaching.picture' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("arguments", [("fly",), ("--fly",)])
def test_wrong_usage_is_one_line_and_status_2(run: Run, arguments: tuple[str, ...]) -> None:
    status, output, complaint = run(*arguments)
    assert (status, output) == (2, "")
    assert complaint.startswith("trioscsi: ")
    assert complaint.count("\n") == 1


def test_an_interrupt_is_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise click.Abort

    monkeypatch.setattr(cli.commands, "main", interrupted)
    assert run("serve") == (130, "", "")


def test_an_interrupt_that_comes_through_nurseries_is_status_130(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise BaseExceptionGroup("", [BaseExceptionGroup("", [KeyboardInterrupt()])])

    monkeypatch.setattr(cli.commands, "main", interrupted)
    assert run("serve") == (130, "", "")


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        (errno.ENOSPC, "trioscsi: cannot write to standard output: as it happens\n"),
        (errno.EPIPE, ""),
    ],
)
def test_what_cannot_be_said_in_a_nursery_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, code: int, complaint: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ExceptionGroup("", [OutputError(code, "as it happens")])

    monkeypatch.setattr(cli.commands, "main", fails)
    assert run("serve") == (1, "", complaint)


def test_a_bug_is_shown_although_there_was_an_interrupt(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise BaseExceptionGroup("", [KeyboardInterrupt(), ZeroDivisionError()])

    monkeypatch.setattr(cli.commands, "main", interrupted)
    with pytest.raises(BaseExceptionGroup):
        run("serve")


def test_the_package_can_be_run(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    sys.argv[1:] = ["--version"]
    runpy.run_module("trioscsi", run_name="__main__")
    assert "version" in capsys.readouterr().out
