"""``trioscsi conformance list``."""

from __future__ import annotations

import click

from trioscsi.conformance.coverage import judged
from trioscsi.conformance.scenarios import SCENARIOS


@click.command(
    name="list",
    epilog="\b\nExamples:\n  trioscsi conformance list --unh"
    "\n  trioscsi conformance list --requirements",
)
@click.option("--unh", is_flag=True, help="By the numbers of UNH-IOL's tests.")
@click.option("--requirements", is_flag=True, help="By what the RFCs ask for, with the monitors.")
def list_scenarios(unh: bool, requirements: bool) -> None:
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
