"""The commands of a disk (SBC-3 section 5), each listed by the module of its noun."""

from __future__ import annotations

from trioscsi.scsi import condition, identifying, ports, power, removal, supported, timestamp
from trioscsi.scsi.blocks import (
    atomic,
    cache,
    capacity,
    compare,
    defects,
    orwrite,
    prefetch,
    provisioning,
    referrals,
    same,
    transfer,
    verify,
)
from trioscsi.scsi.command import CommandSet
from trioscsi.scsi.copy import extended, offload, results
from trioscsi.scsi.inquiry import command as inquiry
from trioscsi.scsi.logs import commands as logs
from trioscsi.scsi.modes import select as mode_select
from trioscsi.scsi.modes import sense as mode_sense
from trioscsi.scsi.reservations import persistent_in, persistent_out, reserve
from trioscsi.scsi.upkeep import background, buffers, diagnostics, formatting, sanitize

DISK = CommandSet(
    (
        *atomic.COMMANDS,
        *background.COMMANDS,
        *buffers.COMMANDS,
        *cache.COMMANDS,
        *capacity.COMMANDS,
        *compare.COMMANDS,
        *condition.COMMANDS,
        *defects.COMMANDS,
        *diagnostics.COMMANDS,
        *extended.COMMANDS,
        *formatting.COMMANDS,
        *identifying.COMMANDS,
        *inquiry.COMMANDS,
        *logs.COMMANDS,
        *mode_select.COMMANDS,
        *mode_sense.COMMANDS,
        *offload.COMMANDS,
        *orwrite.COMMANDS,
        *persistent_in.COMMANDS,
        *persistent_out.COMMANDS,
        *ports.COMMANDS,
        *power.COMMANDS,
        *prefetch.COMMANDS,
        *provisioning.COMMANDS,
        *referrals.COMMANDS,
        *removal.COMMANDS,
        *reserve.COMMANDS,
        *results.COMMANDS,
        *same.COMMANDS,
        *sanitize.COMMANDS,
        *supported.COMMANDS,
        *timestamp.COMMANDS,
        *transfer.COMMANDS,
        *verify.COMMANDS,
    )
)
