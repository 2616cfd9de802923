"""What has to be looked at now and then, where initiators have asked for it.

How much room thin disks have, of which there are thresholds, and which tokens nobody uses any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from math import inf

import trio

from trioscsi.errors import BackendError
from trioscsi.server.storage import Unit

log = logging.getLogger("trioscsi")


class Watch:
    """Watches the units of one target; it sleeps while there are no thresholds and no tokens.

    So the path of a write has nothing to do with it, and a warning comes at most one interval late.
    """

    def __init__(self, units: Callable[[], Iterable[Unit]], interval: float) -> None:
        """``units`` tells which there are at the time, ``interval`` seconds between two looks."""
        self._units = units
        self._interval = interval
        self._wake = trio.Event()

    def wake(self) -> None:
        """The thresholds of a unit have changed, or it has a new token."""
        self._wake.set()

    async def run(self) -> None:
        """Watch, until cancelled."""
        while True:
            tokens = [unit for unit in self._units() if unit.logical.tokens.expire()]
            watched = [
                unit
                for unit in self._units()
                if unit.logical.thresholds.enabled and unit.can.space is not None
            ]
            for unit in watched:
                await self._look(unit)
            with trio.move_on_after(self._interval if tokens or watched else inf):
                await self._wake.wait()
            self._wake = trio.Event()

    async def _look(self, unit: Unit) -> None:
        measure = unit.can.space
        if measure is None:
            return  # the disk has gone while another one was looked at
        try:
            space = await measure()
        except BackendError as error:
            log.warning("LUN %d: how much room there is: %s", unit.logical.number, error)
        else:
            unit.logical.thresholds.look(space)
