"""The ``trioscsi`` command: one module a subcommand.

Errors are one line on standard error: what is wrong and what to do.  The exit status is 2 for
wrong usage, 1 for failure and 0 otherwise.
"""

from __future__ import annotations

import sys

import click

from trioscsi.cli.draw import draw
from trioscsi.cli.opcodes import opcodes
from trioscsi.cli.serve import serve


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(package_name="trioscsi")
@click.pass_context
def commands(context: click.Context) -> None:
    """An iSCSI target: serve disks, and see the protocol's state machines."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


commands.add_command(serve)
commands.add_command(draw)
commands.add_command(opcodes)


def main() -> None:
    """Run the command line and exit."""
    try:
        commands.main(prog_name="trioscsi", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"trioscsi: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
