"""A PDU in one line: its name, what matters most in it, and its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum

from trioscsi.pdu import (
    CLASSES,
    NO_TASK,
    AsyncEvent,
    AsyncMessage,
    DataIn,
    LoginRequest,
    LoginResponse,
    LoginStatus,
    LogoutReason,
    LogoutRequest,
    LogoutResponse,
    LogoutResult,
    Pdu,
    ReadyToTransfer,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    SnackType,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
)
from trioscsi.scsi import Status
from trioscsi.teaching import commands
from trioscsi.teaching.fields import Explained
from trioscsi.teaching.splitting import Cut

_NUMBERS = {
    "cmd_sn": "CmdSN",
    "exp_stat_sn": "ExpStatSN",
    "stat_sn": "StatSN",
    "exp_cmd_sn": "ExpCmdSN",
    "max_cmd_sn": "MaxCmdSN",
    "data_sn": "DataSN",
    "r2t_sn": "R2TSN",
}
_NUMBERS_OF = {
    opcode: [(field.name, _NUMBERS[field.name]) for field in cls.fields if field.name in _NUMBERS]
    for opcode, cls in CLASSES.items()
}
"""The sequence numbers that each PDU has."""
_CODES: Mapping[type[Pdu], tuple[str, type[IntEnum]]] = {
    TaskManagementRequest: ("function", TaskFunction),
    TaskManagementResponse: ("response", TaskResult),
    LogoutRequest: ("reason", LogoutReason),
    LogoutResponse: ("response", LogoutResult),
    AsyncMessage: ("async_event", AsyncEvent),
    SnackRequest: ("type", SnackType),
    Reject: ("reason", RejectReason),
}
"""The field that matters most in a PDU, where that is a code."""


def summary(explained: Explained, cut: Cut) -> str:
    """The line for a PDU that was explained."""
    return ", ".join([headline(explained, cut), *numbers(explained, cut)])


def in_a_line(title: str, pdu: Pdu, cut: Cut) -> str:
    """The line for a PDU of which nothing has been explained, in a tenth of the time."""
    return ", ".join([title, *_matters(pdu, cut), *_numbers(pdu, cut)])


def headline(explained: Explained, cut: Cut) -> str:
    """Its name, and what matters most in it."""
    pdu = explained.pdu
    return ", ".join([explained.title, *(() if pdu is None else _matters(pdu, cut))])


def numbers(explained: Explained, cut: Cut) -> list[str]:
    """Its task tag, its sequence numbers, and how much data it has."""
    return [] if explained.pdu is None else list(_numbers(explained.pdu, cut))


def _numbers(pdu: Pdu, cut: Cut) -> Iterable[str]:
    itt = getattr(pdu, "itt", None)
    if itt is not None:
        yield f"ITT 0x{itt:08x}" + (" none" if itt == NO_TASK else "")
    for name, shown in _NUMBERS_OF[pdu.opcode]:
        if not (name == "stat_sn" and isinstance(pdu, DataIn) and not pdu.has_status):
            yield f"{shown} {getattr(pdu, name)}"
    if cut.data_length:
        yield f"{cut.data_length} bytes"


def _matters(pdu: Pdu, cut: Cut) -> Iterable[str]:
    if isinstance(pdu, LoginRequest):
        step = f" to {pdu.nsg}" if pdu.transit else ""
        yield f"stage {pdu.csg}{step}"
    elif isinstance(pdu, LoginResponse):
        status = pdu.status_class << 8 | pdu.status_detail
        yield _name(LoginStatus, status, f"status 0x{status:04x}")
    elif isinstance(pdu, ScsiCommand):
        command = commands.command_of(pdu.cdb)
        yield command.name if command is not None else f"CDB {pdu.cdb[0]:02X}h"
    elif isinstance(pdu, ScsiResponse) or (isinstance(pdu, DataIn) and pdu.has_status):
        yield _name(Status, pdu.status, f"status 0x{pdu.status:02x}")
        if isinstance(pdu, ScsiResponse) and len(cut.data) > 2:
            sense = dict(commands.explain_sense(cut.data[2:]))
            yield " ".join(
                sense[name] for name in ("sense key", "additional sense code") if name in sense
            )
    elif isinstance(pdu, ReadyToTransfer):
        yield f"{pdu.desired_data_transfer_length} bytes wanted from {pdu.buffer_offset}"
    elif type(pdu) in _CODES:
        name, codes = _CODES[type(pdu)]
        number = getattr(pdu, name)
        yield _name(codes, number, f"{name.replace('_', ' ')} 0x{number:02x}")


def _name(codes: type[IntEnum], number: int, otherwise: str) -> str:
    """What a code is called, if it is one."""
    try:
        return codes(number).name
    except ValueError:
        return otherwise
