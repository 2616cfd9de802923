"""What goes on after its command was answered: commands with the IMMED bit."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs
import trio

from trioscsi.errors import BackendError
from trioscsi.scsi import Refusal
from trioscsi.server.pace import Pace

log = logging.getLogger("trioscsi")

Job: TypeAlias = Callable[[], Awaitable[None]]


@attrs.define(eq=False)
class _Started:
    job: Job
    name: str
    of: object
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ended: trio.Event = attrs.field(factory=trio.Event)


class Jobs:
    """The jobs of one target, at most so many; they run while it is served, and end with it.

    ``pace`` is for those that write more than others would like to wait for.
    """

    def __init__(self, most: int, pace: Pace | None = None) -> None:
        self._most = most
        self.pace = pace or Pace()
        self._alive: set[_Started] = set()
        self._send, self._receive = trio.open_memory_channel[_Started](math.inf)

    def start(self, job: Job, name: str, of: object = None) -> bool:
        """Let a job of a unit begin as soon as the target is served; its BackendError is logged,
        and nobody hears of a Refusal.

        False if there are as many as there may be.
        """
        if len(self._alive) >= self._most:
            return False
        started = _Started(job, name, of)
        self._alive.add(started)
        self._send.send_nowait(started)
        return True

    async def over(self, of: object) -> None:
        """Wait until no job of a unit is left."""
        for started in [each for each in self._alive if each.of is of]:
            await started.ended.wait()

    async def stop(self, of: object) -> None:
        """Cut off what jobs a unit has."""
        for started in self._alive:
            if started.of is of:
                started.scope.cancel()
        await self.over(of)

    async def run(self) -> None:
        """Run the jobs, until cancelled."""
        async with trio.open_nursery() as nursery:
            async for started in self._receive:
                nursery.start_soon(self._run, started, name=started.name)

    async def _run(self, started: _Started) -> None:
        try:
            with started.scope:
                await started.job()
        except BackendError as error:
            log.error("%s: storage failed: %s", started.name, error)
        except Refusal:
            log.info(
                "%s ended early: its unit is not as it was when the command came", started.name
            )
        except Exception:
            # A fault in one job ends that job, never the server.
            log.exception("%s ended by a fault of ours", started.name)
        finally:
            self._alive.remove(started)
            started.ended.set()
