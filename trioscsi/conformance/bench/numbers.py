"""How the numbers before the stage and behind it belong together (RFC 7143 section 4.2.2).

A scenario may answer a command itself, and may say something that the target did not: from then on
CmdSN and StatSN have other values on the two sides, always by the same difference.
"""

from __future__ import annotations

from typing import Any

import attrs

from trioscsi.conformance.notes import carries_status
from trioscsi.conformance.record import later
from trioscsi.pdu import (
    DataIn,
    LoginRequest,
    LoginResponse,
    Pdu,
    SnackRequest,
    TaskManagementRequest,
)
from trioscsi.serial import add, distance, less

_WINDOW = 32
"""Commands that an initiator may send before the target has said anything of a window."""


@attrs.define
class Numbers:
    """The numbers as the initiator of one connection knows them."""

    stat_sn: int | None = None
    """Of the next status; None until the first is sent, or a scenario sets it."""
    exp_cmd_sn: int = 0
    """Of the next command that is not immediate, as far as commands have come."""
    max_cmd_sn: int | None = None
    ceiling: int | None = None
    """The last CmdSN that is granted, whatever the target says; None: what it says."""
    _acknowledged: int | None = None
    """The highest ExpCmdSN that the initiator was told: the target may not know of all that came
    when it speaks."""
    _statuses: int = 0
    """By how much StatSN is ahead of the target's."""
    _together: bool = False
    """Whether the target has said anything, so that its StatSN is known."""
    _hole: int | None = None
    """The CmdSN of a command that counts as one that has not come."""
    _behind_hole: int | None = None
    """What ExpCmdSN will be when it comes."""
    _commands: int = 0
    """By how much CmdSN is ahead of what the target was told."""
    _returned: list[int] = attrs.field(factory=list)
    """The CmdSN, as the target was told, of requests that went on late, and of which it does not
    know yet: until then its ExpCmdSN is behind by one more."""

    # What comes from the initiator.

    def heard(self, pdu: Any) -> None:
        """Note the CmdSN of a request, as it comes."""
        if isinstance(pdu, LoginRequest):
            if self.max_cmd_sn is None:
                self.exp_cmd_sn = pdu.cmd_sn
        elif is_numbered(pdu) and not less(pdu.cmd_sn, self.exp_cmd_sn):
            if self._hole not in (None, pdu.cmd_sn):
                self._behind_hole = later(self._behind_hole, add(pdu.cmd_sn))
                return
            self.exp_cmd_sn = later(self._behind_hole, add(pdu.cmd_sn))
            self._hole = self._behind_hole = None

    def kept(self, pdu: Any) -> None:
        """A request does not go on to the target, for now."""
        if is_numbered(pdu):
            self._commands += 1

    def returned(self, pdu: Any) -> None:
        """A request that was kept goes on after all: behind those that went on meanwhile."""
        if is_numbered(pdu):
            self._commands -= 1
            pdu.cmd_sn = add(self.exp_cmd_sn, -1)
            self._returned.append(add(pdu.cmd_sn, -self._commands))

    def unheard(self, pdu: Any) -> None:
        """A request that was kept counts as if it had not come: its CmdSN is open again."""
        if is_numbered(pdu):
            self._commands -= 1
            self._behind_hole = self.exp_cmd_sn
            self.exp_cmd_sn = self._hole = pdu.cmd_sn

    def inward(self, pdu: Any) -> None:
        """What the target is told instead."""
        if hasattr(pdu, "cmd_sn"):
            pdu.cmd_sn = add(pdu.cmd_sn, -self._commands)
        if hasattr(pdu, "exp_stat_sn"):
            pdu.exp_stat_sn = add(pdu.exp_stat_sn, -self._statuses)
        if isinstance(pdu, TaskManagementRequest):
            pdu.ref_cmd_sn = add(pdu.ref_cmd_sn, -self._commands)

    @property
    def shifted(self) -> bool:
        """Whether anything has to be changed at all on the way to the target."""
        return bool(self._commands or self._statuses)

    # What goes to the initiator.

    def outward(self, pdu: Any) -> None:
        """The target's numbers as the initiator has to see them."""
        if self.stat_sn is None:
            self.stat_sn = pdu.stat_sn
        elif not self._together:
            # The scenario has said where StatSN begins, or was the first to speak.
            self._statuses = distance(pdu.stat_sn, self.stat_sn)
        self._together = True
        if not isinstance(pdu, DataIn) or pdu.has_status:
            pdu.stat_sn = add(pdu.stat_sn, self._statuses)
        if not isinstance(pdu, LoginResponse) or not pdu.status_class:
            self._returned = [each for each in self._returned if not less(each, pdu.exp_cmd_sn)]
            ahead = self._commands + len(self._returned)
            pdu.exp_cmd_sn = later(self._acknowledged, add(pdu.exp_cmd_sn, ahead))
            window = later(self.max_cmd_sn, add(pdu.max_cmd_sn, self._commands))
            pdu.max_cmd_sn = self._granted(window)

    def withheld(self, pdu: Pdu) -> None:
        """An answer of the target does not go on, for now."""
        if carries_status(pdu):
            self._statuses -= 1

    def own(self, pdu: Any) -> None:
        """Number what the scenario says, as what comes next."""
        if self.stat_sn is None:
            self.stat_sn = 1
        if not isinstance(pdu, DataIn) or pdu.has_status:
            pdu.stat_sn = self.stat_sn
        pdu.exp_cmd_sn = self.exp_cmd_sn
        pdu.max_cmd_sn = self._granted(self.window_end)
        if carries_status(pdu):
            self._statuses += 1

    def said(self, pdu: Any) -> None:
        """Note the numbers of what goes to the initiator."""
        if carries_status(pdu):
            self.stat_sn = add(pdu.stat_sn)
        self._acknowledged = later(self._acknowledged, pdu.exp_cmd_sn)
        contradicts_itself = less(pdu.max_cmd_sn, add(pdu.exp_cmd_sn, -1))
        if self.max_cmd_sn is None or (
            less(self.max_cmd_sn, pdu.max_cmd_sn) and not contradicts_itself
        ):
            self.max_cmd_sn = pdu.max_cmd_sn

    def skip(self, count: int) -> None:
        """Leave out so many StatSN: as if statuses had been lost."""
        self.stat_sn = add(self.stat_sn or 0, count)
        self._statuses += count

    def _granted(self, number: int) -> int:
        return number if self.ceiling is None or less(number, self.ceiling) else self.ceiling

    @property
    def window_end(self) -> int:
        """The last CmdSN that was granted."""
        return add(self.exp_cmd_sn, _WINDOW) if self.max_cmd_sn is None else self.max_cmd_sn


def is_numbered(pdu: Any) -> bool:
    """Whether a request takes a CmdSN of its own (section 4.2.2.1)."""
    return (
        hasattr(pdu, "cmd_sn")
        and not isinstance(pdu, LoginRequest | SnackRequest)
        and not pdu.immediate
    )
