"""READ BUFFER and WRITE BUFFER (SPC-4 section 6).

There is a data buffer for each unit, an echo buffer for each nexus, and the error history. There is
no microcode to replace.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import COMMAND_SEQUENCE_ERROR, PARAMETER_LIST_LENGTH_ERROR
from trioscsi.scsi.layout import Field, bits, layout, span
from trioscsi.scsi.plan import Done, Receive, Refusal, Reply
from trioscsi.scsi.upkeep.history import History

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

DESCRIPTOR = layout(4, offset_boundary=span(0), buffer_capacity=span(1, 3))
ECHO_DESCRIPTOR = layout(4, ebos=bits(0, 0), buffer_capacity=Field(2, 4, 13))

DATA_CAPACITY = 65_536
ECHO_CAPACITY = 4096
"""The most that an echo buffer may hold (SPC-4 section 6)."""
_DATA_BUFFER = 0x00
_RELEASE = 0xFF


class Mode(enum.IntEnum):
    """The modes that are supported."""

    DATA = 0x02
    DESCRIPTOR = 0x03
    ECHO = 0x0A
    ECHO_DESCRIPTOR = 0x0B
    ERROR_HISTORY = 0x1C


@attrs.define
class Buffers:
    """The buffers of one unit. That for data is made when something is first written to it."""

    data: bytearray = attrs.field(factory=bytearray)
    echoes: dict[Nexus, bytes] = attrs.field(factory=dict)

    def write(self, offset: int, data: bytes) -> None:
        """Put ``data`` into the data buffer."""
        self.data = self.data or bytearray(DATA_CAPACITY)
        self.data[offset : offset + len(data)] = data

    def read(self, offset: int, length: int) -> bytes:
        """What is in the data buffer: zeroes at first."""
        end = min(offset + length, DATA_CAPACITY)
        return bytes(self.data[offset:end]) if self.data else bytes(end - offset)

    def forget(self, nexus: Nexus) -> None:
        """A nexus is lost."""
        self.echoes.pop(nexus, None)

    def reset(self) -> None:
        """Nothing is left of what was written."""
        self.data = bytearray()
        self.echoes.clear()


@decoded
def read_buffer(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """READ BUFFER(10) and (16)."""
    length = cdb["allocation_length"]
    match cdb["mode"]:
        case Mode.DATA:
            _check_offset(cdb, DATA_CAPACITY)
            return Reply(unit.buffers.read(cdb["buffer_offset"], length))
        case Mode.DESCRIPTOR:
            known = cdb["buffer_id"] == _DATA_BUFFER
            data = DESCRIPTOR.encode(buffer_capacity=DATA_CAPACITY if known else 0)
        case Mode.ECHO:
            data = _echo(unit, nexus)
        case Mode.ECHO_DESCRIPTOR:
            data = ECHO_DESCRIPTOR.encode(ebos=1, buffer_capacity=ECHO_CAPACITY)
        case Mode.ERROR_HISTORY:
            data = _error_history(unit, cdb, nexus)
        case _:
            raise cdb.refusal("mode")
    return Reply(data[:length])


def _check_offset(cdb: Cdb, capacity: int) -> None:
    if cdb["buffer_id"] != _DATA_BUFFER:
        raise cdb.refusal("buffer_id")
    if cdb["buffer_offset"] > capacity:
        raise cdb.refusal("buffer_offset")


def _echo(unit: LogicalUnit, nexus: Nexus) -> bytes:
    echo = unit.buffers.echoes.get(nexus)
    if echo is None:
        raise Refusal(COMMAND_SEQUENCE_ERROR)
    return echo


def _error_history(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> bytes:
    """The buffers of the error history (SPC-4 section 5.6)."""
    buffer, offset, history = cdb["buffer_id"], cdb["buffer_offset"], unit.history
    match buffer:
        case 0x00 | 0x01 | 0x02 | 0x03:
            if offset:
                raise cdb.refusal("buffer_offset")
            fresh, take_over = buffer & 1 != 0, buffer & 2 != 0
            return history.directory(unit.vendor, nexus, fresh=fresh, take_over=take_over)
        case History.LINES:
            data = history.read(nexus)
            if offset > len(data):
                raise cdb.refusal("buffer_offset")
            return data[offset:]
        case 0xFE | 0xFF:
            history.release(nexus, snapshot=buffer == _RELEASE)
            return b""
        case _:
            raise cdb.refusal("buffer_id")


@decoded
def write_buffer(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """WRITE BUFFER."""
    length, offset = cdb["parameter_list_length"], cdb["buffer_offset"]
    match cdb["mode"]:
        case Mode.DATA:
            _check_offset(cdb, DATA_CAPACITY)
            room = DATA_CAPACITY - offset
        case Mode.ECHO:
            room = ECHO_CAPACITY
        case _:
            raise cdb.refusal("mode")
    if length > room:
        raise cdb.refusal("parameter_list_length")

    def then(data: bytes) -> Plan:
        if len(data) < length:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        if cdb["mode"] == Mode.ECHO:
            unit.buffers.echoes[nexus] = data
        else:
            unit.buffers.write(offset, data)
        return Done()

    return Receive(length, then) if length else Done()


_SPECIFIC, _MODE = {"mode_specific": bits(1, 7, 5)}, bits(1, 4, 0)

READ_BUFFER_10 = cdb_layout(
    10,
    _SPECIFIC,
    mode=_MODE,
    buffer_id=span(2),
    buffer_offset=span(3, 5),
    allocation_length=span(6, 8),
)
READ_BUFFER_16 = cdb_layout(
    16,
    _SPECIFIC,
    mode=_MODE,
    buffer_offset=span(2, 9),
    allocation_length=span(10, 13),
    buffer_id=span(14),
)
WRITE_BUFFER = cdb_layout(
    10,
    _SPECIFIC,
    mode=_MODE,
    buffer_id=span(2),
    buffer_offset=span(3, 5),
    parameter_list_length=span(6, 8),
)

COMMANDS = (
    Command(0x3B, "WRITE BUFFER", WRITE_BUFFER, write_buffer, access=Access.WRITE),
    Command(0x3C, "READ BUFFER(10)", READ_BUFFER_10, read_buffer, access=Access.READ),
    Command(0x9B, "READ BUFFER(16)", READ_BUFFER_16, read_buffer, access=Access.READ),
)
