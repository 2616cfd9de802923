"""A SCSI device server for disks: what a command means, without performing any (SAM-5).

General layout:

- ``target`` and ``device``: a CDB in, a ``plan`` out.
- ``disk``: the table of commands; ``command``: what a row is, and dispatch.
- ``atomic``, ``background``, ``cache``, ``capacity``, ``compare``, ``condition``, ``defects``,
  ``identifying``, ``inquiry`` with ``vpd`` and ``identity``, ``logs``, ``orwrite``, ``ports``,
  ``power``, ``prefetch``, ``provisioning``, ``referrals``, ``same``, ``supported``, ``timestamp``,
  ``transfer``, ``verify``: the commands by noun; ``absent``: those to a LUN that addresses nothing.
- ``formatting`` and ``sanitize``, with what is common to them: ``overhaul``.
- ``immediate``: commands that are answered before they are done.
- ``modes`` and ``mode_select``: how mode parameters are told and set; ``mode_pages``: which there
  are; ``mode_page``: what a row is; ``mode_state``: their values in a unit.
- ``thresholds``: when initiators are told that room gets scarce.
- ``counters``: what commands have done; ``log_pages``: what is told of it; ``log``: how.
- ``persistent_in``, ``persistent_out`` with ``persistent_order``, ``reserve``: how a unit is
  reserved; ``reservations``: who has it; ``registrations``: by which rules; ``transport_id``: how
  initiators are named.
- ``copy``: third-party copies; ``designation``: the names by which they know units.
- ``cdrom``: a CD-ROM; ``discs`` and ``tray``: the commands that it alone has.
- ``storage``: what commands of several steps are performed on.
- ``layout``: records of bit fields; ``cdb``: those that are CDBs; ``sense``: those that complain.
- ``nexus``: what an initiator has not been told yet.
"""

from __future__ import annotations

from trioscsi.scsi.cdrom import CdRom
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
