"""Task Management Function Request and Response (RFC 7143 sections 11.5 and 11.6, RFC 7144)."""

from __future__ import annotations

from typing import ClassVar

from trioscsi.pdu.codes import NO_TASK, Opcode
from trioscsi.pdu.compiler import pdu
from trioscsi.pdu.layout import Pdu, Place, bit, bits, ones, u8, u24, u32, u64


@pdu(Opcode.TASK_MANAGEMENT_REQUEST, section="11.5")
class TaskManagementRequest(Pdu):
    """Aborts, resets, reassigns or asks; ``function`` is a TaskFunction."""

    immediate: bool = bit(0, 1, default=False)
    printed_one: ClassVar[Place] = ones(1, 0)
    function: int = bits(1, 1, 7, default=0)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=0)
    referenced_task_tag: int = u32(20, default=NO_TASK)
    cmd_sn: int = u32(24, default=0)
    exp_stat_sn: int = u32(28, default=0)
    ref_cmd_sn: int = u32(32, default=0)
    exp_data_sn: int = u32(36, default=0)


@pdu(Opcode.TASK_MANAGEMENT_RESPONSE, section="11.6")
class TaskManagementResponse(Pdu):
    """``response`` is a TaskResult; the additional information is of RFC 7144."""

    printed_one: ClassVar[Place] = ones(1, 0)
    response: int = u8(2, default=0)
    additional_response_information: int = u24(8, default=0)
    itt: int = u32(16, default=0)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
