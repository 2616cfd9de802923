"""Sense data: why a command ended as it did (SPC-4 section 4.5)."""

from __future__ import annotations

import enum

import attrs

from trioscsi.scsi.layout import bits, layout, span


class SenseKey(enum.IntEnum):
    """What kind of condition it is (SPC-4 section 4.5.6)."""

    NO_SENSE = 0x0
    RECOVERED_ERROR = 0x1
    NOT_READY = 0x2
    MEDIUM_ERROR = 0x3
    HARDWARE_ERROR = 0x4
    ILLEGAL_REQUEST = 0x5
    UNIT_ATTENTION = 0x6
    DATA_PROTECT = 0x7
    BLANK_CHECK = 0x8
    VENDOR_SPECIFIC = 0x9
    COPY_ABORTED = 0xA
    ABORTED_COMMAND = 0xB
    VOLUME_OVERFLOW = 0xD
    MISCOMPARE = 0xE
    COMPLETED = 0xF


class AdditionalSense(enum.IntEnum):
    """Additional sense code in the high byte and its qualifier in the low byte (SPC-4 annex F)."""

    NO_ADDITIONAL_SENSE_INFORMATION = 0x0000
    OPERATION_IN_PROGRESS = 0x0016
    LOGICAL_UNIT_NOT_READY_INITIALIZING_COMMAND_REQUIRED = 0x0402
    LOGICAL_UNIT_NOT_READY_SELF_TEST_IN_PROGRESS = 0x0409
    LOGICAL_UNIT_NOT_ACCESSIBLE_ASYMMETRIC_ACCESS_STATE_TRANSITION = 0x040A
    LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_STANDBY_STATE = 0x040B
    LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_UNAVAILABLE_STATE = 0x040C
    WRITE_ERROR = 0x0C00
    WRITE_ERROR_UNEXPECTED_UNSOLICITED_DATA = 0x0C0C
    WRITE_ERROR_NOT_ENOUGH_UNSOLICITED_DATA = 0x0C0D
    INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT = 0x0E03
    UNRECOVERED_READ_ERROR = 0x1100
    READ_ERROR_FAILED_RETRANSMISSION_REQUEST = 0x1113
    PARAMETER_LIST_LENGTH_ERROR = 0x1A00
    MISCOMPARE_DURING_VERIFY_OPERATION = 0x1D00
    INVALID_COMMAND_OPERATION_CODE = 0x2000
    LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE = 0x2100
    INVALID_FIELD_IN_CDB = 0x2400
    LOGICAL_UNIT_NOT_SUPPORTED = 0x2500
    INVALID_FIELD_IN_PARAMETER_LIST = 0x2600
    WRITE_PROTECTED = 0x2700
    POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED = 0x2900
    BUS_DEVICE_RESET_FUNCTION_OCCURRED = 0x2903
    I_T_NEXUS_LOSS_OCCURRED = 0x2907
    MODE_PARAMETERS_CHANGED = 0x2A01
    ASYMMETRIC_ACCESS_STATE_CHANGED = 0x2A06
    IMPLICIT_ASYMMETRIC_ACCESS_STATE_TRANSITION_FAILED = 0x2A07
    LOG_PARAMETERS_CHANGED = 0x2A02
    CAPACITY_DATA_HAS_CHANGED = 0x2A09
    COMMAND_SEQUENCE_ERROR = 0x2C00
    COMMANDS_CLEARED_BY_ANOTHER_INITIATOR = 0x2F00
    SAVING_PARAMETERS_NOT_SUPPORTED = 0x3900
    LOGICAL_UNIT_FAILED_SELF_TEST = 0x3E03
    REPORTED_LUNS_DATA_HAS_CHANGED = 0x3F0E
    INTERNAL_TARGET_FAILURE = 0x4400
    PROTOCOL_SERVICE_CRC_ERROR = 0x4705
    SOME_COMMANDS_CLEARED_BY_ISCSI_PROTOCOL_EVENT = 0x477F


@attrs.frozen
class FieldPointer:
    """The field that was refused: its first byte, and its most significant bit, if that
    can be told (SPC-4 section 4.5). ``in_cdb`` is false for a parameter list.
    """

    byte: int
    bit: int | None = None
    in_cdb: bool = True

    def encode(self) -> bytes:
        """The three sense key specific bytes."""
        flags = 0x80 | self.in_cdb << 6
        if self.bit is not None:
            flags |= 0x08 | self.bit
        return bytes((flags, *self.byte.to_bytes(2, "big")))


