"""CDBs made from the commands' own layouts."""

from __future__ import annotations

from trioscsi.scsi.cdb import ADDITIONAL_CDB_LENGTH
from trioscsi.scsi.command import Command


def plain(command: Command, **values: int) -> bytes:
    """The CDB of a command with these values, and zero in all fields that may be zero."""
    fields = command.layout.record.fields
    if command.service_action is not None:
        values["service_action"] = command.service_action
    if ADDITIONAL_CDB_LENGTH in fields:
        values[ADDITIONAL_CDB_LENGTH] = command.layout.length - 8
    return bytes((command.opcode,)) + command.layout.record.encode(**values)[1:]
