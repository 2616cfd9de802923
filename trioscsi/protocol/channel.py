"""How a target speaks: each PDU with the numbers it has to carry.

RFC 7143 sections 4.2.2.2 and 11.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trioscsi.limits import Limits
from trioscsi.protocol.line import Line
from trioscsi.protocol.numbering import CommandOrder
from trioscsi.serial import MODULUS


class Channel(Line):
    """The target's end of one connection."""

    def __init__(self, limits: Limits, *, now: float, wake: Callable[[], None]) -> None:
        super().__init__(limits, now=now, wake=wake)
        self.order: CommandOrder | None = None
        """The order of the session's commands, once there is a session."""
        self.stat_sn = 0
        """The StatSN of the next status (section 4.2.2.2)."""

    def send_status(self, pdu: Any) -> None:
        """Append a PDU that advances StatSN, with the numbers it has to carry."""
        self.number(pdu)
        self.stat_sn = (self.stat_sn + 1) % MODULUS
        self.send(pdu)

    def number(self, pdu: Any) -> None:
        """Fill in StatSN, ExpCmdSN and MaxCmdSN (section 4.2.2)."""
        order = self.order
        pdu.stat_sn = self.stat_sn
        if order is not None:
            pdu.exp_cmd_sn, pdu.max_cmd_sn = order.expected, order.maximum
