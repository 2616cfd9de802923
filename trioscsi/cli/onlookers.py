"""Who looks on while ``trioscsi serve`` serves: traces, explanations, and a class that steps.

What draws and explains is imported when it is asked for: most servers have no use for it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TextIO

import click

from trioscsi.cli.streams import unhurried
from trioscsi.server.refusals import ADVICE
from trioscsi.server.stepping import Gate
from trioscsi.server.tracing import Traced


def say(line: str, stream: TextIO | None = None) -> None:
    """Print a line; whoever does not listen any more must not end what is told of."""
    with suppress(OSError, ValueError):
        click.echo(line, stream)


def traces(path: Path | None, *, explain_refusals: bool) -> list[Traced]:
    """Who is told of all connections."""
    told: list[Traced] = [] if path is None else [path]
    if explain_refusals:
        from trioscsi.teaching.explainer import Explainer

        told.append(Explainer(partial(say, stream=unhurried(sys.stderr)), ADVICE))
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
        yield Stepper(say, keys.next, partial(signal.raise_signal, signal.SIGTERM))
