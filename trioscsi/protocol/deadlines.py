"""Timers without a clock: the protocol says when, its driver says what time it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import attrs


@attrs.define
class Deadlines:
    """What is to happen, and when (in the seconds of whatever clock the driver uses)."""

    _entries: dict[Hashable, tuple[float, Callable[[], None]]] = attrs.field(factory=dict)
    changed: bool = True
    """Whether ``next`` may say something new since the driver has cleared this."""

    def set(self, name: Hashable, when: float, then: Callable[[], None]) -> None:
        """Call ``then`` at ``when``; a name has one deadline, the last that was set."""
        self._entries[name] = (when, then)
        self.changed = True

    def cancel(self, name: Hashable) -> None:
        """Forget a deadline; one that is not set is no error."""
        self._entries.pop(name, None)
        self.changed = True

    def clear(self) -> None:
        """Forget them all."""
        self._entries.clear()
        self.changed = True

    def postpone(self, seconds: float) -> None:
        """Have all of them so much later: the clock stood still for that long."""
        self._entries = {
            name: (when + seconds, then) for name, (when, then) in self._entries.items()
        }
        self.changed = True

    def next(self) -> float | None:
        """When the earliest deadline is, or None."""
        return min((when for when, _ in self._entries.values()), default=None)

    def run(self, now: float) -> None:
        """Do all that is due at ``now``, earliest first."""
        due = sorted(
            ((when, name) for name, (when, _) in self._entries.items() if when <= now),
            key=lambda entry: entry[0],
        )
        self.changed = True
        for when, name in due:
            entry = self._entries.get(name)
            if entry is not None and entry[0] == when:  # an earlier one may have changed it
                del self._entries[name]
                entry[1]()
