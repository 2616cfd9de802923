"""``trioscsi conformance selftest``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from trioscsi.cli.bench.common import ReportFile, chosen, quiet_log, write
from trioscsi.conformance.bench.selftest import NO_MUTANT, WATCHERS, SelfTest, Trial
from trioscsi.conformance.bench.selftest import selftest as try_mutants
from trioscsi.conformance.scenarios import SCENARIOS


@click.command(
    epilog="\b\nExamples:\n  trioscsi conformance selftest LG NP-04"
    "\n  trioscsi conformance selftest --jobs 4 --json selftest.json",
)
@click.argument("names", metavar="[SCENARIO ...]", nargs=-1)
@click.option("--json", "json_file", type=ReportFile(), help="Write the result.")
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

    The correct one has to pass.  The exit status is 1 if a fault is missed.
    """
    scenarios = chosen(names)
    with quiet_log():
        result = try_mutants(scenarios, jobs=jobs, tell=_tell_trial)
    for line in _shares(result, whole=not names):
        click.echo(line)
    caught = len(result.mutants) - len(result.missed)
    found = {
        "mutants": len(result.mutants),
        "caught": caught,
        "told": result.told,
        "missed": result.missed,
    }
    write(json_file, json.dumps(found, indent=1) + "\n")
    context.exit(1 if result.missed or result.escaped or result.blamed else 0)


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
    share = 100 * (mutants - len(missed)) / max(mutants, 1)
    yield f"{mutants - len(missed)} of {mutants} mutants caught ({share:.1f} %)"
    yield from (f"  {name} is not" for name in missed)
    if result.told:
        yield f"  {len(result.told)} of them as information: what they do is not forbidden"
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
