"""What of a target a session sees: which units, under which numbers, and how.

LUNs on the wire are those of the session; inside, a task has the number that its unit has in the
target, so that what concerns a unit concerns the tasks of all sessions, whatever they call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from trioscsi import lun
from trioscsi.errors import UsageError

NOWHERE = 2**64 - 1
"""A LUN field that addresses nothing."""


def _protected(said: bool | Iterable[int]) -> bool | frozenset[int]:
    return said if isinstance(said, bool) else frozenset(said)


def _numbers(luns: Mapping[int, int] | Iterable[int] | None) -> Mapping[int, int] | None:
    if luns is None or isinstance(luns, Mapping):
        return luns
    return {number: number for number in luns}


def _fields(luns: Mapping[int, int]) -> Mapping[int, int]:
    """The same for LUN fields, in all forms that they may have."""
    return {
        field: lun.encode(unit) for number, unit in luns.items() for field in lun.fields(number)
    }


@attrs.frozen
class View:
    """The units that some initiators see: ``luns`` are their numbers there and in the target.

    A sequence of numbers leaves them as they are; None shows all units. ``read_only`` protects
    them from these initiators: all, or those with these numbers in the target.

    Raises UsageError for what no LUN can be, and for a unit that is shown twice.
    """

    luns: Mapping[int, int] | None = attrs.field(default=None, converter=_numbers)
    read_only: bool | frozenset[int] = attrs.field(default=False, converter=_protected)
    _inward: Mapping[int, int] = attrs.field(init=False, repr=False)
    _outward: Mapping[int, int] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        luns = self.luns or {}
        for number in (*luns, *luns.values()):
            if not 0 <= number <= lun.MAXIMUM:
                raise UsageError(f"a LUN is from 0 to {lun.MAXIMUM}, not {number}")
        if len(set(luns.values())) != len(luns):
            raise UsageError("a view shows a unit under two numbers")
        object.__setattr__(self, "_inward", _fields(luns))
        object.__setattr__(self, "_outward", _fields({unit: shown for shown, unit in luns.items()}))

    def inward(self, field: int) -> int:
        """The LUN field of the target for one of the session; NOWHERE if it shows none."""
        return field if self.luns is None else self._inward.get(field, NOWHERE)

    def outward(self, field: int) -> int:
        """The LUN field of the session for one of the target."""
        return field if self.luns is None else self._outward.get(field, NOWHERE)

    def sees(self, number: int) -> bool:
        """Whether it shows the unit with this number in the target."""
        return self.luns is None or number in self.luns.values()

    def protects(self, number: int) -> bool:
        """Whether the unit with this number in the target may only be read."""
        return self.read_only if isinstance(self.read_only, bool) else number in self.read_only


EVERYTHING = View()
