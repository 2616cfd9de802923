"""Login Request and Login Response (RFC 7143 sections 11.12 and 11.13)."""

from __future__ import annotations

from trioscsi.pdu.codes import Opcode
from trioscsi.pdu.compiler import pdu
from trioscsi.pdu.layout import Buffer, Pdu, bit, bits, octets, segment, u8, u16, u32

_NO_ISID = bytes(6)


@pdu(Opcode.LOGIN_REQUEST, section="11.12")
class LoginRequest(Pdu):
    """One step of a login; always immediate."""

    immediate: bool = bit(0, 1, default=True)
    transit: bool = bit(1, 0, default=False)
    continue_: bool = bit(1, 1, default=False)
    csg: int = bits(1, 4, 2, default=0)
    nsg: int = bits(1, 6, 2, default=0)
    version_max: int = u8(2, default=0)
    version_min: int = u8(3, default=0)
    isid: bytes = octets(8, 6, default=_NO_ISID)
    tsih: int = u16(14, default=0)
    itt: int = u32(16, default=0)
    cid: int = u16(20, default=0)
    cmd_sn: int = u32(24, default=0)
    exp_stat_sn: int = u32(28, default=0)
    data: Buffer = segment("login parameters in text format", default=b"")


@pdu(Opcode.LOGIN_RESPONSE, section="11.13")
class LoginResponse(Pdu):
    """The target's side of one step; ``status_class`` and ``status_detail`` make a LoginStatus."""

    transit: bool = bit(1, 0, default=False)
    continue_: bool = bit(1, 1, default=False)
    csg: int = bits(1, 4, 2, default=0)
    nsg: int = bits(1, 6, 2, default=0)
    version_max: int = u8(2, default=0)
    version_active: int = u8(3, default=0)
    isid: bytes = octets(8, 6, default=_NO_ISID)
    tsih: int = u16(14, default=0)
    itt: int = u32(16, default=0)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
    status_class: int = u8(36, default=0)
    status_detail: int = u8(37, default=0)
    data: Buffer = segment("login parameters in text format", default=b"")
