"""CmdSN and StatSN as an initiator counts them (RFC 7143 sections 4.2.2.1 and 4.2.2.2)."""

from __future__ import annotations

from typing import Any

import attrs

from trioscsi.initiator.rules import Rule, Rules
from trioscsi.pdu import NO_TASK, DataIn, NopIn, ReadyToTransfer
from trioscsi.serial import add, less


@attrs.define
class CommandNumbers:
    """The numbers of a session's commands, and how far the target lets them run."""

    next: int = 1
    """The CmdSN of the next request that is not immediate."""
    expected: int = 1
    """The highest ExpCmdSN that the target has sent."""
    maximum: int = 1
    """The highest MaxCmdSN that the target has sent."""
    rules: Rules = attrs.field(factory=Rules)

    @classmethod
    def starting(cls, first: int, rules: Rules) -> CommandNumbers:
        """The numbers of a session whose first command has this CmdSN."""
        return cls(first, first, first, rules)

    @property
    def open(self) -> bool:
        """Whether the next request may be sent: its CmdSN is inside the window."""
        return not less(self.maximum, self.next)

    def take(self) -> int:
        """The CmdSN of a request that is not immediate."""
        number, self.next = self.next, add(self.next)
        return number

    def learn(self, expected: int, maximum: int) -> None:
        """Take in what a PDU of the target says.

        A pair that contradicts itself is ignored, and so is each number that is lower than one
        that has come: PDUs of several connections overtake one another.
        """
        if less(maximum, add(expected, -1)) and self.rules.keep(Rule.CONSISTENT_WINDOW):
            return
        if less(self.expected, expected):
            self.expected = expected
        if less(self.maximum, maximum) or not self.rules.keep(Rule.NEWEST_WINDOW):
            self.maximum = maximum


@attrs.define
class StatusNumbers:
    """The numbers of the statuses of one connection."""

    expected: int | None = None
    """ExpStatSN: the StatSN of the next status; None: none has come."""
    rules: Rules = attrs.field(factory=Rules)

    @property
    def acknowledged(self) -> int:
        """What a request says in its ExpStatSN field."""
        return self.expected or 0

    def take(self, number: int) -> bool:
        """Whether a status is new; one that was seen before is not.

        Raises PeerError if a status before it is missing, which at error recovery level 0 cannot
        be asked for again (section 7.9).
        """
        if self.expected is None:
            self.expected = number
        if less(number, self.expected):
            if self.rules.keep(Rule.STATUS_ONCE):
                return False
            self.expected = number
        reason = f"StatSN {number} came where {self.expected} was due"
        self.rules.insist(Rule.STATUS_GAP, number == self.expected, reason, "4.2.2.2")
        self.expected = add(number)
        return True


def carries_status(pdu: Any) -> bool:
    """Whether a PDU uses a StatSN up (section 4.2.2.2)."""
    if isinstance(pdu, DataIn):
        return pdu.has_status
    if isinstance(pdu, NopIn):
        return pdu.itt != NO_TASK
    return not isinstance(pdu, ReadyToTransfer)
