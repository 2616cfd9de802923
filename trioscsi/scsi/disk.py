"""The commands of a disk (SBC-3 section 5), each listed by the module of its noun."""

from __future__ import annotations

from trioscsi.scsi import (
    cache,
    capacity,
    condition,
    inquiry,
    logs,
    mode_select,
    modes,
    ports,
    supported,
    transfer,
    verify,
)
from trioscsi.scsi.command import CommandSet

DISK = CommandSet(
    (
        *cache.COMMANDS,
        *capacity.COMMANDS,
        *condition.COMMANDS,
        *inquiry.COMMANDS,
        *mode_select.COMMANDS,
        *logs.COMMANDS,
        *modes.COMMANDS,
        *ports.COMMANDS,
        *supported.COMMANDS,
        *transfer.COMMANDS,
        *verify.COMMANDS,
    )
)
