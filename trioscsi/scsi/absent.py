"""A LUN that addresses no unit: three commands are answered all the same (SAM-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import WIRE_LENGTH, whole
from trioscsi.scsi.complaints import LOGICAL_UNIT_NOT_SUPPORTED
from trioscsi.scsi.condition import REQUEST_SENSE
from trioscsi.scsi.inquiry.command import INQUIRY, inquiry_of_nothing
from trioscsi.scsi.plan import Failed, Refusal, Reply
from trioscsi.scsi.supported import REPORT_LUNS, luns

if TYPE_CHECKING:
    from collections.abc import Collection

    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan


def execute(numbers: Collection[int], cdb: Bytes, nexus: Nexus) -> Plan:
    """The plan for a command to a LUN that is not among ``numbers``."""
    try:
        cdb = whole(cdb) if len(cdb) < WIRE_LENGTH else cdb
        match cdb[0]:
            case 0x03:
                return _request_sense(cdb)
            case 0x12:
                return inquiry_of_nothing(INQUIRY.decode(cdb))
            case 0xA0:
                return luns(numbers, REPORT_LUNS.decode(cdb), nexus)
            case _:
                return Failed(LOGICAL_UNIT_NOT_SUPPORTED)
    except Refusal as refusal:
        return refusal.plan


def _request_sense(cdb: Bytes) -> Plan:
    fields = REQUEST_SENSE.decode(cdb)
    data = LOGICAL_UNIT_NOT_SUPPORTED.encode(descriptor=bool(fields["desc"]))
    return Reply(data[: fields["allocation_length"]])
