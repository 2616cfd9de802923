"""SNACK Request (RFC 7143 section 11.16)."""

from __future__ import annotations

from typing import ClassVar

from trioscsi.pdu.codes import NO_TASK, Opcode
from trioscsi.pdu.compiler import pdu
from trioscsi.pdu.layout import Pdu, Place, bits, ones, u32, u64


@pdu(Opcode.SNACK_REQUEST, section="11.16")
class SnackRequest(Pdu):
    """Asks for PDUs again, or acknowledges data; ``type`` is a SnackType."""

    printed_one: ClassVar[Place] = ones(1, 0)
    type: int = bits(1, 4, 4, default=0)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=NO_TASK)
    ttt: int = u32(20, default=NO_TASK)
    exp_stat_sn: int = u32(28, default=0)
    beg_run: int = u32(40, default=0)
    run_length: int = u32(44, default=0)

    @property
    def snack_tag(self) -> int:
        """What ``ttt`` is called if the type is R-Data (section 11.16.5)."""
        return self.ttt
