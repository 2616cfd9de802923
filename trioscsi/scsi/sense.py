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
    EXTENDED_COPY_INFORMATION_AVAILABLE = 0x0020
    LOGICAL_UNIT_NOT_READY_INITIALIZING_COMMAND_REQUIRED = 0x0402
    LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS = 0x0404
    LOGICAL_UNIT_NOT_READY_SELF_TEST_IN_PROGRESS = 0x0409
    LOGICAL_UNIT_NOT_ACCESSIBLE_ASYMMETRIC_ACCESS_STATE_TRANSITION = 0x040A
    LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_STANDBY_STATE = 0x040B
    LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_UNAVAILABLE_STATE = 0x040C
    LOGICAL_UNIT_NOT_READY_SANITIZE_IN_PROGRESS = 0x041B
    UNREACHABLE_COPY_TARGET = 0x0804
    WRITE_ERROR = 0x0C00
    WRITE_ERROR_UNEXPECTED_UNSOLICITED_DATA = 0x0C0C
    WRITE_ERROR_NOT_ENOUGH_UNSOLICITED_DATA = 0x0C0D
    THIRD_PARTY_DEVICE_FAILURE = 0x0D01
    COPY_TARGET_DEVICE_NOT_REACHABLE = 0x0D02
    INCORRECT_COPY_TARGET_DEVICE_TYPE = 0x0D03
    INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT = 0x0E03
    UNRECOVERED_READ_ERROR = 0x1100
    READ_ERROR_FAILED_RETRANSMISSION_REQUEST = 0x1113
    PARAMETER_LIST_LENGTH_ERROR = 0x1A00
    MISCOMPARE_DURING_VERIFY_OPERATION = 0x1D00
    INVALID_COMMAND_OPERATION_CODE = 0x2000
    LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE = 0x2100
    INVALID_TOKEN_OPERATION_UNSUPPORTED_TOKEN_TYPE = 0x2301
    INVALID_TOKEN_OPERATION_TOKEN_UNKNOWN = 0x2304
    INVALID_TOKEN_OPERATION_TOKEN_REVOKED = 0x2306
    INVALID_TOKEN_OPERATION_TOKEN_EXPIRED = 0x2307
    INVALID_TOKEN_OPERATION_TOKEN_DELETED = 0x2309
    INVALID_TOKEN_OPERATION_INVALID_TOKEN_LENGTH = 0x230A
    INVALID_FIELD_IN_CDB = 0x2400
    LOGICAL_UNIT_NOT_SUPPORTED = 0x2500
    INVALID_FIELD_IN_PARAMETER_LIST = 0x2600
    INVALID_RELEASE_OF_PERSISTENT_RESERVATION = 0x2604
    TOO_MANY_TARGET_DESCRIPTORS = 0x2606
    UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE = 0x2607
    TOO_MANY_SEGMENT_DESCRIPTORS = 0x2608
    UNSUPPORTED_SEGMENT_DESCRIPTOR_TYPE_CODE = 0x2609
    UNEXPECTED_INEXACT_SEGMENT = 0x260A
    INLINE_DATA_LENGTH_EXCEEDED = 0x260B
    WRITE_PROTECTED = 0x2700
    SPACE_ALLOCATION_FAILED_WRITE_PROTECT = 0x2707
    NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED = 0x2800
    POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED = 0x2900
    BUS_DEVICE_RESET_FUNCTION_OCCURRED = 0x2903
    I_T_NEXUS_LOSS_OCCURRED = 0x2907
    MODE_PARAMETERS_CHANGED = 0x2A01
    LOG_PARAMETERS_CHANGED = 0x2A02
    RESERVATIONS_PREEMPTED = 0x2A03
    RESERVATIONS_RELEASED = 0x2A04
    REGISTRATIONS_PREEMPTED = 0x2A05
    ASYMMETRIC_ACCESS_STATE_CHANGED = 0x2A06
    IMPLICIT_ASYMMETRIC_ACCESS_STATE_TRANSITION_FAILED = 0x2A07
    CAPACITY_DATA_HAS_CHANGED = 0x2A09
    TIMESTAMP_CHANGED = 0x2A10
    COMMAND_SEQUENCE_ERROR = 0x2C00
    PREVIOUS_BUSY_STATUS = 0x2C07
    PREVIOUS_TASK_SET_FULL_STATUS = 0x2C08
    PREVIOUS_RESERVATION_CONFLICT_STATUS = 0x2C09
    COMMANDS_CLEARED_BY_ANOTHER_INITIATOR = 0x2F00
    MEDIUM_FORMAT_CORRUPTED = 0x3100
    FORMAT_COMMAND_FAILED = 0x3101
    SANITIZE_COMMAND_FAILED = 0x3103
    THIN_PROVISIONING_SOFT_THRESHOLD_REACHED = 0x3807
    SAVING_PARAMETERS_NOT_SUPPORTED = 0x3900
    MEDIUM_NOT_PRESENT_TRAY_OPEN = 0x3A02
    LOGICAL_UNIT_FAILED_SELF_TEST = 0x3E03
    DEVICE_IDENTIFIER_CHANGED = 0x3F05
    REPORTED_LUNS_DATA_HAS_CHANGED = 0x3F0E
    INTERNAL_TARGET_FAILURE = 0x4400
    PERSISTENT_RESERVATION_INFORMATION_LOST = 0x4401
    PROTOCOL_SERVICE_CRC_ERROR = 0x4705
    SOME_COMMANDS_CLEARED_BY_ISCSI_PROTOCOL_EVENT = 0x477F
    INVALID_MESSAGE_ERROR = 0x4900
    MEDIUM_REMOVAL_PREVENTED = 0x5302
    INSUFFICIENT_RESOURCES = 0x5503
    INSUFFICIENT_REGISTRATION_RESOURCES = 0x5504
    INSUFFICIENT_RESOURCES_TO_CREATE_ROD_TOKEN = 0x550D
    FAILURE_PREDICTION_THRESHOLD_EXCEEDED_FALSE = 0x5DFF
    IDLE_CONDITION_ACTIVATED_BY_COMMAND = 0x5E03
    STANDBY_CONDITION_ACTIVATED_BY_COMMAND = 0x5E04
    IDLE_B_CONDITION_ACTIVATED_BY_COMMAND = 0x5E06
    IDLE_C_CONDITION_ACTIVATED_BY_COMMAND = 0x5E08
    STANDBY_Y_CONDITION_ACTIVATED_BY_COMMAND = 0x5E0A


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


