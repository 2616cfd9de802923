"""Initiators that are commands: whatever can be started with a URL."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import attrs
import trio

from trioscsi.conformance.bench.scenario import Ability, Drive
from trioscsi.conformance.drivers.driver import Ending, How, Where
from trioscsi.conformance.drivers.guest.programs import require
from trioscsi.errors import DriverError

_SAID = 400
"""Characters of its output that are kept."""
_OUTPUT = 2**20
"""Characters that are kept for scenarios that look for something in it."""
_GRACE = 1.0
"""Seconds between asking a command to end and ending it."""


@attrs.frozen
class Recipe:
    """A command line for one drive, with placeholders, and what its exit status means.

    ``{url}``, ``{portal}``, ``{host}``, ``{port}``, ``{iqn}`` and ``{lun}`` stand for where the
    stage is.  ``judge`` is given exit status and output.
    """

    command: Sequence[str]
    judge: Callable[[int, str], Ending]


def by_status(status: int, output: str) -> Ending:
    """0 is success, a signal a crash, anything else an error."""
    if status < 0:
        return Ending(How.CRASHED, f"signal {-status}")
    return Ending(How.DONE if status == 0 else How.FAILED, _last_line(output))


@attrs.frozen
class CommandDriver:
    """Starts a command for each drive that it has a recipe for."""

    name: str
    recipes: Mapping[Drive, Recipe]
    abilities: frozenset[Ability] = frozenset()
    programs: Sequence[str] = ()
    """What has to be installed."""
    reaches_us_at: str = "127.0.0.1"
    at_once: int = 6

    @classmethod
    def of(cls, command: Sequence[str]) -> CommandDriver:
        """One that does the same whatever it is asked for, and says nothing of its data."""
        recipe = Recipe(tuple(command), by_status)
        return cls(shlex.join(command), dict.fromkeys(Drive, recipe))

    @property
    def drives(self) -> frozenset[Drive]:
        """See `Driver`."""
        return frozenset(self.recipes)

    def open(self) -> None:
        """See `Driver`."""
        require(self.programs)
        for name in {recipe.command[0] for recipe in self.recipes.values()}:
            if shutil.which(name) is None:
                raise DriverError(f"{name}: there is no such command")

    def close(self) -> None:
        """See `Driver`."""

    async def prepare(self) -> None:
        """See `Driver`."""

    async def drive(self, drive: Drive, where: Where) -> Ending:
        """See `Driver`."""
        recipe = self.recipes[drive]
        words = {name: str(getattr(where, name)) for name in _PLACEHOLDERS}
        command = [_fill(part, words) for part in recipe.command]
        try:
            done = await trio.run_process(
                command,
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                check=False,
                deliver_cancel=_end,
                start_new_session=True,  # so that what it starts can be ended with it
            )
        except OSError as error:
            return Ending(How.FAILED, f"{command[0]}: {error.strerror}")
        output = done.stdout.decode(errors="replace")
        return attrs.evolve(recipe.judge(done.returncode, output), output=output[:_OUTPUT])


_PLACEHOLDERS = ("url", "portal", "host", "port", "iqn", "lun")


def _fill(part: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        part = part.replace(f"{{{name}}}", value)
    return part


def _last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1][:_SAID] if lines else ""


async def _end(process: trio.Process) -> None:
    """End a command, and all that it has started."""
    os.killpg(process.pid, signal.SIGTERM)
    with trio.move_on_after(_GRACE):
        await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
