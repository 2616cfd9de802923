"""SCSI Data-Out, SCSI Data-In and Ready To Transfer (RFC 7143 sections 11.7 and 11.8)."""

from __future__ import annotations

from typing import ClassVar

from trioscsi.pdu.codes import NO_TASK, Opcode
from trioscsi.pdu.compiler import pdu
from trioscsi.pdu.layout import Buffer, Pdu, Place, bit, ones, segment, u8, u32, u64


@pdu(Opcode.DATA_OUT, section="11.7")
class DataOut(Pdu):
    """Data of a write, unsolicited or (with a ``ttt``) as an R2T asked for them."""

    final: bool = bit(1, 0, default=False)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=0)
    ttt: int = u32(20, default=NO_TASK)
    exp_stat_sn: int = u32(28, default=0)
    data_sn: int = u32(36, default=0)
    buffer_offset: int = u32(40, default=0)
    data: Buffer = segment("data to write", default=b"")


@pdu(Opcode.DATA_IN, section="11.7")
class DataIn(Pdu):
    """Data of a read; with ``has_status`` (the S bit) it also ends the command."""

    final: bool = bit(1, 0, default=False)
    acknowledge: bool = bit(1, 1, default=False)
    overflow: bool = bit(1, 5, default=False)
    underflow: bool = bit(1, 6, default=False)
    has_status: bool = bit(1, 7, default=False)
    status: int = u8(3, default=0)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=0)
    ttt: int = u32(20, default=NO_TASK)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
    data_sn: int = u32(36, default=0)
    buffer_offset: int = u32(40, default=0)
    residual_count: int = u32(44, default=0)
    data: Buffer = segment("data read", default=b"")


@pdu(Opcode.READY_TO_TRANSFER, section="11.8")
class ReadyToTransfer(Pdu):
    """R2T: the target asks for a part of the data of a write, in bytes."""

    printed_one: ClassVar[Place] = ones(1, 0)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=0)
    ttt: int = u32(20, default=0)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
    r2t_sn: int = u32(36, default=0)
    buffer_offset: int = u32(40, default=0)
    desired_data_transfer_length: int = u32(44, default=0)
