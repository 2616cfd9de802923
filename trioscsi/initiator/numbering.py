"""CmdSN and StatSN as an initiator counts them (RFC 7143 sections 4.2.2.1 and 4.2.2.2)."""

from __future__ import annotations

from typing import Any

import attrs

from trioscsi.initiator.gaps import MOST, Numbers, Run
from trioscsi.initiator.requests import Request
from trioscsi.initiator.rules import Rule, Rules
from trioscsi.pdu import NO_TASK, DataIn, NopIn, ReadyToTransfer
from trioscsi.serial import add, distance, less


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

    rules: Rules = attrs.field(factory=Rules)
    recovers: bool = False
    """Whether one that is missing can be asked for again (error recovery level 1)."""
    numbers: Numbers | None = None
    """None: no status has come."""
    held: dict[int, Request] = attrs.field(factory=dict)
    """Statuses of commands that still miss data: they are not acknowledged (section 7.9)."""

    @property
    def expected(self) -> int | None:
        """The StatSN of the first status that has not come; None: none has come."""
        return None if self.numbers is None else self.numbers.next

    @property
    def acknowledged(self) -> int:
        """ExpStatSN: what a request says in the field of this name."""
        if self.numbers is None:
            return 0
        first = self.numbers.next
        for number, request in list(self.held.items()):
            if request.over:
                del self.held[number]
            elif less(number, first):
                first = number
        return first

    @property
    def missing(self) -> Run | None:
        """The first run of statuses that have not come, if any are known to be on their way."""
        return None if self.numbers is None else self.numbers.missing

    def take(self, number: int) -> bool:
        """Whether a status is new; one that was seen before is not.

        Raises PeerError if statuses before it are missing, and cannot be asked for again: at error
        recovery level 0 none can (section 7.9), and never so many that they make no sense.
        """
        if self.numbers is None:
            self.numbers = Numbers(number, end=number)
        numbers = self.numbers
        if numbers.has(number):
            if self.rules.keep(Rule.STATUS_ONCE):
                return False
            numbers.next = number
        reason = f"StatSN {number} came where {numbers.next} was due"
        gap = distance(numbers.next, number)
        known = gap < MOST if self.recovers else not gap
        self.rules.insist(Rule.STATUS_GAP, known, reason, "4.2.2.2")
        if not self.recovers:
            numbers.next = numbers.end = number
        numbers.come(number)
        return True

    def due(self, number: int) -> None:
        """The target says that all statuses before this one were sent (section 7.1.4.2)."""
        numbers = self.numbers
        if self.recovers and numbers is not None and distance(numbers.next, number) < MOST:
            numbers.known(number)


def carries_status(pdu: Any) -> bool:
    """Whether a PDU uses a StatSN up (section 4.2.2.2)."""
    if isinstance(pdu, DataIn):
        return pdu.has_status
    if isinstance(pdu, NopIn):
        return pdu.itt != NO_TASK
    return not isinstance(pdu, ReadyToTransfer)
