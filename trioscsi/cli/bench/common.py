"""What the subcommands of ``trioscsi conformance`` have in common."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.verdicts import Verdict

COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.WARN: "yellow"}


def chosen(names: Sequence[str]) -> list[Scenario]:
    """The scenarios of these ids and groups; all of them without any."""
    return [
        scenario
        for scenario in SCENARIOS.values()
        if not names or scenario.id in names or scenario.group in names
    ]


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
        file.write_text(text)
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from error
