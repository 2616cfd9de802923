"""``trioscsi opcodes``: the commands of a disk."""

from __future__ import annotations

from pathlib import Path

import click

from trioscsi.teaching import opcodes as pages


@click.command(
    epilog="\b\nExamples:\n  trioscsi opcodes\n  trioscsi opcodes --check --folder specs/scsi"
)
@click.option("--check", is_flag=True, help="Compare the page in --folder with the table there.")
@click.option("--write", is_flag=True, help="Write the page from the table to --folder.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("specs/scsi"),
    show_default=True,
)
def opcodes(check: bool, write: bool, folder: Path) -> None:
    """Print the SCSI commands of a disk, as a table in Markdown."""
    if check and write:
        raise click.UsageError("give --check or --write, not both")
    page = ""
    try:
        if write:
            pages.write(folder)
        elif not check:
            page = pages.page(folder / pages.TABLE)
        elif not pages.is_current(folder):
            raise click.ClickException(
                f"{folder / pages.PAGE} is not as the table is; run trioscsi opcodes --write"
            )
    except OSError as error:
        raise click.ClickException(
            f"no commands in {folder}: {error.strerror}; go to the sources of trioscsi, or give"
            " --folder"
        ) from error
    except ValueError as error:
        raise click.ClickException(f"no commands in {folder}: {error}") from error
    click.echo(page, nl=False)
