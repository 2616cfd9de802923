"""NOP-Out and NOP-In (RFC 7143 sections 11.18 and 11.19)."""

from __future__ import annotations

from typing import ClassVar

from trioscsi.pdu.codes import NO_TASK, Opcode
from trioscsi.pdu.compiler import pdu
from trioscsi.pdu.layout import Buffer, Pdu, Place, bit, ones, segment, u32, u64


@pdu(Opcode.NOP_OUT, section="11.18")
class NopOut(Pdu):
    """A ping if it has an ``itt``; the answer to a ping if it has a ``ttt``."""

    immediate: bool = bit(0, 1, default=True)
    printed_one: ClassVar[Place] = ones(1, 0)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=NO_TASK)
    ttt: int = u32(20, default=NO_TASK)
    cmd_sn: int = u32(24, default=0)
    exp_stat_sn: int = u32(28, default=0)
    data: Buffer = segment("ping data", default=b"")


@pdu(Opcode.NOP_IN, section="11.19")
class NopIn(Pdu):
    """A ping if it has a ``ttt``; the answer to a ping if it has an ``itt``."""

    printed_one: ClassVar[Place] = ones(1, 0)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=NO_TASK)
    ttt: int = u32(20, default=NO_TASK)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
    data: Buffer = segment("the data of the ping that is answered", default=b"")
