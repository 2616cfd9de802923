"""Initiators that are commands: whatever can be started with a URL."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

import attrs
import trio

from trioscsi.conformance.bench.scenario import Ability, Drive
from trioscsi.conformance.drivers.driver import Ending, How, Where
from trioscsi.conformance.drivers.guest.programs import require
from trioscsi.errors import DriverError

_SAID = 400
"""Characters of its output that are kept."""
_OUTPUT = 2**20
"""Bytes that are kept of its beginning, for scenarios that look for something in it."""
_LAST = 2**16
"""Bytes that are kept of its end."""
_GRACE = 1.0
"""Seconds between asking a command to end and ending it."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


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
            process = await trio.lowlevel.open_process(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that what it starts can be ended with it
            )
        except OSError as error:
            return Ending(How.FAILED, f"{command[0]}: {error.strerror}")
        said = await _until_it_ends(process)
        assert process.returncode is not None
        output = said.decode(errors="replace")
        return attrs.evolve(recipe.judge(process.returncode, output), output=output[:_OUTPUT])


_PLACEHOLDERS = ("url", "portal", "host", "port", "iqn", "lun")


def _fill(part: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        part = part.replace(f"{{{name}}}", value)
    return part


def _last_line(output: str) -> str:
    """The last line, without what would colour a terminal, or move about on it."""
    lines = [line for line in output.splitlines() if line.strip()]
    last = _CONTROL.sub("", lines[-1]) if lines else ""
    return "".join(filter(str.isprintable, last)).strip()[:_SAID]


async def _until_it_ends(process: trio.Process) -> bytes:
    """The beginning and the end of what a command prints; then all that it has started ends."""
    assert process.stdout is not None
    said = _Said()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(said.read, process.stdout)
            try:
                await _exit_of(process)
            finally:
                with trio.CancelScope(shield=True):
                    await _end(process)
            # A child in a session of its own may hold the pipe for ever.
            nursery.cancel_scope.deadline = trio.current_time() + _GRACE
    finally:
        with trio.CancelScope(shield=True):
            await process.stdout.aclose()
    return said.text


class _Said:
    """What a command prints, which may be without end."""

    def __init__(self) -> None:
        self._first, self._last = bytearray(), bytearray()

    async def read(self, pipe: trio.abc.ReceiveStream) -> None:
        async for chunk in pipe:
            room = _OUTPUT - len(self._first)
            self._first += chunk[:room]
            self._last += chunk[room:]
            del self._last[:-_LAST]

    @property
    def text(self) -> bytes:
        return bytes(self._first + self._last)


async def _exit_of(process: trio.Process) -> None:
    """Return when it has ended, and leave it to be waited for."""
    handle = os.pidfd_open(process.pid)
    try:
        await trio.lowlevel.wait_readable(handle)
    finally:
        os.close(handle)


def _has_ended(process: trio.Process) -> bool:
    """Whether it has, which leaves it to be waited for."""
    seen = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return seen is not None


async def _end(process: trio.Process) -> None:
    """End a command, and all that it has started.

    Its number is that of its group, and of nothing else until it is waited for.
    """
    if not _has_ended(process):
        os.killpg(process.pid, signal.SIGTERM)
        with trio.move_on_after(_GRACE):
            await _exit_of(process)
    os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
