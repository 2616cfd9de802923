"""Who looks on while ``trioscsi serve`` serves: traces, explanations, and a class that steps.

What draws and explains is imported when it is asked for: most servers have no use for it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from trioscsi.server.refusals import ADVICE
from trioscsi.server.stepping import Gate
from trioscsi.server.tracing import Traced


def traces(path: Path | None, *, explain_refusals: bool) -> list[Traced]:
    """Who is told of all connections."""
    told: list[Traced] = [] if path is None else [path]
    if explain_refusals:
        from trioscsi.teaching.explainer import Explainer

        told.append(Explainer(partial(click.echo, err=True), ADVICE))
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
        yield Stepper(click.echo, keys.next, partial(signal.raise_signal, signal.SIGTERM))
