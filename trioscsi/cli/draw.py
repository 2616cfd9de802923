"""``trioscsi draw``: the state machines as pictures."""

from __future__ import annotations

import click


@click.command()
@click.argument("machine")
def draw(machine: str) -> None:
    """Draw a state machine."""
    raise click.UsageError(f"there is no machine {machine}")
