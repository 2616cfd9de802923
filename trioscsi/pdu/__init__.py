"""Bytes to values and back: the PDUs of RFC 7143 chapter 11.

Nothing here knows what may be sent when. The modules named after PDUs hold the classes, written in
the words of ``layout`` and turned into code by ``compiler``; ``framing`` cuts the stream, and
``codes`` names the code values.
"""

from __future__ import annotations

from trioscsi.pdu.codes import (
    NO_TASK,
    AhsType,
    AsyncEvent,
    LoginStage,
    LoginStatus,
    LogoutReason,
    LogoutResult,
    Opcode,
    RejectReason,
    ScsiResult,
    SnackType,
    TaskAttribute,
    TaskFunction,
    TaskResult,
)
from trioscsi.pdu.command import ScsiCommand, ScsiResponse
from trioscsi.pdu.data import DataIn, DataOut, ReadyToTransfer
from trioscsi.pdu.framing import BadDigest, Framer, Malformed, Received, UnknownPdu, encode
from trioscsi.pdu.layout import BHS_LENGTH, Buffer, Field, Pdu, Place
from trioscsi.pdu.login import LoginRequest, LoginResponse
from trioscsi.pdu.logout import LogoutRequest, LogoutResponse
from trioscsi.pdu.nop import NopIn, NopOut
from trioscsi.pdu.notice import AsyncMessage, Reject
from trioscsi.pdu.opcodes import CLASSES, FROM_INITIATOR, FROM_TARGET, from_initiator
from trioscsi.pdu.snack import SnackRequest
from trioscsi.pdu.task import TaskManagementRequest, TaskManagementResponse
from trioscsi.pdu.text import TextRequest, TextResponse

__all__ = [
    "BHS_LENGTH",
    "CLASSES",
    "FROM_INITIATOR",
    "FROM_TARGET",
    "NO_TASK",
    "AhsType",
    "AsyncEvent",
    "AsyncMessage",
    "BadDigest",
    "Buffer",
    "DataIn",
    "DataOut",
    "Field",
    "Framer",
    "LoginRequest",
    "LoginResponse",
    "LoginStage",
    "LoginStatus",
    "LogoutReason",
    "LogoutRequest",
    "LogoutResponse",
    "LogoutResult",
    "Malformed",
    "NopIn",
    "NopOut",
    "Opcode",
    "Pdu",
    "Place",
    "ReadyToTransfer",
    "Received",
    "Reject",
    "RejectReason",
    "ScsiCommand",
    "ScsiResponse",
    "ScsiResult",
    "SnackRequest",
    "SnackType",
    "TaskAttribute",
    "TaskFunction",
    "TaskManagementRequest",
    "TaskManagementResponse",
    "TaskResult",
    "TextRequest",
    "TextResponse",
    "UnknownPdu",
    "encode",
    "from_initiator",
]