FIXED = layout(
    18,
    valid=bits(0, 7),
    response_code=bits(0, 6, 0),
    filemark=bits(2, 7),
    eom=bits(2, 6),
    ili=bits(2, 5),
    sdat_ovfl=bits(2, 4),
    sense_key=bits(2, 3, 0),
    information=span(3, 6),
    additional_sense_length=span(7),
    command_specific_information=span(8, 11),
    additional_sense=span(12, 13),
    field_replaceable_unit_code=span(14),
    sense_key_specific=span(15, 17),
)
_FIXED_CURRENT, _DESCRIPTOR_CURRENT = 0x70, 0x72
_INFORMATION, _SENSE_KEY_SPECIFIC = 0x00, 0x02


@attrs.frozen
class Sense:
    """Sense data of a current error.

    ``code`` is an additional sense code and qualifier, one of ``AdditionalSense`` in all that we
    send. ``information`` is what the key and code say it is: a block address for most, a byte
    offset for a miscompare (SBC-3 section 4).
    """

    key: SenseKey
    code: int = AdditionalSense.NO_ADDITIONAL_SENSE_INFORMATION
    information: int | None = None
    field_pointer: FieldPointer | None = None

    @property
    def asc(self) -> int:
        """The additional sense code."""
        return self.code >> 8

    @property
    def ascq(self) -> int:
        """The additional sense code qualifier."""
        return self.code & 0xFF

    def describe(self) -> str:
        """What it is, for people: ``MEDIUM_ERROR 11h/00h``."""
        return f"{self.key.name} {self.asc:02X}h/{self.ascq:02X}h"

    def encode(self, *, descriptor: bool = False) -> bytes:
        """The bytes, in fixed format (SPC-4 section 4.5.3) or descriptor format (4.5.2)."""
        return self._descriptors() if descriptor else self._fixed()

    def _fixed(self) -> bytes:
        # The fixed format has 32 bits for a 64-bit address: then it is better not to say it.
        valid = self.information is not None and self.information < 2**32
        specific = b"" if self.field_pointer is None else self.field_pointer.encode()
        return FIXED.encode(
            valid=valid,
            response_code=_FIXED_CURRENT,
            sense_key=self.key,
            information=(self.information or 0) if valid else 0,
            additional_sense_length=FIXED.length - 8,
            additional_sense=self.code,
            sense_key_specific=int.from_bytes(specific, "big"),
        )

    def _descriptors(self) -> bytes:
        descriptors = b""
        if self.information is not None:
            head = bytes((_INFORMATION, 0x0A, 0x80, 0))
            descriptors += head + self.information.to_bytes(8, "big")
        if self.field_pointer is not None:
            head = bytes((_SENSE_KEY_SPECIFIC, 0x06, 0, 0))
            descriptors += head + self.field_pointer.encode() + bytes(1)
        head = bytes((_DESCRIPTOR_CURRENT, self.key, self.asc, self.ascq, 0, 0, 0))
        return head + bytes((len(descriptors),)) + descriptors


NO_SENSE = Sense(SenseKey.NO_SENSE)
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
WRITE_PROTECTED = Sense(SenseKey.DATA_PROTECT, AdditionalSense.WRITE_PROTECTED)
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
    return Sense(SenseKey.ILLEGAL_REQUEST, code, field_pointer=FieldPointer(byte, bit))


def invalid_parameter(byte: int, bit: int | None = None) -> Sense:
    """A field of the parameter list that has a value we do not take."""
    code = AdditionalSense.INVALID_FIELD_IN_PARAMETER_LIST
    pointer = FieldPointer(byte, bit, in_cdb=False)
    return Sense(SenseKey.ILLEGAL_REQUEST, code, field_pointer=pointer)


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


def unrecovered_read(lba: int) -> Sense:
    """Storage could not read the block ``lba``."""
    return Sense(SenseKey.MEDIUM_ERROR, AdditionalSense.UNRECOVERED_READ_ERROR, information=lba)


def write_error(lba: int | None = None) -> Sense:
    """Storage could not write the block ``lba``, or could not make earlier writes durable."""
    return Sense(SenseKey.MEDIUM_ERROR, AdditionalSense.WRITE_ERROR, information=lba)


def miscompare(offset: int) -> Sense:
    """The medium differs from the data sent, first at this byte of the data."""
    code = AdditionalSense.MISCOMPARE_DURING_VERIFY_OPERATION
    return Sense(SenseKey.MISCOMPARE, code, information=offset)
