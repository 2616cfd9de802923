"""EXTENDED COPY and COPY OPERATION ABORT (SPC-4 sections 6.4, 6.5 and 6.3)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import TRANSFER_TIMEOUT, Access, Command, decoded
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.operation import Operation
from trioscsi.scsi.copy.parameters import LID1, LID4, Request, invalid, parse_lid1, parse_lid4
from trioscsi.scsi.copy.runner import Copy
from trioscsi.scsi.copy.segments import Course
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Failed, Receive
from trioscsi.scsi.sense import AdditionalSense, Sense, SenseKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from trioscsi.scsi.cdb import CdbLayout
    from trioscsi.scsi.command import Perform
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.layout import Layout
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan
    from trioscsi.scsi.storage import Storage

COPY_LID1, COPY_LID4, ABORT = 0x00, 0x01, 0x1C
_COPIED = Sense(SenseKey.COMPLETED, AdditionalSense.EXTENDED_COPY_INFORMATION_AVAILABLE)


@attrs.define(kw_only=True)
class ExtendedCopy(Copy):
    """Perform the segments of a request."""

    action: int
    request: Request

    def begin(self) -> Operation:
        """See `Copy.begin`."""
        return Operation(self.action, keeps=self.request.keeps)

    async def copy(self, storage: Storage, operation: Operation) -> None:
        """See `Copy.copy`."""
        await Course(self.unit, self.nexus, self.request, operation).run(storage)

    def success(self) -> Done:
        """See `Copy.success`."""
        return Done(_COPIED) if self.request.g_sense else Done()


def extended_copy(
    action: int, header: Layout, parse: Callable[[bytes], Request]
) -> Callable[[CdbLayout], Perform]:
    """EXTENDED COPY with list identifiers of one byte or of four."""

    @decoded
    def perform(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
        length = cdb["parameter_list_length"]
        if not length:
            return Done()
        if not header.length <= length <= header.length + bounds.DESCRIPTORS_LENGTH:
            return Failed(PARAMETER_LIST_LENGTH_ERROR)
        return Receive(length, partial(begin, unit, nexus, length))

    def begin(unit: LogicalUnit, nexus: Nexus, length: int, data: bytes) -> Plan:
        if len(data) < length:
            return Failed(PARAMETER_LIST_LENGTH_ERROR)
        request = parse(data)
        if request.g_sense and not nexus.sense_with_any_status:
            raise invalid(header, "g_sense")
        return ExtendedCopy(
            unit=unit,
            nexus=nexus,
            list_id=request.list_id,
            immed=request.immed,
            action=action,
            request=request,
        )

    return perform


@decoded
def copy_operation_abort(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """COPY OPERATION ABORT: the copy ends before its next piece."""
    operation = unit.copies.find(nexus, cdb["list_identifier"])
    if operation is None:
        raise cdb.refusal("list_identifier")
    operation.cancelled = True
    return Done()


_SERVICE_ACTION = bits(1, 4, 0)
_EXTENDED_COPY = cdb_layout(16, service_action=_SERVICE_ACTION, parameter_list_length=span(10, 13))

COMMANDS = (
    Command(
        0x83,
        "EXTENDED COPY(LID1)",
        _EXTENDED_COPY,
        extended_copy(COPY_LID1, LID1, parse_lid1),
        service_action=COPY_LID1,
        access=Access.WRITE,
        timeout=TRANSFER_TIMEOUT,
    ),
    Command(
        0x83,
        "EXTENDED COPY(LID4)",
        _EXTENDED_COPY,
        extended_copy(COPY_LID4, LID4, parse_lid4),
        service_action=COPY_LID4,
        access=Access.WRITE,
        timeout=TRANSFER_TIMEOUT,
    ),
    Command(
        0x83,
        "COPY OPERATION ABORT",
        cdb_layout(16, service_action=_SERVICE_ACTION, list_identifier=span(2, 5)),
        copy_operation_abort,
        service_action=ABORT,
        access=Access.WRITE,
    ),
)
