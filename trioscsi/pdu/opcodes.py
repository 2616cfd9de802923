"""Which class an opcode stands for, and who may send it (RFC 7143 section 11.2.1.2)."""

from __future__ import annotations

from trioscsi.pdu.command import ScsiCommand, ScsiResponse
from trioscsi.pdu.data import DataIn, DataOut, ReadyToTransfer
from trioscsi.pdu.layout import Pdu
from trioscsi.pdu.login import LoginRequest, LoginResponse
from trioscsi.pdu.logout import LogoutRequest, LogoutResponse
from trioscsi.pdu.nop import NopIn, NopOut
from trioscsi.pdu.notice import AsyncMessage, Reject
from trioscsi.pdu.snack import SnackRequest
from trioscsi.pdu.task import TaskManagementRequest, TaskManagementResponse
from trioscsi.pdu.text import TextRequest, TextResponse

OPCODE_BITS = 0x3F
"""The part of the first byte that is the opcode; beside it is the I bit."""

_TARGET_BIT = 0x20

FROM_INITIATOR: tuple[type[Pdu], ...] = (
    NopOut,
    ScsiCommand,
    TaskManagementRequest,
    LoginRequest,
    TextRequest,
    DataOut,
    LogoutRequest,
    SnackRequest,
)
FROM_TARGET: tuple[type[Pdu], ...] = (
    NopIn,
    ScsiResponse,
    TaskManagementResponse,
    LoginResponse,
    TextResponse,
    DataIn,
    LogoutResponse,
    ReadyToTransfer,
    AsyncMessage,
    Reject,
)
CLASSES: dict[int, type[Pdu]] = {cls.opcode: cls for cls in FROM_INITIATOR + FROM_TARGET}


def from_initiator(opcode: int) -> bool:
    """Whether an opcode, known or not, is one of those that only initiators send."""
    return not opcode & _TARGET_BIT
