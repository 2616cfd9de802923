"""Logout Request and Logout Response (RFC 7143 sections 11.14 and 11.15)."""

from __future__ import annotations

from typing import ClassVar

from trioscsi.pdu.codes import Opcode
from trioscsi.pdu.compiler import pdu
from trioscsi.pdu.layout import Pdu, Place, bit, bits, ones, u8, u16, u32


@pdu(Opcode.LOGOUT_REQUEST, section="11.14")
class LogoutRequest(Pdu):
    """Ends a connection or the session; ``reason`` is a LogoutReason."""

    immediate: bool = bit(0, 1, default=False)
    printed_one: ClassVar[Place] = ones(1, 0)
    reason: int = bits(1, 1, 7, default=0)
    itt: int = u32(16, default=0)
    cid: int = u16(20, default=0)
    cmd_sn: int = u32(24, default=0)
    exp_stat_sn: int = u32(28, default=0)


@pdu(Opcode.LOGOUT_RESPONSE, section="11.15")
class LogoutResponse(Pdu):
    """``response`` is a LogoutResult; both times are in seconds."""

    printed_one: ClassVar[Place] = ones(1, 0)
    response: int = u8(2, default=0)
    itt: int = u32(16, default=0)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
    time2wait: int = u16(40, default=0)
    time2retain: int = u16(42, default=0)
