"""The commands of a disk (SBC-3 section 5), each listed by the module of its noun."""

from __future__ import annotations

from trioscsi.scsi import condition, inquiry, medium, modes, supported, transfer
from trioscsi.scsi.command import CommandSet

DISK = CommandSet(
    (
        *condition.COMMANDS,
        *inquiry.COMMANDS,
        *medium.COMMANDS,
        *modes.COMMANDS,
        *supported.COMMANDS,
        *transfer.COMMANDS,
    )
)
