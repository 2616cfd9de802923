"""The commands of a disk (SBC-3 section 5), each listed by the module of its noun."""

from __future__ import annotations

from trioscsi.scsi import (
    cache,
    capacity,
    compare,
    condition,
    inquiry,
    logs,
    mode_select,
    modes,
    orwrite,
    ports,
    prefetch,
    same,
    supported,
    transfer,
    verify,
)
from trioscsi.scsi.command import CommandSet

DISK = CommandSet(
    (
        *cache.COMMANDS,
        *capacity.COMMANDS,
        *compare.COMMANDS,
        *condition.COMMANDS,
        *inquiry.COMMANDS,
        *mode_select.COMMANDS,
        *logs.COMMANDS,
        *modes.COMMANDS,
        *orwrite.COMMANDS,
        *ports.COMMANDS,
        *prefetch.COMMANDS,
        *same.COMMANDS,
        *supported.COMMANDS,
        *transfer.COMMANDS,
        *verify.COMMANDS,
    )
)
