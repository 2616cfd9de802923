"""``trioscsi conformance``: the bench that judges initiators."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import click
import trio
from trio.testing import MockClock

from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.run import perform_all
from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.bench.selftest import SelfTest, Trial
from trioscsi.conformance.bench.selftest import selftest as try_mutants
from trioscsi.conformance.drivers.command import CommandDriver
from trioscsi.conformance.drivers.driver import Driver
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.drivers.recipes import RECIPES
from trioscsi.conformance.report import Report
from trioscsi.conformance.report.as_json import as_json
from trioscsi.conformance.report.junit import as_junit
from trioscsi.conformance.report.terminal import lines, progress
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.verdicts import Verdict

_AT_ONCE = 6
"""Scenarios that are played at the same time with an initiator that is another process."""
_QUIET = 0.02
"""Seconds without any event after which a clock of our own jumps to the next deadline."""
_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.WARN: "yellow"}


@click.group(
    epilog="\b\nExamples:\n  trioscsi conformance run -- iscsi-inq {url}\n"
    "  trioscsi conformance list --unh"
)
def conformance() -> None:
    """Judge an initiator against RFC 7143 and RFC 7144."""
    logging.getLogger("trioscsi").setLevel(logging.CRITICAL)


@conformance.command(
    epilog="\b\nExamples:\n  trioscsi conformance run -- iscsi-inq {url}\n"
    "  trioscsi conformance run LG NG-01 --html report.html -- qemu-img info {url}\n"
    "  trioscsi conformance run --recipe in-house --json report.json"
)
@click.argument("words", metavar="[SCENARIO ...] [-- COMMAND]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--recipe", type=click.Choice(["in-house", *RECIPES]), help="A driver that is built in."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write it as JUnit XML.")
@click.pass_context
def run(
    context: click.Context,
    words: tuple[str, ...],
    recipe: str | None,
    json_file: Path | None,
    junit: Path | None,
) -> None:
    """Play scenarios with an initiator, and tell which requirements it keeps.

    SCENARIO is an id or a group (LG-03, LG); by default all are played.  COMMAND is started for
    each with {url}, {portal}, {host}, {port}, {iqn} and {lun} filled in.  The exit status is 1 if
    anything that the RFC demands (MUST) is broken.
    """
    names, command = _split(words)
    scenarios = _chosen(names)
    if (recipe is None) is (not command):
        raise click.UsageError("either a --recipe, or a command behind --")
    driver = _driver(recipe, command)
    outcomes = _play(scenarios, driver)
    report = Report(driver.name, outcomes)
    for line in lines(report):
        click.echo(line)
    _write(json_file, as_json(report))
    _write(junit, as_junit(report))
    context.exit(1 if report.failed else 0)


def _driver(recipe: str | None, command: Sequence[str]) -> Driver:
    if recipe is None:
        return CommandDriver.of(command)
    return RECIPES.get(recipe) or InHouse()


def _split(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Scenarios, and the command behind them.

    Click takes the "--" away, so that the command begins with the first word that is no scenario.
    """
    groups = {scenario.group for scenario in SCENARIOS.values()}
    for place, word in enumerate(words):
        if word not in SCENARIOS and word not in groups:
            return list(words[:place]), list(words[place:])
    return list(words), []


def _chosen(names: Sequence[str]) -> list[Scenario]:
    return [
        scenario
        for scenario in SCENARIOS.values()
        if not names or scenario.id in names or scenario.group in names
    ]


def _play(scenarios: Sequence[Scenario], driver: Driver) -> list[Outcome]:
    def tell(outcome: Outcome) -> None:
        click.echo(click.style(progress(outcome), fg=_COLOURS.get(outcome.verdict)))

    async def play(at_once: int) -> list[Outcome]:
        return await perform_all(scenarios, driver, at_once=at_once, tell=tell)

    if isinstance(driver, InHouse):
        return trio.run(play, 1, clock=MockClock(autojump_threshold=_QUIET))
    return trio.run(play, _AT_ONCE)


@conformance.command(name="list")
@click.option("--unh", is_flag=True, help="By the numbers of UNH-IOL's tests.")
def list_(unh: bool) -> None:
    """List all scenarios."""
    if unh:
        tests = [(test, scenario) for scenario in SCENARIOS.values() for test in scenario.unh]
        for test, scenario in sorted(tests, key=lambda each: _natural(each[0])):
            click.echo(f"{test:<14} {scenario.id:<6} {scenario.says}")
        return
    for scenario in SCENARIOS.values():
        click.echo(
            f"{scenario.id:<6} {scenario.stimulus.value}  {scenario.level.name:<6}"
            f"  {scenario.section:<9} {scenario.says}"
        )


def _natural(name: str) -> list[tuple[int, str]]:
    """So that 2.1 comes before 10.1."""
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in name.replace(".", " ").split()
    ]


@conformance.command()
@click.argument("names", metavar="[SCENARIO ...]", nargs=-1)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the result.")
@click.pass_context
def selftest(context: click.Context, names: tuple[str, ...], json_file: Path | None) -> None:
    """Test the bench: initiators with one fault each have to be caught."""
    unknown = [
        name for name in names if not any(name in (s.id, s.group) for s in SCENARIOS.values())
    ]
    if unknown:
        raise click.UsageError(f"there is no scenario {unknown[0]}")

    def tell(trial: Trial) -> None:
        scenario = trial.outcome.scenario
        how = "caught" if trial.caught else "noticed" if trial.noticed else "MISSED"
        click.echo(f"{scenario.id:<6} {how:<8} {trial.mutant}")

    async def play() -> SelfTest:
        return await try_mutants(_chosen(names), tell=tell)

    result = trio.run(play, clock=MockClock(autojump_threshold=_QUIET))
    caught = len(result.mutants) - len(result.missed)
    click.echo(f"{caught} of {len(result.mutants)} mutants caught")
    for mutant, scenario in result.escaped:
        click.echo(f"  {scenario} does not find {mutant}")
    found = {"mutants": len(result.mutants), "caught": caught, "missed": result.missed}
    _write(json_file, json.dumps(found, indent=1) + "\n")
    context.exit(1 if result.missed else 0)


def _write(file: Path | None, text: str) -> None:
    if file is None:
        return
    try:
        file.write_text(text)
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from error
