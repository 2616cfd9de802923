"""Text Request and Text Response (RFC 7143 sections 11.10 and 11.11)."""

from __future__ import annotations

from trioscsi.pdu.codes import NO_TASK, Opcode
from trioscsi.pdu.compiler import pdu
from trioscsi.pdu.layout import Buffer, Pdu, bit, segment, u32, u64


@pdu(Opcode.TEXT_REQUEST, section="11.10")
class TextRequest(Pdu):
    """Keys, or with a ``ttt`` the wish to hear the rest of an answer."""

    immediate: bool = bit(0, 1, default=False)
    final: bool = bit(1, 0, default=True)
    continue_: bool = bit(1, 1, default=False)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=0)
    ttt: int = u32(20, default=NO_TASK)
    cmd_sn: int = u32(24, default=0)
    exp_stat_sn: int = u32(28, default=0)
    data: Buffer = segment("text", default=b"")


@pdu(Opcode.TEXT_RESPONSE, section="11.11")
class TextResponse(Pdu):
    """Keys; with a ``ttt`` there is more to come."""

    final: bool = bit(1, 0, default=True)
    continue_: bool = bit(1, 1, default=False)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=0)
    ttt: int = u32(20, default=NO_TASK)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
    data: Buffer = segment("text", default=b"")
