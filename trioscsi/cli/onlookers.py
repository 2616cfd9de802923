"""Who looks on while ``trioscsi serve`` serves: traces, explanations, and a class that steps.

What draws and explains is imported when it is asked for: most servers have no use for it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import click

from trioscsi.server.refusals import ADVICE
from trioscsi.server.stepping import Gate
from trioscsi.server.tracing import Traced


def _say(line: str, *, err: bool = False) -> None:
    """Print a line; whoever does not listen any more must not end what is told of."""
    with suppress(OSError, ValueError):
        click.echo(line, err=err)


def traces(path: Path | None, *, explain_refusals: bool) -> list[Traced]:
    """Who is told of all connections."""
    told: list[Traced] = [] if path is None else [path]
    if explain_refusals:
        from trioscsi.teaching.explainer import Explainer

        told.append(Explainer(partial(_say, err=True), ADVICE))
    return told


@contextmanager
def stepping(*, wanted: bool) -> Iterator[Gate | None]:
    """Who lets each PDU pass, if somebody does."""
    if not wanted:
        yield None
        return
    from trioscsi.cli.keys import Keys
    from trioscsi.cli.step import Stepper

    keys = Keys()
    with keys.ready():
        yield Stepper(_say, keys.next, partial(signal.raise_signal, signal.SIGTERM))
