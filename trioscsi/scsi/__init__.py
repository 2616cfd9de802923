"""A SCSI device server for disks: what a command means, without performing any (SAM-5).

General layout:

- ``target`` and ``device``: a CDB in, a ``plan`` out.
- ``disk``: the table of commands; ``command``: what a row is, and dispatch.
- ``condition``, ``inquiry`` with ``vpd`` and ``identity``, ``medium``, ``modes``, ``supported``,
  ``transfer``: the commands by noun; ``absent``: those to a LUN that addresses nothing.
- ``layout``: records of bit fields; ``cdb``: those that are CDBs; ``sense``: those that complain.
- ``nexus``: what an initiator has not been told yet.
"""

from __future__ import annotations

from trioscsi.scsi.device import LogicalUnit
from trioscsi.scsi.nexus import Nexus
from trioscsi.scsi.plan import (
    Done,
    Failed,
    Flush,
    Plan,
    Read,
    Receive,
    Refused,
    Reply,
    Status,
    Verify,
    Write,
)
from trioscsi.scsi.sense import AdditionalSense, FieldPointer, Sense, SenseKey
from trioscsi.scsi.target import ScsiTarget

__all__ = [
    "AdditionalSense",
    "Done",
    "Failed",
    "FieldPointer",
    "Flush",
    "LogicalUnit",
    "Nexus",
    "Plan",
    "Read",
    "Receive",
    "Refused",
    "Reply",
    "ScsiTarget",
    "Sense",
    "SenseKey",
    "Status",
    "Verify",
    "Write",
]
