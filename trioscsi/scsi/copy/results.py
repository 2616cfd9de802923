"""RECEIVE COPY STATUS and what else tells of copies (SPC-4 section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.descriptors import IDENTIFICATION, Kind
from trioscsi.scsi.copy.operation import Operation, State
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Failed, Refused, Reply, Status

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

STATUS_LID1 = layout(
    12,
    available_data=span(0, 3),
    hdd=bits(4, 7),
    copy_operation_status=bits(4, 6, 0),
    segments_processed=span(5, 6),
    transfer_count_units=span(7),
    transfer_count=span(8, 11),
)
OPERATING_PARAMETERS = layout(
    44,
    available_data=span(0, 3),
    snlid=bits(4, 0),
    maximum_target_descriptor_count=span(8, 9),
    maximum_segment_descriptor_count=span(10, 11),
    maximum_descriptor_list_length=span(12, 15),
    maximum_segment_length=span(16, 19),
    maximum_inline_data_length=span(20, 23),
    held_data_limit=span(24, 27),
    maximum_stream_device_transfer_size=span(28, 31),
    total_concurrent_copies=span(34, 35),
    maximum_concurrent_copies=span(36),
    data_segment_granularity=span(37),
    inline_data_granularity=span(38),
    held_data_granularity=span(39),
    implemented_descriptor_list_length=span(43),
)
FAILURE_DETAILS = layout(
    60,
    available_data=span(0, 3),
    extended_copy_command_status=span(56),
    sense_data_length=span(58, 59),
)
STATUS_LID4 = layout(
    32,
    available_data=span(0, 3),
    response_to_service_action=bits(4, 4, 0),
    hdd=bits(5, 7),
    copy_operation_status=bits(5, 6, 0),
    operation_counter=span(6, 7),
    estimated_status_update_delay=span(8, 11),
    extended_copy_completion_status=span(12),
    length_of_the_sense_data_field=span(13),
    sense_data_length=span(14),
    transfer_count_units=span(15),
    transfer_count=span(16, 23),
    segments_processed=span(24, 25),
)

DESCRIPTOR_TYPES = (*sorted(Kind), IDENTIFICATION)
"""All types of descriptors that EXTENDED COPY takes."""
_IN_PROGRESS = 0x00
_TOKEN_HEAD = 2
"""Before each token: the index of a descriptor that made it, of which there is none."""
_SOON = 1000
"""When it is worth asking again how far a copy has got, in milliseconds."""


@decoded
def copy_status_lid1(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """RECEIVE COPY STATUS(LID1)."""
    operation = _operation(unit, cdb, nexus)
    units, count = _count(operation)
    data = STATUS_LID1.encode(
        available_data=STATUS_LID1.length - 4,
        hdd=operation.discarded,
        copy_operation_status=_IN_PROGRESS if operation.running else _ended(operation),
        segments_processed=operation.segments,
        transfer_count_units=units,
        transfer_count=count,
    )
    return Reply(data[: cdb["allocation_length"]])


def _ended(operation: Operation) -> State:
    """What the older status has no word for is an error."""
    completed = operation.state is State.COMPLETED
    return State.COMPLETED if completed else State.COMPLETED_WITH_ERRORS


def _count(operation: Operation) -> tuple[int, int]:
    """The transfer count in the smallest unit in which it has room: bytes, KiB, MiB, ..."""
    units, count = int(operation.units), operation.transferred
    while count >= 2**32:
        units, count = units + 1, count // 1024
    return units, count


@decoded
def copy_data(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """RECEIVE COPY DATA(LID1): what a segment was told to hold; none while the copy goes on."""
    operation = _operation(unit, cdb, nexus)
    held = b"" if operation.running else operation.held
    data = len(held).to_bytes(4, "big") + held
    return Reply(data[: cdb["allocation_length"]])


@decoded
def operating_parameters(_unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """RECEIVE COPY OPERATING PARAMETERS: all bounds."""
    data = OPERATING_PARAMETERS.encode(
        available_data=OPERATING_PARAMETERS.length - 4 + len(DESCRIPTOR_TYPES),
        snlid=1,
        maximum_target_descriptor_count=bounds.TARGET_DESCRIPTORS,
        maximum_segment_descriptor_count=bounds.SEGMENT_DESCRIPTORS,
        maximum_descriptor_list_length=bounds.DESCRIPTORS_LENGTH,
        maximum_segment_length=bounds.SEGMENT,
        held_data_limit=bounds.HELD,
        total_concurrent_copies=bounds.CONCURRENT,
        maximum_concurrent_copies=bounds.CONCURRENT,
        implemented_descriptor_list_length=len(DESCRIPTOR_TYPES),
    )
    return Reply((data + bytes(DESCRIPTOR_TYPES))[: cdb["allocation_length"]])


@decoded
def failure_details(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """RECEIVE COPY FAILURE DETAILS(LID1): nothing, unless the copy has failed."""
    operation = _operation(unit, cdb, nexus)
    status, sense = _completion(operation)
    if operation.running or not status:
        data = bytes(4)
    else:
        data = FAILURE_DETAILS.encode(
            available_data=FAILURE_DETAILS.length - 4 + len(sense),
            extended_copy_command_status=status,
            sense_data_length=len(sense),
        )
    return Reply((data + sense)[: cdb["allocation_length"]])


@decoded
def copy_status_lid4(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """RECEIVE COPY STATUS(LID4)."""
    data = _status_lid4(_operation(unit, cdb, nexus), b"")
    return Reply(data[: cdb["allocation_length"]])


@decoded
def rod_token_information(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """RECEIVE ROD TOKEN INFORMATION: the same, and the tokens that were made."""
    operation = _operation(unit, cdb, nexus)
    descriptor = bytes(_TOKEN_HEAD) + operation.token if operation.token else b""
    data = _status_lid4(operation, len(descriptor).to_bytes(4, "big") + descriptor)
    return Reply(data[: cdb["allocation_length"]])


def _status_lid4(operation: Operation, more: bytes) -> bytes:
    status, sense = _completion(operation)
    return (
        STATUS_LID4.encode(
            available_data=STATUS_LID4.length - 4 + len(sense) + len(more),
            response_to_service_action=operation.action,
            hdd=operation.discarded,
            copy_operation_status=operation.state,
            # It has no use but to show that something moves, and may wrap.
            operation_counter=(operation.segments + operation.transferred) % 2**16,
            estimated_status_update_delay=_SOON if operation.running else 0xFFFFFFFE,
            extended_copy_completion_status=status,
            length_of_the_sense_data_field=len(sense),
            sense_data_length=len(sense),
            transfer_count_units=operation.units,
            transfer_count=operation.transferred,
            segments_processed=operation.segments,
        )
        + sense
        + more
    )


def _completion(operation: Operation) -> tuple[Status, bytes]:
    """The status and the sense data that ended a copy."""
    match operation.outcome:
        case Failed(sense):
            return Status.CHECK_CONDITION, sense.encode()
        case Refused(status):
            return status, b""
        case _:
            return Status.GOOD, b""


def _operation(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Operation:
    operation = unit.copies.find(nexus, cdb["list_identifier"])
    if operation is None:
        raise cdb.refusal("list_identifier")
    return operation


_LENGTH = {"service_action": bits(1, 4, 0), "allocation_length": span(10, 13)}
_LID1 = cdb_layout(16, list_identifier=span(2), **_LENGTH)
_LID4 = cdb_layout(16, list_identifier=span(2, 5), **_LENGTH)

COMMANDS = tuple(
    Command(0x84, name, layout, perform, service_action=action, access=Access.CONDITION)
    for action, name, layout, perform in (
        (0x00, "RECEIVE COPY STATUS(LID1)", _LID1, copy_status_lid1),
        (0x01, "RECEIVE COPY DATA(LID1)", _LID1, copy_data),
        (
            0x03,
            "RECEIVE COPY OPERATING PARAMETERS",
            cdb_layout(16, **_LENGTH),
            operating_parameters,
        ),
        (0x04, "RECEIVE COPY FAILURE DETAILS(LID1)", _LID1, failure_details),
        (0x05, "RECEIVE COPY STATUS(LID4)", _LID4, copy_status_lid4),
        (0x07, "RECEIVE ROD TOKEN INFORMATION", _LID4, rod_token_information),
    )
)
