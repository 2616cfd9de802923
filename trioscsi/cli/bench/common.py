"""What the subcommands of ``trioscsi conformance`` have in common."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.verdicts import Verdict


class ReportFile(click.Path):
    """A file that is written when all is over; that it can be is seen to before."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        file = Path(os.fsdecode(super().convert(value, param, ctx)))
        code = _obstacle(file)
        if code:
            raise click.ClickException(f"cannot write {file}: {os.strerror(code)}")
        return file


def _obstacle(file: Path) -> int:
    """Why a file cannot be written, as errno has it; 0 if it can."""
    where = file
    try:
        if stat.S_ISDIR(file.stat().st_mode):
            return errno.EISDIR
    except FileNotFoundError:
        where = file.parent
        if not where.is_dir():
            return errno.ENOENT
    except OSError as error:
        return error.errno or errno.EIO
    return 0 if os.access(where, os.W_OK) else errno.EACCES


COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.WARN: "yellow"}


def chosen(names: Sequence[str]) -> list[Scenario]:
    """The scenarios of these ids and groups; all of them without any.

    Raises click.UsageError if there is one that is neither.
    """
    for name in names:
        if not is_scenario(name):
            raise click.UsageError(
                f"there is no scenario or group {name}: `trioscsi conformance list` has all of them"
            )
    return [
        scenario
        for scenario in SCENARIOS.values()
        if not names or scenario.id in names or scenario.group in names
    ]


def is_scenario(name: str) -> bool:
    """Whether it is the id of a scenario, or a group of them."""
    return any(name in (scenario.id, scenario.group) for scenario in SCENARIOS.values())


@contextmanager
def quiet_log() -> Iterator[None]:
    """What the target behind the stage logs is what the scenarios are about."""
    log = logging.getLogger("trioscsi")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def write(file: Path | None, text: str) -> None:
    """Write a file that was asked for; a failure is told as that of the command."""
    if file is None:
        return
    try:
        # An argument that is no text is in the name of what was driven.
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from error
