"""``trioscsi conformance``: the bench that judges initiators."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import trio

from trioscsi.cli.bench.common import COLOURS, ReportFile, chosen, is_scenario, quiet_log, write
from trioscsi.cli.bench.listening import check, proxy
from trioscsi.cli.bench.listing import list_scenarios
from trioscsi.cli.bench.trying import selftest
from trioscsi.cli.numbers import Number
from trioscsi.conformance.bench.clock import run_in_no_time
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.run import perform_all
from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.drivers.built_in import BUILT_IN
from trioscsi.conformance.drivers.command import CommandDriver
from trioscsi.conformance.drivers.driver import Driver
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.report import Report
from trioscsi.conformance.report.as_json import as_json, as_object
from trioscsi.conformance.report.compare import differences, parse
from trioscsi.conformance.report.expected import as_expected
from trioscsi.conformance.report.html import as_html
from trioscsi.conformance.report.junit import as_junit
from trioscsi.conformance.report.plain import plain
from trioscsi.conformance.report.terminal import lines, progress
from trioscsi.conformance.scenarios.quick import QUICK
from trioscsi.errors import CaptureError, DriverError, UsageError

_INTERRUPTED = 130
"""The exit status of what SIGINT has ended."""


@click.group(
    epilog="\b\nExamples:\n  trioscsi conformance run -- iscsi-inq {url}\n"
    "  trioscsi conformance list --unh"
)
def conformance() -> None:
    """Judge an initiator against RFC 7143 and RFC 7144."""


class _WithCommand(click.Command):
    """Keeps apart what is behind the first "--", which click would only leave out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        place = args.index("--") if "--" in args else len(args)
        ctx.meta[_COMMAND] = args[place + 1 :]
        return super().parse_args(ctx, args[:place])


_COMMAND = "trioscsi.conformance.command"


