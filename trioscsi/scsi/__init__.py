"""A SCSI device server for disks: what a command means, without performing any (SAM-5).

General layout:

- ``target`` and ``device``: a CDB in, a ``plan`` out.
- ``disk``: the table of commands; ``command``: what a row is, and dispatch.
- ``blocks``, ``cdrom``, ``copy``, ``inquiry``, ``logs``, ``modes``, ``reservations`` and
  ``upkeep``: the commands by noun, each with what belongs to it.
- ``condition``, ``identifying``, ``ports``, ``power``, ``removal``, ``supported``, ``timestamp``:
  more commands, of one module each; ``absent``: those to a LUN that addresses nothing.
- ``immediate``: commands that are answered before they are done.
- ``storage``: what commands of several steps are performed on.
- ``layout``: records of bit fields; ``cdb``: those that are CDBs; ``sense``: those that complain;
  ``complaints``: of what.
- ``nexus``: what an initiator has not been told yet.
"""

from __future__ import annotations

from trioscsi.scsi.cdrom.drive import CdRom
from trioscsi.scsi.device import LogicalUnit
from trioscsi.scsi.nexus import Nexus
from trioscsi.scsi.plan import (
    Done,
    Failed,
    Met,
    Outcome,
    Plan,
    Procedure,
    Read,
    Receive,
    Refusal,
    Refused,
    Reply,
    Status,
    Write,
)
from trioscsi.scsi.ports import AccessState
from trioscsi.scsi.sense import AdditionalSense, FieldPointer, Sense, SenseKey
from trioscsi.scsi.storage import Storage
from trioscsi.scsi.target import ScsiTarget

__all__ = [
    "AccessState",
    "AdditionalSense",
    "CdRom",
    "Done",
    "Failed",
    "FieldPointer",
    "LogicalUnit",
    "Met",
    "Nexus",
    "Outcome",
    "Plan",
    "Procedure",
    "Read",
    "Receive",
    "Refusal",
    "Refused",
    "Reply",
    "ScsiTarget",
    "Sense",
    "SenseKey",
    "Status",
    "Storage",
    "Write",
]
