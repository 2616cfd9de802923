"""``trioscsi conformance``: the bench that judges initiators."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click
import trio

from trioscsi.capture import read_capture
from trioscsi.conformance.bench.clock import run_in_no_time
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.proxy import Proxy
from trioscsi.conformance.bench.run import perform_all
from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.bench.selftest import NO_MUTANT, WATCHERS, SelfTest, Trial
from trioscsi.conformance.bench.selftest import selftest as try_mutants
from trioscsi.conformance.bench.watched import UNNOTICED
from trioscsi.conformance.coverage import judged
from trioscsi.conformance.drivers.built_in import BUILT_IN
from trioscsi.conformance.drivers.command import CommandDriver
from trioscsi.conformance.drivers.driver import Driver
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.recorded import RecordedJudge
from trioscsi.conformance.report import Report
from trioscsi.conformance.report.as_json import as_json, as_object
from trioscsi.conformance.report.compare import differences, parse
from trioscsi.conformance.report.expected import as_expected
from trioscsi.conformance.report.html import as_html
from trioscsi.conformance.report.junit import as_junit
from trioscsi.conformance.report.terminal import lines, progress
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.scenarios.quick import QUICK
from trioscsi.conformance.verdicts import Finding, Verdict
from trioscsi.errors import CaptureError, DriverError, TrioscsiError, UsageError
from trioscsi.server.listener import format_address, parse_listen
from trioscsi.server.tracing import opened

_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.WARN: "yellow"}


@click.group(
    epilog="\b\nExamples:\n  trioscsi conformance run -- iscsi-inq {url}\n"
    "  trioscsi conformance list --unh"
)
def conformance() -> None:
    """Judge an initiator against RFC 7143 and RFC 7144."""


@conformance.command(
    epilog="\b\nExamples:\n  trioscsi conformance run -- iscsi-inq {url}\n"
    "  trioscsi conformance run LG NG-01 --html report.html -- qemu-img info {url}\n"
    "  trioscsi conformance run --recipe in-house --json report.json"
)
@click.argument("words", metavar="[SCENARIO ...] [-- COMMAND]", nargs=-1, type=click.UNPROCESSED)
@click.option("--recipe", type=click.Choice([*BUILT_IN]), help="A driver that is built in.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report.")
@click.option("--html", type=click.Path(path_type=Path), help="Write it as one page.")
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
    type=click.Path(path_type=Path),
    metavar="NEW.json",
    help="Write verdicts alone, to be kept and compared.",
)
@click.option("--quick", is_flag=True, help="Some scenarios of each group, within a minute.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write it as JUnit XML.")
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
    expected: Path | None,
    quick: bool,
) -> None:
    """Play scenarios with an initiator, and tell which requirements it keeps.

    SCENARIO is an id or a group (LG-03, LG); by default all are played.  COMMAND is started for
    each with {url}, {portal}, {host}, {port}, {iqn} and {lun} filled in.  The exit status is 1 if
    anything that the RFC demands (MUST) is broken.

    \b
    The recipes:
      in-house  our own initiator, in this process
      libiscsi  iscsi-inq, iscsi-ls, iscsi-perf and iscsi-test-cu
      qemu      QEMU's block driver: qemu-io and qemu-img
      linux     Linux with open-iscsi, as a guest under User-Mode Linux
      ipxe      iPXE, in a machine of QEMU
    """
    names, command = _split(words)
    if quick and names:
        raise click.UsageError("either --quick, or scenarios by their names")
    scenarios = _chosen(QUICK if quick else names)
    if (recipe is None) is (not command):
        raise click.UsageError("either a --recipe, or a command behind --")
    driver = _driver(recipe, command)
    old = None if compare is None else _earlier(compare)
    if captures is not None:
        captures.mkdir(parents=True, exist_ok=True)
    try:
        with _termination_is_an_interrupt():
            driver.open()
            outcomes = _play(scenarios, driver, captures)
    except (CaptureError, DriverError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        driver.close()
    report = Report(driver.name, outcomes)
    for line in lines(report):
        click.echo(line)
    _write(json_file, as_json(report))
    _write(junit, as_junit(report))
    _write(html, as_html(report))
    _write(expected, as_expected(as_object(report)))
    if old is None:
        context.exit(1 if report.failed else 0)
    found = list(differences(old, as_object(report)))
    for each in found:
        click.echo(each)
    click.echo(f"{len(found)} differences from {compare}")
    context.exit(1 if any(each.worse for each in found) else 0)


@contextmanager
def _termination_is_an_interrupt() -> Iterator[None]:
    """So that what a driver has started ends as well."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _earlier(file: Path) -> Mapping[str, Any]:
    try:
        return parse(file.read_text())
    except (OSError, UsageError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file}: {error}") from error


