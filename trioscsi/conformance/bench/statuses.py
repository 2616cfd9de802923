"""Statuses that a scenario gives to commands (RFC 7143 section 11.4)."""

from __future__ import annotations

from typing import Any

from trioscsi.pdu import ScsiResponse
from trioscsi.pdu.sense import join

GOOD = 0x00
CHECK_CONDITION = 0x02
BUSY = 0x08
RESERVATION_CONFLICT = 0x18
TASK_SET_FULL = 0x28
ACA_ACTIVE = 0x30
TASK_ABORTED = 0x40

UNIT_ATTENTION = 0x06
ABORTED_COMMAND = 0x0B

_FIXED, _DESCRIPTOR = 0x70, 0x72
_FIXED_LENGTH = 18


def fixed(key: int, asc: int, ascq: int, length: int = _FIXED_LENGTH) -> bytes:
    """Sense data of fixed format (SPC-4 section 4.5.3), filled up to a length."""
    data = bytes([_FIXED, 0, key, 0, 0, 0, 0, length - 8, 0, 0, 0, 0, asc, ascq])
    return data + bytes(length - len(data))


def descriptor(key: int, asc: int, ascq: int) -> bytes:
    """Sense data of descriptor format, without any descriptor (SPC-4 section 4.5.2)."""
    return bytes([_DESCRIPTOR, key, asc, ascq, 0, 0, 0, 0])


def checked(command: Any, sense: bytes, **fields: Any) -> ScsiResponse:
    """CHECK CONDITION with these sense data, before any data were sent."""
    values = {"itt": command.itt, "status": CHECK_CONDITION, "data": join(sense), **fields}
    if command.read and command.expected_data_transfer_length and not command.write:
        values.setdefault("underflow", True)
        values.setdefault("residual_count", command.expected_data_transfer_length)
    return ScsiResponse(**values)


def failed(command: Any, key: int, asc: int, ascq: int) -> ScsiResponse:
    """The same with sense data of fixed format."""
    return checked(command, fixed(key, asc, ascq))
