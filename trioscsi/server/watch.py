"""Looking now and then at how much room thin disks have, where an initiator has set thresholds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import trio

from trioscsi.errors import BackendError
from trioscsi.server.storage import Unit

log = logging.getLogger("trioscsi")


class SpaceWatch:
    """Watches the units of one target; it sleeps while no threshold is enabled.

    So the path of a write has nothing to do with it, and a warning comes at most one interval late.
    """

    def __init__(self, units: Callable[[], Iterable[Unit]], interval: float) -> None:
        """``units`` tells which there are at the time, ``interval`` seconds between two looks."""
        self._units = units
        self._interval = interval
        self._wake = trio.Event()

    def wake(self) -> None:
        """The thresholds of a unit have changed (`Thresholds.changed`)."""
        self._wake.set()

    async def run(self) -> None:
        """Watch, until cancelled."""
        while True:
            watched = [
                unit
                for unit in self._units()
                if unit.logical.thresholds.enabled and unit.can.space is not None
            ]
            for unit in watched:
                await self._look(unit)
            with trio.move_on_after(self._interval if watched else float("inf")):
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
