"""``python -m tests.performance``: the benchmark's command."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from tests.performance import plot, report
from tests.performance.cells import Cell, choose
from tests.performance.figures import Result, compare
from tests.performance.measure import Bench, bench, measure
from tests.performance.programs import BenchmarkError
from tests.performance.servers import Tgt
from tests.performance.special import Special, all_specials

_SPECIAL = "special"
_PATH = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve files that are here.  [default: in memory, on tmpfs]",
)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExamples:\n"
    "  python -m tests.performance --quick --json new.json --compare old.json\n"
    "  python -m tests.performance --only '4k-*-1x32' --only special --rounds 5\n"
    "  python -m tests.performance --unit file --unit tgt --folder .\n"
    "  python -m tests.performance micro\n"
    "  python -m tests.performance soak --minutes 60 --svg soak.svg",
)
@click.option("--quick", is_flag=True, help="Only the cells with a promise: about three minutes.")
@click.option(
    "--only",
    metavar="PATTERN",
    multiple=True,
    help="Only cells whose name contains this, or matches it; repeatable; 'special' stands for"
    " neighbours, idle sessions and waiting times.",
)
@click.option("--unit", metavar="NAME", multiple=True, help="Only memory, file, tgt, ...")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.05), help="Of a run.  [default: 1; quick: 0.5]")
@click.option("--pin", is_flag=True, help="Keep servers and clients on different processors.")
@_FOLDER
@click.option("--json", "json_file", type=_PATH, help="Write all figures here.")
@click.option("--svg", "svg_file", type=_PATH, help="Draw the ratios to tgt here.")
@click.option(
    "--compare",
    "old_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Show what changed since a run that --json has written.",
)
@click.pass_context
def main(
    context: click.Context,
    quick: bool,
    only: tuple[str, ...],
    unit: tuple[str, ...],
    rounds: int,
    seconds: float | None,
    pin: bool,
    folder: Path | None,
    json_file: Path | None,
    svg_file: Path | None,
    old_file: Path | None,
) -> None:
    """Measure this target beside tgt and beside bare TCP, all on 127.0.0.1.

    Every round runs the same load against each server in turn; a ratio is the median of the
    rounds' ratios.  The load comes from C programs that are compiled first; they write, read back
    and compare before they count.  CPU is the server's user and system time an operation.

    Server and client share the processors with whatever else runs: the column "cores" shows
    both.  Where other things keep a processor busy, --pin makes the ratios repeatable.

    Needs gcc and libiscsi-dev, and tgt to compare with (apt-get install gcc libiscsi-dev tgt).
    """
    if context.invoked_subcommand is not None:
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped
    seconds = seconds or (0.5 if quick else 1.0)
    cells = choose(tuple(pattern for pattern in only if pattern != _SPECIAL), quick=quick)
    if only == (_SPECIAL,):
        cells = []
    elif not cells:
        raise click.UsageError(f"no cell matches {', '.join(only)}")
    console = Console(width=None if Console().is_terminal else 160)
    facts = report.machine()
    console.print(report.conditions(facts))
    failures: list[str] = []
    try:
        with bench(with_tgt=_has_tgt(console), pin=pin, folder=folder) as running:
            results = _measure_all(console, running, cells, unit, rounds, seconds, failures)
            specials: list[Special] = []
            if not only or _SPECIAL in only:
                specials += all_specials(running, rounds, seconds)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    arguments = {"quick": quick, "only": only, "rounds": rounds, "seconds": seconds, "pin": pin}
    arguments["folder"] = None if folder is None else str(folder)
    found = report.as_json(results, specials, arguments, facts)
    _show(console, results, specials)
    if json_file is not None:
        report.write_json(json_file, found)
    if svg_file is not None:
        svg_file.write_text(plot.svg(results), encoding="utf-8")
    if old_file is not None:
        _show_changes(console, json.loads(old_file.read_text(encoding="utf-8")), found)
    for failure in failures:
        console.print(f"[red]failed: {failure}[/]")
    sys.exit(1 if failures else 0)


@main.command()
@click.argument("patterns", nargs=-1)
def micro(patterns: tuple[str, ...]) -> None:
    """Time the pieces of the server by themselves: no socket, no other process."""
    from tests.performance.micro import run

    run(Console(), patterns)


@main.command()
@click.option("--minutes", type=click.FloatRange(0.05), default=60.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of what happens when.")
@_FOLDER
@click.option("--svg", "svg_file", type=_PATH, help="Draw the server's memory over time here.")
def soak(minutes: float, seed: int, folder: Path | None, svg_file: Path | None) -> None:
    """Change the load all the time, and see whether the server's memory grows.

    Sessions come and go, commands are aborted, clients are killed, data have digests or not, on a
    memory disk and a file.  All of it takes a quarter of a processor.  The exit status is
    1 if the memory has grown once it was warm.
    """
    from tests.performance import soak as soaking
    from tests.performance import timeline

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        soaked = soaking.soak(minutes * 60, seed, click.echo, folder)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    click.echo(soaking.report(soaked))
    if svg_file is not None:
        svg_file.write_text(timeline.svg(soaked), encoding="utf-8")
    sys.exit(1 if soaked.growth > soaking.ALLOWED else 0)


def _has_tgt(console: Console) -> bool:
    if Tgt.is_installed():
        return True
    console.print("tgt is not installed (apt-get install tgt): measured without it")
    return False


def _measure_all(
    console: Console,
    running: Bench,
    cells: list[Cell],
    unit_names: tuple[str, ...],
    rounds: int,
    seconds: float,
    failures: list[str],
) -> list[Result]:
    units = [unit for unit in running.units if not unit_names or unit.name in unit_names]
    results: list[Result] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(cells) * len(units) * rounds)
        for number, cell in enumerate(cells):
            progress.update(task, description=cell.name)
            try:
                results.append(
                    measure(
                        running,
                        cell,
                        rounds=rounds,
                        seconds=seconds,
                        units=units,
                        done=lambda: progress.advance(task),
                    )
                )
            except BenchmarkError as error:
                failures.append(str(error))
                progress.update(task, completed=(number + 1) * len(units) * rounds)
    return results


def _show(console: Console, results: list[Result], specials: list[Special]) -> None:
    if results:
        console.print(report.table(results))
    if specials:
        console.print(report.special_table(specials))


def _show_changes(console: Console, old: dict[str, Any], new: dict[str, Any]) -> None:
    changes = compare(old, new)
    if any(change.fell or change.ratio > 1.1 for change in changes):
        console.print(report.change_table(changes))
    else:
        console.print(f"{len(changes)} figures compared with {old['commit'][:10]}: none has fallen")


if __name__ == "__main__":
    main(prog_name="python -m tests.performance")
