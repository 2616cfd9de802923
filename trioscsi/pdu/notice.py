"""Asynchronous Message and Reject (RFC 7143 sections 11.9 and 11.17)."""

from __future__ import annotations

from typing import ClassVar

from trioscsi.pdu import sense
from trioscsi.pdu.codes import Opcode
from trioscsi.pdu.compiler import pdu
from trioscsi.pdu.layout import Buffer, Pdu, Place, ones, segment, u8, u16, u32, u64


@pdu(Opcode.ASYNC_MESSAGE, section="11.9")
class AsyncMessage(Pdu):
    """An event that no command caused; ``async_event`` is an AsyncEvent."""

    printed_one: ClassVar[Place] = ones(1, 0)
    lun: int = u64(8, default=0)
    no_task: ClassVar[Place] = ones(16, 0, 32)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
    async_event: int = u8(36, default=0)
    async_vcode: int = u8(37, default=0)
    parameter1: int = u16(38, default=0)
    parameter2: int = u16(40, default=0)
    parameter3: int = u16(42, default=0)
    data: Buffer = segment("sense and event data: see trioscsi.pdu.sense", default=b"")

    @property
    def sense(self) -> Buffer:
        """The sense data; raises PeerError if their length is wrong (section 11.9.4)."""
        return sense.split(self.data)[0]


@pdu(Opcode.REJECT, section="11.17")
class Reject(Pdu):
    """Refuses a PDU, whose header is in ``data``; ``reason`` is a RejectReason.

    ``data_sn`` stands for DataSN or R2TSN: the number that would come next (section 11.17.2).
    """

    printed_one: ClassVar[Place] = ones(1, 0)
    reason: int = u8(2, default=0)
    no_task: ClassVar[Place] = ones(16, 0, 32)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
    data_sn: int = u32(36, default=0)
    data: Buffer = segment("the complete header of the rejected PDU", default=b"")
