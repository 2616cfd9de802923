"""``trioscsi draw``: state machines, the layouts of PDUs, and captures as ladders, in pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from trioscsi.capture import read_capture
from trioscsi.cli.paths import is_there
from trioscsi.errors import CaptureError
from trioscsi.machines import MACHINES
from trioscsi.teaching import diagrams, header, sequence
from trioscsi.teaching.rungs import Sequence
from trioscsi.teaching.story import Story

Drawn = TypeVar("Drawn")
_NAMED = 10
"""Files of those that are not as they should be."""


@click.command(
    epilog="\b\nExamples:\n  trioscsi draw connection --output connection.svg\n"
    "  trioscsi draw session --format dot | dot -Tpng > session.png\n"
    "  trioscsi draw --pdu login-request\n"
    "  trioscsi draw --pdu scsi-command --format svg --output command.svg\n"
    "  trioscsi draw trace.pcapng --connection 2 --output ladder.svg"
)
@click.argument("what", metavar="MACHINE|CAPTURE", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice([*diagrams.FORMATS, "text"]),
    help="[default: svg, or text of a PDU]",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Instead of standard output."
)
@click.option(
    "--pdu",
    type=click.Choice(sorted(header.NAMES)),
    metavar="PDU",
    help="The header of a PDU as the RFC draws it: login-request, scsi-command, ...",
)
@click.option(
    "--connection",
    "connections",
    type=click.IntRange(1),
    metavar="NUMBER",
    multiple=True,
    help="Of a capture, this connection; repeatable.  [default: the first with a PDU]",
)
@click.option("--check", is_flag=True, help="Compare the diagrams in --folder with the machines.")
@click.option(
    "--write",
    is_flag=True,
    help="Write every machine in every format, and every PDU, to --folder.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("specs/diagrams"),
    show_default=True,
)
def draw(
    what: str | None,
    form: str | None,
    output: Path | None,
    pdu: str | None,
    connections: tuple[int, ...],
    check: bool,
    write: bool,
    folder: Path,
) -> None:
    """Draw a machine, such as connection or initiator.login, the header of a PDU, or a capture.

    A CAPTURE is a pcapng or pcap file; what is drawn of it is what two sides say to each other, as
    SVG or Mermaid.  "trioscsi explain" shows the same as text.
    """
    if check + write + (what is not None) + (pdu is not None) != 1:
        raise click.UsageError(
            "give one of --check, --write, --pdu, a capture and a machine: " + ", ".join(MACHINES)
        )
    if connections and (what is None or what in MACHINES):
        raise click.UsageError("--connection is for captures")
    if pdu is not None:
        _put(_known(header.FORMATS, form or "text")(header.NAMES[pdu]), output)
    elif check:
        _check(folder)
    elif write:
        with _written(folder):
            diagrams.write(folder)
    elif what is not None and what in MACHINES:
        drawn, _ = _known(diagrams.FORMATS, form or "svg")
        _put(drawn(MACHINES[what]), output)
    elif what is not None and is_there(what):
        picture = _known(sequence.FORMATS, form or "svg")
        _put(picture(_ladder(Path(what), connections)), output)
    else:
        raise click.UsageError(
            f"there is no machine and no capture {what}; machines are {', '.join(MACHINES)}"
        )


def _known(formats: Mapping[str, Drawn], form: str) -> Drawn:
    """How a format is drawn; not everything can be drawn in each."""
    if form not in formats:
        raise click.UsageError(f"this cannot be drawn as {form}, only as {', '.join(formats)}")
    return formats[form]


def _check(folder: Path) -> None:
    try:
        if not folder.is_dir():
            raise click.ClickException(
                f"there is no {folder} here: go to the sources of trioscsi, or give --folder"
            )
        names = diagrams.different(folder)
    except OSError as error:
        raise click.ClickException(f"cannot read {error.filename}: {error.strerror}") from error
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise click.ClickException(
            f"not as the machines are: {', '.join(names[:_NAMED])}{more} in {folder};"
            " run trioscsi draw --write and look at the difference"
        )


def _ladder(path: Path, connections: tuple[int, ...]) -> Sequence:
    """What is to be drawn of a capture; of one that is damaged, what comes before that."""
    story, ladder = Story(), Sequence(connections)
    try:
        with path.open("rb") as file:
            for packet in read_capture(file):
                for event in story.hear(packet):
                    ladder.hear(event)
    except OSError as error:
        raise click.ClickException(f"cannot read {path}: {error.strerror}") from error
    except CaptureError as error:
        if not story.packets:
            raise click.ClickException(f"{path}: {error}") from error
        click.echo(f"trioscsi: {error}, after {story.packets} packets", err=True)
    for event in story.finish():
        ladder.hear(event)
    if missing := ladder.drawn - ladder.connections.keys():
        raise click.UsageError(
            f"there is no connection {min(missing)}: the capture has {story.connections}"
        )
    if not ladder.connections:
        raise click.ClickException(f"{path} has no iSCSI PDU in it")
    if len(ladder.connections) < story.connections:
        shown = " and ".join(map(str, sorted(ladder.connections)))
        note = f"drawn is {shown} of {story.connections} connections; --connection draws others"
        click.echo(f"trioscsi: {note}", err=True)
    return ladder


def _put(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    with _written(output):
        output.write_text(text, encoding="utf-8")


@contextmanager
def _written(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"cannot write {where}: {error.strerror}") from error
