"""The mode parameters of one unit, as they are and as they are saved (SPC-4 section 6.11)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.modes.pages import CACHING, CONTROL, CONTROL_EXTENSION
from trioscsi.scsi.modes.pages import INFORMATIONAL_EXCEPTIONS_CONTROL as EXCEPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.modes.page import Key, ModePage
    from trioscsi.scsi.storage import Storage

    Changes = Mapping[Key, Mapping[str, int]]

_ACTED_ON = {
    CACHING.key: ("wce",),
    CONTROL.key: ("tst", "d_sense", "qerr", "ua_intlck_ctrl", "swp", "tas"),
    CONTROL_EXTENSION.key: ("scsip",),
    EXCEPTIONS.key: ("dexcpt", "test", "mrie"),
}


@attrs.define(eq=False)
class Modes:
    """What initiators have set of a unit's mode pages.

    The current value of each field that something acts on is an attribute of the field's name:
    zero for a unit whose pages have no such field.
    """

    unit: LogicalUnit
    pages: Mapping[Key, ModePage]

    tst: int = attrs.field(default=0, init=False)
    """Task sets: 0, one for all I_T nexuses; 1, one for each."""
    d_sense: int = attrs.field(default=0, init=False)
    """Whether sense data have the descriptor format."""
    qerr: int = attrs.field(default=0, init=False)
    """A CHECK CONDITION aborts: 0, nothing; 1, all other commands; 3, those of its I_T nexus."""
    ua_intlck_ctrl: int = attrs.field(default=0, init=False)
    """A unit attention, once reported: 0, is cleared; 2, stays; 3, stays, and BUSY makes one."""
    swp: int = attrs.field(default=0, init=False)
    """Whether software has write-protected the unit."""
    tas: int = attrs.field(default=0, init=False)
    """Whether commands that another initiator aborts end with TASK ABORTED status."""
    wce: int = attrs.field(default=0, init=False)
    """Whether a write may end before it is durable."""
    scsip: int = attrs.field(default=0, init=False)
    """Whether SET TIMESTAMP is taken."""
    dexcpt: int = attrs.field(default=0, init=False)
    """Whether informational exceptions are not reported."""
    test: int = attrs.field(default=0, init=False)
    """Whether there is to be an informational exception that is none."""
    mrie: int = attrs.field(default=0, init=False)
    """How informational exceptions are reported: 0, not; 2, by unit attention; 6, on request."""

    _current: dict[Key, dict[str, int]] = attrs.field(factory=dict, init=False)
    _saved: dict[Key, dict[str, int]] = attrs.field(factory=dict, init=False)
    _watchers: list[Callable[[], None]] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._act()

    @property
    def prediction(self) -> bool:
        """Whether a failure is to be predicted: only ever in a test."""
        return bool(self.test and not self.dexcpt)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` now, and whenever values may have changed."""
        self._watchers.append(watcher)
        watcher()

    def current(self, key: Key) -> dict[str, int]:
        """The values of a page that count now."""
        return self._with(key, self._current)

    def saved(self, key: Key) -> dict[str, int]:
        """The values of a page that a reset brings back."""
        return self._with(key, self._saved)

    def _with(self, key: Key, changed: Changes) -> dict[str, int]:
        # Defaults are asked for each time: those of geometry change when the unit is resized.
        return {**self.pages[key].defaults(self.unit), **changed.get(key, {})}

    def differ(self, changes: Changes) -> bool:
        """Whether any of these values is another than the current one."""
        return any(values.items() - self.current(key).items() for key, values in changes.items())

    def change(self, changes: Changes) -> Changes:
        """Give fields these values; returns what undoes it."""
        before = {
            key: {name: value for name, value in self.current(key).items() if name in values}
            for key, values in changes.items()
        }
        for key, values in changes.items():
            self._current.setdefault(key, {}).update(values)
        self._act()
        return before

    def reset(self) -> None:
        """Be as saved, or as by default where nothing is."""
        self._current = {key: dict(values) for key, values in self._saved.items()}
        self._act()

    def defaults(self) -> Changes:
        """The default values of all that can be changed."""
        return {
            key: self._only_changeable(key, page.defaults(self.unit))
            for key, page in self.pages.items()
        }

    async def save(self, storage: Storage) -> None:
        """Save all current values; raises BackendError if they cannot be kept."""
        before = self._saved
        # At once, so that whoever saves meanwhile saves this too.
        now = {key: self._only_changeable(key, self.current(key)) for key in self.pages}
        self._saved = now
        kept = {_name(key): values for key, values in now.items() if values}
        try:
            await storage.save("modes", json.dumps(kept).encode())
        except BackendError:
            if self._saved is now:  # and nobody has saved anything since
                self._saved = before
            raise

    def restore(self, data: bytes) -> None:
        """See `trioscsi.scsi.device.Keepsake`."""
        kept = json.loads(data)
        names = {_name(key): key for key in self.pages}
        if not isinstance(kept, dict) or not kept.keys() <= names.keys():
            raise ValueError("they are not those of pages of this unit")
        saved: dict[Key, dict[str, int]] = {}
        for name, values in kept.items():
            key = names[name]
            settings = self.pages[key].settings
            if not isinstance(values, dict) or not all(
                field in settings and isinstance(value, int) and value in settings[field].takes
                for field, value in values.items()
            ):
                raise ValueError(f"page {name} has not such values")
            # What the disk of today has not, like a cache, is not to be switched any more.
            saved[key] = self._only_changeable(key, values)
        self._saved = saved
        self.reset()

    def _only_changeable(self, key: Key, values: Mapping[str, int]) -> dict[str, int]:
        changeable = self.pages[key].changeable(self.unit)
        return {name: value for name, value in values.items() if name in changeable}

    def _act(self) -> None:
        for key, names in _ACTED_ON.items():
            if key in self.pages:
                values = self.current(key)
                for name in names:
                    setattr(self, name, values[name])
        for watcher in self._watchers:
            watcher()


def _name(key: Key) -> str:
    return f"{key[0]:02x}/{key[1]:02x}"
