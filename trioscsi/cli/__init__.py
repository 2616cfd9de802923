"""The ``trioscsi`` command: one module a subcommand.

Errors are one line on standard error: what is wrong and what to do.  The exit status is 2 for
wrong usage, 1 for failure and 0 otherwise.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from trioscsi.cli.streams import keep_standard_streams

COMMANDS = ("conformance", "draw", "explain", "opcodes", "probe", "serve", "watch")
"""Each is a module here and a function in it."""


class _Commands(click.Group):
    """Imports a command when it is asked for: a server has no use for what draws."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"trioscsi.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(package_name="trioscsi")
@click.pass_context
def commands(context: click.Context) -> None:
    """An iSCSI target: serve disks, and see the protocol's state machines."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run the command line and exit."""
    keep_standard_streams()
    try:
        status = commands.main(prog_name="trioscsi", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"trioscsi: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except BaseExceptionGroup as group:
        # Trio hands over what comes out of a nursery in a group, the key for an interrupt too.
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        sys.exit(130)
    if status:
        sys.exit(status)
