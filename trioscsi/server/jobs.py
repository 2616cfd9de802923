"""What goes on after its command was answered: commands with the IMMED bit."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from trioscsi.errors import BackendError
from trioscsi.server.pace import Pace

log = logging.getLogger("trioscsi")

Job: TypeAlias = Callable[[], Awaitable[None]]


class Jobs:
    """The jobs of one target, at most so many; they run while it is served, and end with it.

    ``pace`` is for those that write more than others would like to wait for.
    """

    def __init__(self, most: int, pace: Pace | None = None) -> None:
        self._most = most
        self.pace = pace or Pace()
        self._alive = 0
        self._send, self._receive = trio.open_memory_channel[tuple[Job, str]](math.inf)

    def start(self, job: Job, name: str) -> bool:
        """Let a job begin as soon as the target is served; its BackendError is logged.

        False if there are as many as there may be.
        """
        if self._alive >= self._most:
            return False
        self._alive += 1
        self._send.send_nowait((job, name))
        return True

    async def run(self) -> None:
        """Run the jobs, until cancelled."""
        async with trio.open_nursery() as nursery:
            async for job, name in self._receive:
                nursery.start_soon(self._run, job, name, name=name)

    async def _run(self, job: Job, name: str) -> None:
        try:
            await job()
        except BackendError as error:
            log.error("%s: storage failed: %s", name, error)
        except Exception:
            # A fault in one job ends that job, never the server.
            log.exception("%s ended by a fault of ours", name)
        finally:
            self._alive -= 1