def _driver(recipe: str | None, command: Sequence[str]) -> Driver:
    if recipe is None:
        return CommandDriver.of(command)
    return BUILT_IN[recipe]()


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


def _play(scenarios: Sequence[Scenario], driver: Driver, captures: Path | None) -> list[Outcome]:
    def tell(outcome: Outcome) -> None:
        click.echo(click.style(progress(outcome), fg=_COLOURS.get(outcome.verdict)))

    async def play() -> list[Outcome]:
        return await perform_all(
            scenarios, driver, at_once=driver.at_once, captures=captures, tell=tell
        )

    with _quiet_log():
        if isinstance(driver, InHouse):
            return run_in_no_time(play)
        return trio.run(play)


@contextmanager
def _quiet_log() -> Iterator[None]:
    """What the target behind the stage logs is what the scenarios are about."""
    log = logging.getLogger("trioscsi")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


@conformance.command(name="list")
@click.option("--unh", is_flag=True, help="By the numbers of UNH-IOL's tests.")
@click.option("--requirements", is_flag=True, help="By what the RFCs ask for, with the monitors.")
def list_(unh: bool, requirements: bool) -> None:
    """List all scenarios."""
    if requirements:
        for id_, each in judged().items():
            who = " ".join((*each.scenarios, *each.monitors))
            click.echo(f"{id_:<18} {each.rule.level.name:<6}  {who}")
        return
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
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that play at the same time.",
)
@click.pass_context
def selftest(
    context: click.Context, names: tuple[str, ...], json_file: Path | None, jobs: int
) -> None:
    """Test the bench: initiators with one fault each have to be caught.

    The correct one has to pass.  The exit status is 1 if a fault is missed, unless it is known why
    nothing can find it.
    """
    unknown = [
        name for name in names if not any(name in (s.id, s.group) for s in SCENARIOS.values())
    ]
    if unknown:
        raise click.UsageError(f"there is no scenario {unknown[0]}")

    with _quiet_log():
        result = try_mutants(_chosen(names), jobs=jobs, tell=_tell_trial)
    for line in _shares(result, whole=not names):
        click.echo(line)
    caught = len(result.mutants) - len(result.missed)
    found = {"mutants": len(result.mutants), "caught": caught, "missed": result.missed}
    _write(json_file, json.dumps(found, indent=1) + "\n")
    known = {name for each in UNNOTICED.values() for name in each}
    unknown = [mutant for mutant in result.missed if mutant not in known]
    context.exit(1 if unknown or result.escaped or result.blamed else 0)


def _tell_trial(trial: Trial) -> None:
    noticed = ", ".join(sorted(trial.noticed))
    if trial.mutant == NO_MUTANT:
        click.echo(f"{trial.scenario:<6} {trial.verdict.value:<9} the correct initiator")
        return
    how = "caught" if trial.caught else "noticed" if noticed else "not found"
    click.echo(f"{trial.scenario:<6} {how:<9} {trial.mutant}{noticed and f' ({noticed})'}")


