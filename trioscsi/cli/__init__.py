"""The ``trioscsi`` command: one module a subcommand.

Errors are one line on standard error: what is wrong and what to do.  The exit status is 2 for
wrong usage, 1 for failure and 0 otherwise.
"""

from __future__ import annotations

import errno
import sys
from importlib import import_module

import click

from trioscsi.cli.streams import OutputError, keep_standard_streams
from trioscsi.errors import leaves

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
    except (OutputError, BaseExceptionGroup) as error:
        # Trio hands over what comes out of a nursery in a group, the key for an interrupt too.
        errors = list(leaves(error)) if isinstance(error, BaseExceptionGroup) else [error]
        if all(isinstance(each, KeyboardInterrupt) for each in errors):
            sys.exit(130)
        lost = [each for each in errors if isinstance(each, OutputError)]
        if len(lost) < len(errors):
            raise
        if lost[0].errno != errno.EPIPE:  # then nobody wants to hear more
            click.echo(f"trioscsi: cannot write to standard output: {lost[0].strerror}", err=True)
        sys.exit(1)
    if status:
        sys.exit(status)