@conformance.command(
    cls=_WithCommand,
    epilog="\b\nExamples:\n  trioscsi conformance run -- iscsi-inq {url}\n"
    "  trioscsi conformance run LG NG-01 --html report.html -- qemu-img info {url}\n"
    "  trioscsi conformance run --recipe in-house --json report.json",
)
@click.argument("words", metavar="[SCENARIO ...] [-- COMMAND]", nargs=-1, type=click.UNPROCESSED)
@click.option("--recipe", type=click.Choice([*BUILT_IN]), help="A driver that is built in.")
@click.option("--json", "json_file", type=ReportFile(), help="Write the report.")
@click.option("--html", type=ReportFile(), help="Write it as one page.")
@click.option(
    "--captures",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write a pcapng capture of each scenario.",
)
@click.option(
    "--compare",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="OLD.json",
    help="Tell what is different from an earlier report; fail for what is worse alone.",
)
@click.option(
    "--expected",
    type=ReportFile(),
    metavar="NEW.json",
    help="Write verdicts alone, to be kept and compared.",
)
@click.option(
    "--patience",
    type=Number(min=1, max=100),
    default=1,
    metavar="FACTOR",
    help="Give the initiator so many times the time: where it, or this machine, is slow.",
)
@click.option("--quick", is_flag=True, help="Some scenarios of each group, within a minute.")
@click.option("-q", "--quiet", is_flag=True, help="Tell what was found, no scenario by itself.")
@click.option("--junit", type=ReportFile(), help="Write it as JUnit XML.")
@click.pass_context
def run(
    context: click.Context,
    words: tuple[str, ...],
    recipe: str | None,
    json_file: Path | None,
    junit: Path | None,
    html: Path | None,
    captures: Path | None,
    compare: Path | None,
    patience: float,
    quiet: bool,
    expected: Path | None,
    quick: bool,
) -> None:
    """Play scenarios with an initiator, and tell which requirements it keeps.

    SCENARIO is an id or a group (LG-03, LG); by default all are played.  COMMAND is started for
    each with {url}, {portal}, {host}, {port}, {iqn} and {lun} filled in.  The exit status is 1 if
    anything that the RFC demands (MUST) is broken, or if the initiator has never sent a PDU: it is
    given up after three scenarios.

    A line is told of each scenario as soon as it is over, then what was found, then the counts.
    SIGINT or SIGTERM ends the run, and what was found so far is told and written; the exit status
    is 130 then.

    \b
    The recipes:
      in-house  our own initiator, in this process
      libiscsi  iscsi-inq, iscsi-ls, iscsi-perf and iscsi-test-cu
      qemu      QEMU's block driver: qemu-io and qemu-img
      linux     Linux with open-iscsi, as a guest under User-Mode Linux
      ipxe      iPXE, in a machine of QEMU
    """
    names, command = list(words), context.meta[_COMMAND]
    if recipe is None and not command:
        names, command = _split(words)
    if quick and names:
        raise click.UsageError("either --quick, or scenarios by their names")
    scenarios = chosen(QUICK if quick else names)
    if (recipe is None) is (not command):
        raise click.UsageError("either a --recipe, or a command behind --")
    driver = _driver(recipe, command)
    old = None if compare is None else _earlier(compare)
    _make_folder(captures)
    try:
        with _termination_is_an_interrupt():
            driver.open()
            outcomes = _play(scenarios, driver, captures, patience, quiet=quiet)
    except (CaptureError, DriverError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        driver.close()
    report, cut_short = Report(driver.name, outcomes), len(outcomes) < len(scenarios)
    write(json_file, as_json(report))
    write(junit, as_junit(report))
    write(html, as_html(report))
    if not cut_short:  # what is expected is expected of whole runs
        write(expected, as_expected(as_object(report)))
    for line in lines(report):
        click.echo(line)
    worse = report.failed
    if old is not None:
        found = list(differences(old, as_object(report)))
        for each in found:
            click.echo(plain(str(each)))
        click.echo(f"{len(found)} differences from {compare}")
        worse = any(each.worse for each in found)
    if cut_short:
        click.echo(f"interrupted: {len(outcomes)} of {len(scenarios)} scenarios were played")
        context.exit(_INTERRUPTED)
    context.exit(1 if worse or report.deserted else 0)


@contextmanager
def _termination_is_an_interrupt() -> Iterator[None]:
    """So that what a driver has started ends as well."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _make_folder(folder: Path | None) -> None:
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"cannot make {folder}: {error.strerror}") from error


def _earlier(file: Path) -> Mapping[str, Any]:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (OSError, UsageError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file}: {error}") from error


def _driver(recipe: str | None, command: Sequence[str]) -> Driver:
    if recipe is None:
        return CommandDriver.of(command)
    return BUILT_IN[recipe]()


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Scenarios, and a command without a "--": it begins with the first word that is neither."""
    place = next((n for n, word in enumerate(words) if not is_scenario(word)), len(words))
    return list(words[:place]), list(words[place:])


def _play(
    scenarios: Sequence[Scenario],
    driver: Driver,
    captures: Path | None,
    patience: float,
    *,
    quiet: bool,
) -> list[Outcome]:
    """The outcomes, in the order of the scenarios; of some only, if a signal ends the run."""
    found: dict[str, Outcome] = {}
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def tell(outcome: Outcome) -> None:
        found[outcome.scenario.id] = outcome
        if not quiet:
            line = progress(outcome, width)
            click.echo(click.style(line, fg=COLOURS.get(outcome.verdict)))

    async def play() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_by_signal, nursery.cancel_scope)
            await perform_all(
                scenarios,
                driver,
                at_once=driver.at_once,
                captures=captures,
                patience=patience,
                tell=tell,
            )
            nursery.cancel_scope.cancel()

    with quiet_log():
        if isinstance(driver, InHouse):
            run_in_no_time(play)
        else:
            trio.run(play)
    return [found[scenario.id] for scenario in scenarios if scenario.id in found]


async def _end_by_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


for _command in (list_scenarios, selftest, check, proxy):
    conformance.add_command(_command)
