"""``trioscsi draw``: the state machines, and the layouts of PDUs, as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import click

from trioscsi.machines import MACHINES
from trioscsi.pdu import CLASSES
from trioscsi.teaching import diagrams, header

Drawn = TypeVar("Drawn")

_PDUS = {cls.opcode.name.lower().replace("_", "-"): cls for cls in CLASSES.values()}


@click.command(
    epilog="\b\nExamples:\n  trioscsi draw connection --output connection.svg\n"
    "  trioscsi draw session --format dot | dot -Tpng > session.png\n"
    "  trioscsi draw --pdu login-request\n"
    "  trioscsi draw --pdu scsi-command --format svg --output command.svg"
)
@click.argument("machine", required=False)
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
    type=click.Choice(sorted(_PDUS)),
    metavar="PDU",
    help="The header of a PDU as the RFC draws it: login-request, scsi-command, ...",
)
@click.option("--check", is_flag=True, help="Compare the diagrams in --folder with the machines.")
@click.option("--write", is_flag=True, help="Write every machine in every format to --folder.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("specs/diagrams"),
    show_default=True,
)
def draw(
    machine: str | None,
    form: str | None,
    output: Path | None,
    pdu: str | None,
    check: bool,
    write: bool,
    folder: Path,
) -> None:
    """Draw a state machine, such as connection or initiator.login, or the header of a PDU."""
    if check + write + (machine is not None) + (pdu is not None) != 1:
        raise click.UsageError(
            "give one of --check, --write, --pdu and a machine: " + ", ".join(MACHINES)
        )
    if pdu is not None:
        _put(_known(header.FORMATS, form or "text")(_PDUS[pdu]), output)
    elif check:
        _check(folder)
    elif write:
        diagrams.write(folder)
    elif machine is not None and machine in MACHINES:
        drawn, _ = _known(diagrams.FORMATS, form or "svg")
        _put(drawn(MACHINES[machine]), output)
    else:
        raise click.UsageError(f"there is no machine {machine}; there are {', '.join(MACHINES)}")


def _known(formats: Mapping[str, Drawn], form: str) -> Drawn:
    """How a format is drawn; not everything can be drawn in each."""
    if form not in formats:
        raise click.UsageError(f"this cannot be drawn as {form}, only as {', '.join(formats)}")
    return formats[form]


def _check(folder: Path) -> None:
    if names := diagrams.different(folder):
        raise click.ClickException(
            f"not as the machines are: {', '.join(names)} in {folder};"
            " run trioscsi draw --write and look at the difference"
        )


def _put(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error
