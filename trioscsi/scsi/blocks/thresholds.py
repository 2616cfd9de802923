"""Thresholds of thin provisioning (SBC-3 sections 4.7 and 6.5): who is told that room gets scarce.

They stand in the Logical Block Provisioning mode page. Nothing looks at them while blocks are
written: whoever knows how much room there is says so now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.modes.pages import LOGICAL_BLOCK_PROVISIONING
from trioscsi.scsi.sense import AdditionalSense

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.storage import Space

KINDS = ("free", "used")
"""What there is a threshold for: the room that is left, and the room that is taken."""


def _nobody() -> None:
    """Nobody looks at how much room there is."""


@attrs.define
class Thresholds:
    """The thresholds of one unit that are enabled, and those that were reached and told."""

    unit: LogicalUnit
    changed: Callable[[], None] = _nobody
    """Called when a threshold was enabled, or got another value."""
    _enabled: dict[str, int] = attrs.field(factory=dict)
    _reached: set[str] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        if LOGICAL_BLOCK_PROVISIONING.key in self.unit.modes.pages:
            self.unit.modes.watch(self._follow_modes)

    @property
    def enabled(self) -> bool:
        """Whether it is of use to know how much room there is."""
        return bool(self._enabled)

    def _follow_modes(self) -> None:
        values = self.unit.modes.current(LOGICAL_BLOCK_PROVISIONING.key)
        before = self._enabled
        self._enabled = {
            kind: values[f"{kind}_threshold_count"] for kind in KINDS if values[f"{kind}_enabled"]
        }
        if self._enabled != before:
            # Who sets a threshold hears of it if it is reached already.
            kept = self._enabled.items() & before.items()
            self._reached &= {kind for kind, _ in kept}
            self.changed()

    def look(self, space: Space) -> None:
        """There is so much room now: a threshold that is reached is told, once until it is not."""
        size = self.unit.block_size << self.unit.threshold_exponent
        reached = set()
        for kind, count in self._enabled.items():
            if kind == "used" and space.used >= count * size:
                reached.add(kind)
            if kind == "free" and space.free is not None and space.free <= count * size:
                reached.add(kind)
        if reached - self._reached:
            self.unit.announce(AdditionalSense.THIN_PROVISIONING_SOFT_THRESHOLD_REACHED)
        self._reached = reached
