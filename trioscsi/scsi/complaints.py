"""Sense data that are sent: what is wrong with a command, or went wrong with it (SPC-4 annex F)."""

from __future__ import annotations

import attrs

from trioscsi.errors import BackendError, BackendFault, OutOfSpace
from trioscsi.scsi.sense import AdditionalSense, FieldPointer, Sense, SenseKey

NO_SENSE = Sense(SenseKey.NO_SENSE)
INVALID_MESSAGE = Sense(SenseKey.ILLEGAL_REQUEST, AdditionalSense.INVALID_MESSAGE_ERROR)
INVALID_COMMAND_OPERATION_CODE = Sense(
    SenseKey.ILLEGAL_REQUEST, AdditionalSense.INVALID_COMMAND_OPERATION_CODE
)
LOGICAL_UNIT_NOT_SUPPORTED = Sense(
    SenseKey.ILLEGAL_REQUEST, AdditionalSense.LOGICAL_UNIT_NOT_SUPPORTED
)
SAVING_PARAMETERS_NOT_SUPPORTED = Sense(
    SenseKey.ILLEGAL_REQUEST, AdditionalSense.SAVING_PARAMETERS_NOT_SUPPORTED
)
PARAMETER_LIST_LENGTH_ERROR = Sense(
    SenseKey.ILLEGAL_REQUEST, AdditionalSense.PARAMETER_LIST_LENGTH_ERROR
)
INVALID_RELEASE = Sense(
    SenseKey.ILLEGAL_REQUEST, AdditionalSense.INVALID_RELEASE_OF_PERSISTENT_RESERVATION
)
NO_ROOM_FOR_REGISTRATIONS = Sense(
    SenseKey.ILLEGAL_REQUEST, AdditionalSense.INSUFFICIENT_REGISTRATION_RESOURCES
)
WRITE_PROTECTED = Sense(SenseKey.DATA_PROTECT, AdditionalSense.WRITE_PROTECTED)
RESERVATIONS_LOST = Sense(
    SenseKey.DATA_PROTECT, AdditionalSense.PERSISTENT_RESERVATION_INFORMATION_LOST
)
SPACE_ALLOCATION_FAILED = Sense(
    SenseKey.DATA_PROTECT, AdditionalSense.SPACE_ALLOCATION_FAILED_WRITE_PROTECT
)
START_REQUIRED = Sense(
    SenseKey.NOT_READY, AdditionalSense.LOGICAL_UNIT_NOT_READY_INITIALIZING_COMMAND_REQUIRED
)
IN_ACCESS_STATE_TRANSITION = Sense(
    SenseKey.NOT_READY,
    AdditionalSense.LOGICAL_UNIT_NOT_ACCESSIBLE_ASYMMETRIC_ACCESS_STATE_TRANSITION,
)
PORT_IN_STANDBY = Sense(
    SenseKey.NOT_READY, AdditionalSense.LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_STANDBY_STATE
)
PORT_UNAVAILABLE = Sense(
    SenseKey.NOT_READY,
    AdditionalSense.LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_UNAVAILABLE_STATE,
)
OPERATION_IN_PROGRESS = Sense(SenseKey.ILLEGAL_REQUEST, AdditionalSense.OPERATION_IN_PROGRESS)
COMMAND_SEQUENCE_ERROR = Sense(SenseKey.ILLEGAL_REQUEST, AdditionalSense.COMMAND_SEQUENCE_ERROR)
SELF_TEST_IN_PROGRESS = Sense(
    SenseKey.NOT_READY, AdditionalSense.LOGICAL_UNIT_NOT_READY_SELF_TEST_IN_PROGRESS
)
FAILED_SELF_TEST = Sense(SenseKey.HARDWARE_ERROR, AdditionalSense.LOGICAL_UNIT_FAILED_SELF_TEST)
INTERNAL_TARGET_FAILURE = Sense(SenseKey.HARDWARE_ERROR, AdditionalSense.INTERNAL_TARGET_FAILURE)
UNEXPECTED_UNSOLICITED_DATA = Sense(
    SenseKey.ABORTED_COMMAND, AdditionalSense.WRITE_ERROR_UNEXPECTED_UNSOLICITED_DATA
)
NOT_ENOUGH_UNSOLICITED_DATA = Sense(
    SenseKey.ABORTED_COMMAND, AdditionalSense.WRITE_ERROR_NOT_ENOUGH_UNSOLICITED_DATA
)
PROTOCOL_SERVICE_CRC_ERROR = Sense(
    SenseKey.ABORTED_COMMAND, AdditionalSense.PROTOCOL_SERVICE_CRC_ERROR
)
SNACK_REJECTED = Sense(
    SenseKey.ABORTED_COMMAND, AdditionalSense.READ_ERROR_FAILED_RETRANSMISSION_REQUEST
)


def invalid_field(byte: int, bit: int | None = None) -> Sense:
    """A field of the CDB that has a value we do not take."""
    code = AdditionalSense.INVALID_FIELD_IN_CDB
    return Sense(SenseKey.ILLEGAL_REQUEST, code, specific=FieldPointer(byte, bit))


def invalid_parameter(byte: int, bit: int | None = None) -> Sense:
    """A field of the parameter list that has a value we do not take.

    One that is too far away for the 16 bits of a field pointer is not pointed at.
    """
    code = AdditionalSense.INVALID_FIELD_IN_PARAMETER_LIST
    pointer = FieldPointer(byte, bit, in_cdb=False) if byte < 2**16 else None
    return Sense(SenseKey.ILLEGAL_REQUEST, code, specific=pointer)


def invalid_data_out() -> Sense:
    """The initiator means to send another number of bytes than its CDB asks for."""
    return Sense(
        SenseKey.ILLEGAL_REQUEST, AdditionalSense.INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT
    )


def out_of_range(lba: int) -> Sense:
    """Blocks beyond the end of the medium; ``lba`` is the first of them."""
    code = AdditionalSense.LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE
    return Sense(SenseKey.ILLEGAL_REQUEST, code, information=lba)


def unit_attention(code: AdditionalSense) -> Sense:
    """An event that an initiator has not been told yet (SAM-5 section 5.14)."""
    return Sense(SenseKey.UNIT_ATTENTION, code)


def deferred(sense: Sense) -> Sense:
    """The same, as what became of a command that was answered before (SPC-4 section 4.5.7)."""
    return attrs.evolve(sense, deferred=True)


def unrecovered_read(lba: int | None = None) -> Sense:
    """Storage could not read the block ``lba``, or it is not known which one."""
    return Sense(SenseKey.MEDIUM_ERROR, AdditionalSense.UNRECOVERED_READ_ERROR, information=lba)


def write_error(lba: int | None = None) -> Sense:
    """Storage could not write the block ``lba``, or could not make earlier writes durable."""
    return Sense(SenseKey.MEDIUM_ERROR, AdditionalSense.WRITE_ERROR, information=lba)


def storage_failure(error: BackendError, *, reading: bool, lba: int | None = None) -> Sense:
    """What an error of storage is to an initiator; ``lba`` is the block, if it can be no other."""
    if isinstance(error, OutOfSpace):
        return SPACE_ALLOCATION_FAILED
    if isinstance(error, BackendFault):
        return INTERNAL_TARGET_FAILURE
    lba = lba if error.lba is None else error.lba
    return unrecovered_read(lba) if reading else write_error(lba)


def miscompare(offset: int) -> Sense:
    """The medium differs from the data sent, first at this byte of the data."""
    code = AdditionalSense.MISCOMPARE_DURING_VERIFY_OPERATION
    return Sense(SenseKey.MISCOMPARE, code, information=offset)
