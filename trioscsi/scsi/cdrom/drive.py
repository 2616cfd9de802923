"""A CD-ROM: a unit with a disc of 2048-byte blocks that is only read (MMC-6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from trioscsi.scsi import condition, ports, removal, supported, timestamp
from trioscsi.scsi.blocks import capacity, transfer, verify
from trioscsi.scsi.cdrom import discs, tray
from trioscsi.scsi.cdrom.discs import CAPABILITIES
from trioscsi.scsi.command import CommandSet
from trioscsi.scsi.device import LogicalUnit
from trioscsi.scsi.inquiry import command as inquiry
from trioscsi.scsi.inquiry import vpd
from trioscsi.scsi.modes import pages as mode_pages
from trioscsi.scsi.modes import select as mode_select
from trioscsi.scsi.modes import sense as mode_sense
from trioscsi.scsi.reservations import persistent_in, persistent_out, reserve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trioscsi.scsi.modes.page import Key, ModePage

_READ_PATH = (0x25, 0x28, 0x2F, 0xA8)
"""Of the commands that disks have too: READ CAPACITY(10), READ(10), VERIFY(10), READ(12)."""

CDROM = CommandSet(
    (
        *(
            command
            for command in (*capacity.COMMANDS, *transfer.COMMANDS, *verify.COMMANDS)
            if command.opcode in _READ_PATH
        ),
        *condition.COMMANDS,
        *discs.COMMANDS,
        *inquiry.COMMANDS,
        *mode_select.COMMANDS,
        *mode_sense.COMMANDS,
        *persistent_in.COMMANDS,
        *persistent_out.COMMANDS,
        *ports.COMMANDS,
        *removal.COMMANDS,
        *reserve.COMMANDS,
        *supported.COMMANDS,
        *timestamp.COMMANDS,
        *tray.COMMANDS,
    )
)


@attrs.define(eq=False, kw_only=True)
class CdRom(LogicalUnit):
    """A CD-ROM drive with a disc in it: its blocks have 2048 bytes, and are only read."""

    product_name: ClassVar[str] = "VIRTUAL CD-ROM"
    commands: ClassVar[CommandSet] = CDROM
    device_type: ClassVar[int] = 0x05
    removable: ClassVar[bool] = True
    command_standard: ClassVar[int] = 0x04E0
    """MMC-6."""
    mode_pages: ClassVar[Mapping[Key, ModePage]] = {
        page.key: page for page in (mode_pages.CONTROL, CAPABILITIES)
    }
    vpd_pages: ClassVar[Mapping[int, vpd.Page]] = {
        code: page for code, page in vpd.PAGES.items() if code not in vpd.OF_DISKS
    }