@attrs.frozen
class Progress:
    """How far an operation has come, in 65536ths: for NO SENSE and NOT READY."""

    done: int

    def encode(self) -> bytes:
        """The three sense key specific bytes."""
        return bytes((0x80, *self.done.to_bytes(2, "big")))


@attrs.frozen
class RetryCount:
    """How often it was tried again: for HARDWARE, MEDIUM and RECOVERED ERROR."""

    retries: int

    def encode(self) -> bytes:
        """The three sense key specific bytes."""
        return bytes((0x80, *self.retries.to_bytes(2, "big")))


@attrs.frozen
class Overflow:
    """More unit attentions were established than were kept: for UNIT ATTENTION."""

    def encode(self) -> bytes:
        """The three sense key specific bytes."""
        return bytes((0x81, 0, 0))


Specific = FieldPointer | Progress | RetryCount | Overflow


@attrs.frozen
class Forwarded:
    """How a command ended that a copy manager gave to a copy source, or to a destination.

    The status, and the sense data if there are any (SPC-4 section 4.5).
    """

    destination: bool
    status: int
    sense: Sense | None = None

    def encode(self) -> bytes:
        """The status and the sense data, in fixed format."""
        return bytes((self.status,)) + (b"" if self.sense is None else self.sense.encode())


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
# Response codes; deferred errors have the next one.
_FIXED, _DESCRIPTORS = 0x70, 0x72
# Descriptor types and additional lengths.
_INFORMATION, _COMMAND_SPECIFIC, _SENSE_KEY_SPECIFIC = b"\x00\x0a", b"\x01\x0a", b"\x02\x06"
_FIELD_REPLACEABLE_UNIT, _BLOCK_COMMANDS = b"\x03\x02", b"\x05\x02"
_ILI = 0x20
_FORWARDED, _COPY_SOURCE, _COPY_DESTINATION = 0x0C, 1, 2


