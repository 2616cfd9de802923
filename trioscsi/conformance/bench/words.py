"""PDUs of a target that scenarios say again and again; their numbers are not set."""

from __future__ import annotations

from typing import Any

from trioscsi.pdu import (
    NO_TASK,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    Pdu,
    ReadyToTransfer,
    Reject,
    ScsiCommand,
    ScsiResponse,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
)


def answer_to(request: Any, **fields: Any) -> Any:
    """The response to a request that says yes, but for these fields."""
    match request:
        case LoginRequest():
            values: dict[str, Any] = {
                "transit": request.transit,
                "csg": request.csg,
                "nsg": request.nsg if request.transit else 0,
                "isid": request.isid,
                "tsih": request.tsih,
            }
            if fields.get("transit", request.transit) is False:
                values["nsg"] = 0
            response: type[Pdu] = LoginResponse
        case TextRequest():
            values, response = {"final": True}, TextResponse
        case NopOut():
            values, response = {"lun": request.lun, "data": bytes(request.data)}, NopIn
        case ScsiCommand():
            values, response = {}, ScsiResponse
        case TaskManagementRequest():
            values, response = {}, TaskManagementResponse
        case LogoutRequest():
            values, response = {}, LogoutResponse
        case _:
            raise TypeError(f"a {type(request).__name__} has no answer")
    return response(**{"itt": request.itt, **values, **fields})


def reject(pdu: Any, reason: int) -> Reject:
    """The Reject of a PDU (section 11.17), with its header as the initiator has sent it."""
    return Reject(reason=reason, data=pdu.pack(len(pdu.data)))


def ping(ttt: int = 1, lun: int = 0, **fields: Any) -> NopIn:
    """A NOP-In that wants an answer (section 11.19)."""
    return NopIn(**{"ttt": ttt, "lun": lun, "itt": NO_TASK, **fields})


def r2t(command: Any, offset: int, length: int, ttt: int, r2t_sn: int = 0) -> ReadyToTransfer:
    """An R2T for the data of a command (section 11.8)."""
    return ReadyToTransfer(
        lun=command.lun,
        itt=command.itt,
        ttt=ttt,
        r2t_sn=r2t_sn,
        buffer_offset=offset,
        desired_data_transfer_length=length,
    )
