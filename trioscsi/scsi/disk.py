"""The commands of a disk (SBC-3 section 5), each listed by the module of its noun."""

from __future__ import annotations

from trioscsi.scsi import (
    atomic,
    buffers,
    cache,
    capacity,
    compare,
    condition,
    defects,
    diagnostics,
    identifying,
    inquiry,
    logs,
    mode_select,
    modes,
    orwrite,
    ports,
    power,
    prefetch,
    provisioning,
    removal,
    same,
    supported,
    timestamp,
    transfer,
    verify,
)
from trioscsi.scsi.command import CommandSet

DISK = CommandSet(
    (
        *atomic.COMMANDS,
        *buffers.COMMANDS,
        *cache.COMMANDS,
        *capacity.COMMANDS,
        *compare.COMMANDS,
        *condition.COMMANDS,
        *diagnostics.COMMANDS,
        *defects.COMMANDS,
        *identifying.COMMANDS,
        *inquiry.COMMANDS,
        *logs.COMMANDS,
        *mode_select.COMMANDS,
        *modes.COMMANDS,
        *orwrite.COMMANDS,
        *ports.COMMANDS,
        *power.COMMANDS,
        *prefetch.COMMANDS,
        *removal.COMMANDS,
        *provisioning.COMMANDS,
        *same.COMMANDS,
        *supported.COMMANDS,
        *timestamp.COMMANDS,
        *transfer.COMMANDS,
        *verify.COMMANDS,
    )
)