def _shares(result: SelfTest, whole: bool) -> Iterator[str]:
    """What was caught of what there was, and what was not."""
    mutants, missed = len(result.mutants), result.missed
    known = {name: why for each in UNNOTICED.values() for name, why in each.items()}
    share = 100 * (mutants - len(missed)) / max(mutants, 1)
    yield f"{mutants - len(missed)} of {mutants} mutants caught ({share:.1f} %)"
    yield from (f"  {name} is not: {known.get(name, 'NOBODY KNOWS WHY')}" for name in missed)
    yield from (f"  {who} does not find {mutant}" for who, mutant in result.escaped)
    yield from (f"  {name} finds fault with the correct initiator" for name in result.blamed)
    if whole:
        unseen = [name for name in WATCHERS if not result.alone(name)]
        seen = len(WATCHERS) - len(unseen)
        yield f"{seen} of {len(WATCHERS)} monitors notice a fault that no other notices"
        yield from (f"  {name} does not" for name in unseen)
        bare = [each.id for each in SCENARIOS.values() if not each.mutants]
        yield f"{len(SCENARIOS) - len(bare)} of {len(SCENARIOS)} scenarios find a fault"
        yield f"  without a mutant that fails: {', '.join(bare)}"


@conformance.command(
    epilog="\b\nExamples:\n  trioscsi conformance check trace.pcapng\n"
    "  tcpdump -w - port 3260 | trioscsi conformance check - --json report.json"
)
@click.argument("capture", type=click.File("rb"))
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report.")
@click.pass_context
def check(context: click.Context, capture: BinaryIO, json_file: Path | None) -> None:
    """Judge what is in a CAPTURE (pcapng or pcap): the initiators, and the targets.

    Connections are judged from their login on, as far as the capture has all of them.  The exit
    status is 1 if anything that the RFC demands (MUST) is broken.
    """
    judge = RecordedJudge()
    complaint = ""
    try:
        for packet in read_capture(capture):
            judge.hear(packet)
    except CaptureError as error:
        complaint = str(error)
    report = Report(capture.name, observed=judge.end())
    if not judge.connections:
        raise click.ClickException(complaint or "there is no TCP connection in the capture")
    for line in (*lines(report), *judge.notes):
        click.echo(line)
    _write(json_file, as_json(report))
    if complaint:
        raise click.ClickException(f"{complaint}, after {judge.packets} packets")
    context.exit(1 if report.failed else 0)


@conformance.command(
    epilog="\b\nExample:\n  trioscsi conformance proxy --to 192.0.2.1:3260 --listen 127.0.0.1:3261"
)
@click.option("--to", required=True, metavar="HOST:PORT", help="The target.")
@click.option(
    "--listen", default="127.0.0.1:0", show_default=True, metavar="HOST:PORT", help="Wait here."
)
@click.option("--trace", type=click.Path(path_type=Path), help="Write a pcapng capture as well.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report.")
@click.pass_context
def proxy(
    context: click.Context, to: str, listen: str, trace: Path | None, json_file: Path | None
) -> None:
    """Stand between an initiator and any target, and judge both, until interrupted.

    Bytes are passed on as they are.  Findings are told as they are made; SIGINT or SIGTERM ends
    it, and then all of it is told.  Addresses that the target tells of (SendTargets, redirections)
    are its own: give the initiator the address of the proxy.
    """
    try:
        host, port = parse_listen(to)
        where = parse_listen(listen)
        report = trio.run(_stand_between, host, port, where, trace)
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    except (TrioscsiError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for line in lines(report):
        click.echo(line)
    _write(json_file, as_json(report))
    context.exit(1 if report.failed else 0)


async def _stand_between(
    host: str, port: int, where: tuple[str, int], trace: Path | None
) -> Report:
    with opened(trace) as tracing:
        between = Proxy(host, port, trace=tracing, tell=_tell_finding, say=click.echo)
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(
                partial(trio.serve_tcp, between.converse, where[1], host=where[0])
            )
            own = listeners[0].socket.getsockname()[:2]
            click.echo(f"ready: {format_address(own)} to {host}:{port}")
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
            nursery.cancel_scope.cancel()
    return Report(f"what went to {host}:{port}", observed=between.judge.end())


def _tell_finding(finding: Finding) -> None:
    colour = _COLOURS.get(Verdict(finding.rule.level.value))
    click.echo(click.style(f"{finding.rule.level.value}  {finding}", fg=colour))


def _write(file: Path | None, text: str) -> None:
    if file is None:
        return
    try:
        file.write_text(text)
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from error