@attrs.frozen
class Sense:
    """Sense data (SPC-4 section 4.5).

    ``code`` is an additional sense code and qualifier, one of ``AdditionalSense`` in all that we
    send. ``information`` is what the key and code say it is: a block address for most, a byte
    offset for a miscompare (SBC-3 section 4); ``command_specific`` is what the command says.
    ``specific`` is what belongs to the key. ``ili``: another number of bytes than asked for.
    ``unit_code`` is the part to replace. ``deferred``: it is about an earlier command.
    ``forwarded`` is why a third-party copy was aborted, and ``command_specific`` the number of its
    segment then.
    """

    key: SenseKey
    code: int = AdditionalSense.NO_ADDITIONAL_SENSE_INFORMATION
    information: int | None = None
    specific: Specific | None = None
    command_specific: int | None = attrs.field(default=None, kw_only=True)
    ili: bool = attrs.field(default=False, kw_only=True)
    unit_code: int = attrs.field(default=0, kw_only=True)
    deferred: bool = attrs.field(default=False, kw_only=True)
    forwarded: Forwarded | None = attrs.field(default=None, kw_only=True)

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

    @property
    def field_pointer(self) -> FieldPointer | None:
        """The field that was refused, if that is what it is about."""
        return self.specific if isinstance(self.specific, FieldPointer) else None

    def encode(self, *, descriptor: bool = False) -> bytes:
        """The bytes, in fixed format (SPC-4 section 4.5.3) or descriptor format (4.5.2)."""
        return self._descriptors() if descriptor else self._fixed()

    def _fixed(self) -> bytes:
        # The fixed format has 32 bits for a 64-bit address: then it is better not to say it.
        valid = self.information is not None and self.information < 2**32
        command_specific = self.command_specific or 0
        specific = b"" if self.specific is None else self.specific.encode()
        more = b""
        if self.forwarded is not None:
            # The first byte says where that of a source begins, the second that of a destination.
            command_specific |= FIXED.length << (16 if self.forwarded.destination else 24)
            more = self.forwarded.encode()
        record = FIXED.encode(
            valid=valid,
            response_code=_FIXED + self.deferred,
            ili=self.ili,
            sense_key=self.key,
            information=(self.information or 0) if valid else 0,
            additional_sense_length=FIXED.length - 8 + len(more),
            command_specific_information=command_specific if command_specific < 2**32 else 0,
            additional_sense=self.code,
            field_replaceable_unit_code=self.unit_code,
            sense_key_specific=int.from_bytes(specific, "big"),
        )
        return record + more

    def _descriptors(self) -> bytes:
        descriptors = b""
        if self.information is not None:
            valid = b"\x80\0"
            descriptors += _INFORMATION + valid + self.information.to_bytes(8, "big")
        if self.command_specific is not None:
            descriptors += _COMMAND_SPECIFIC + bytes(2) + self.command_specific.to_bytes(8, "big")
        if self.specific is not None:
            descriptors += _SENSE_KEY_SPECIFIC + bytes(2) + self.specific.encode() + bytes(1)
        if self.unit_code:
            descriptors += _FIELD_REPLACEABLE_UNIT + bytes((0, self.unit_code))
        if self.ili:
            descriptors += _BLOCK_COMMANDS + bytes((0, _ILI))
        if self.forwarded is not None:
            data = self.forwarded.encode()
            whose = _COPY_DESTINATION if self.forwarded.destination else _COPY_SOURCE
            descriptors += bytes((_FORWARDED, 1 + len(data), whose)) + data
        code = _DESCRIPTORS + self.deferred
        head = bytes((code, self.key, self.asc, self.ascq, 0, 0, 0, len(descriptors)))
        return head + descriptors
