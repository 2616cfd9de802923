"""``trioscsi watch``: what a server does, or a capture holds, as it happens."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from pathlib import Path

import click

from trioscsi.cli.numbers import Number
from trioscsi.cli.terminal.lines import Lines
from trioscsi.cli.terminal.player import Player
from trioscsi.cli.terminal.source import THE_END, CaptureSource, ServerSource, Source
from trioscsi.cli.terminal.view import Interest
from trioscsi.errors import CaptureError, ControlError
from trioscsi.server.control.client import Client
from trioscsi.teaching.live import Filter, Replay

_INSTALL = "the screen of watch needs textual: pip install 'trioscsi[watch]' (or use --plain)"


@click.command(
    epilog="\b\nExamples:\n"
    "  trioscsi serve --control /tmp/trioscsi.sock &\n"
    "  trioscsi watch --control /tmp/trioscsi.sock\n"
    "  trioscsi watch --control /tmp/trioscsi.sock --plain --pdu login,logout\n"
    "  trioscsi watch trace.pcapng --speed 0.25\n"
    "  trioscsi watch trace.pcapng --step\n\n"
    "\b\nKeys: space pauses, n steps, + and - change the speed of a capture, enter shows a\n"
    "PDU field by field, s the section of the RFC, c one connection alone, / some PDUs\n"
    "alone, t leaves transitions out, q quits."
)
@click.argument(
    "capture", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--control",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The control socket of a server: trioscsi serve --control PATH.",
)
@click.option("--connection", type=click.IntRange(1), metavar="NUMBER", help="Only this one.")
@click.option(
    "--pdu",
    "pdus",
    metavar="NAMES",
    default="",
    help="Only PDUs whose names begin so: login, scsi command, r2t.",
)
@click.option("--no-transitions", is_flag=True, help="Only PDUs, not what they lead to.")
@click.option(
    "--speed",
    type=Number(0.01),
    metavar="TIMES",
    help="Of a capture, seconds that are shown in one.  [default: 1; as fast as it can be for"
    " --plain]",
)
@click.option("--step", is_flag=True, help="Begin with a pause: each n shows one thing more.")
@click.option("--plain", is_flag=True, help="Lines of text, as they are without a terminal.")
@click.option("--json", "as_json", is_flag=True, help="The messages themselves (specs/feed.md).")
def watch(
    capture: Path | None,
    control: Path | None,
    connection: int | None,
    pdus: str,
    no_transitions: bool,
    speed: float | None,
    step: bool,
    plain: bool,
    as_json: bool,
) -> None:
    """See sessions, connections, states, PDUs, tasks and keys while they change.

    Either of a server that was started with --control, or of a CAPTURE (pcapng or pcap): of serve
    --trace, of Wireshark or of tcpdump.  Who watches slows no server down: what cannot be shown in
    time is left out, and how much that was is said.
    """
    if (capture is None) == (control is None):
        raise click.UsageError("say what to watch: --control PATH, or a CAPTURE")
    words = tuple(word.strip().lower() for word in pdus.split(",") if word.strip())
    interest = Interest(connection, words, not no_transitions)
    plain = plain or as_json or not _is_terminal()
    if plain and step:
        raise click.UsageError("--step needs a terminal")
    try:
        with ExitStack() as stack:
            source = stack.enter_context(_open(capture, control, connection))
            if plain:
                _print(source, interest, inf if speed is None else speed, as_json)
            else:
                _show(Player(source, speed=speed or 1.0, paused=step), interest)
    except (CaptureError, ControlError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.Abort from None


def _is_terminal() -> bool:
    return sys.stdout.isatty()


@contextmanager
def _open(capture: Path | None, control: Path | None, connection: int | None) -> Iterator[Source]:
    """Where messages come from; closed at the end."""
    wanted = Filter(connections=None if connection is None else [connection])
    with ExitStack() as stack:
        source: Source
        if control is not None:
            source = ServerSource(stack.enter_context(Client(control)), wanted)
        else:
            assert capture is not None, "there is one of the two"
            source = CaptureSource(Replay(stack.enter_context(capture.open("rb"))), wanted)
        try:
            yield source
        finally:
            source.close()


def _show(player: Player, interest: Interest) -> None:
    try:
        from trioscsi.cli.terminal.app import Watch  # an extra, and not needed for lines
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "textual":
            raise
        raise click.ClickException(_INSTALL) from None
    Watch(player, interest).run()


def _print(source: Source, interest: Interest, speed: float, as_json: bool) -> None:
    """Lines, until nothing more comes."""
    lines = Lines(interest)
    player = Player(source, speed=speed)
    for message in player.all():
        for line in [json.dumps(message)] if as_json else lines.of(message):
            click.echo(line)
    if player.over != THE_END:
        raise click.ClickException(player.over)
