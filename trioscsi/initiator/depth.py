"""How many commands a target is given at a time (SAM-5 section 5.3.1, TASK SET FULL)."""

from __future__ import annotations

import attrs

TASK_SET_FULL = 0x28


@attrs.define
class QueueDepth:
    """Learns from TASK SET FULL: gives one less than there were, and later one more again."""

    limit: int | None = None
    """None: as many as the command window has room for."""
    _good: int = 0

    def learns(self, status: int) -> bool:
        """Whether a command that ends with this status changes anything."""
        return self.limit is not None or status == TASK_SET_FULL

    def learn(self, status: int, under_way: int) -> None:
        """A command has ended with this status; so many others are under way."""
        if status == TASK_SET_FULL:
            self.limit, self._good = max(under_way, 1), 0
        elif self.limit is not None:
            self._good += 1
            if self._good > self.limit:
                self.limit, self._good = self.limit + 1, 0
