"""SCSI within iSCSI: a CDB and sense data in words, from the tables of the device server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import attrs

from trioscsi.scsi import AdditionalSense, SenseKey
from trioscsi.scsi.cdb import whole
from trioscsi.scsi.command import Command
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.plan import Failed, Refusal
from trioscsi.scsi.sense import FIXED

_FIXED, _DESCRIPTORS = {0x70, 0x71}, {0x72, 0x73}
_DEFERRED = {0x71, 0x73}
_WIRE = 32
_DESCRIPTOR_NAMES = {
    0x00: "information",
    0x01: "command-specific information",
    0x02: "sense key specific",
    0x03: "field replaceable unit",
    0x05: "block commands",
    0x09: "ATA status return",
    0x0B: "user data segment referral",
    0x0C: "forwarded sense data",
}


@attrs.frozen
class ExplainedCdb:
    """A command: its name, its fields with their values, and what is wrong with it."""

    name: str
    fields: tuple[tuple[str, str], ...]
    wrong: tuple[str, ...]


def command_of(cdb: bytes) -> Command | None:
    """The command of a disk that a CDB asks for, if it is one."""
    if not cdb:
        return None
    return DISK.find(cdb.ljust(_WIRE, b"\0"))


def explain_cdb(cdb: bytes) -> ExplainedCdb:
    """Explain a CDB by the table of a disk's commands."""
    command = command_of(cdb)
    if command is None:
        opcode = f"{cdb[0]:02X}h" if cdb else "none"
        return ExplainedCdb(f"operation code {opcode}", (), ("no command of a disk",))
    try:
        data = bytes(whole(cdb))
    except Refusal:
        data = cdb
    layout = command.layout
    wrong = []
    if len(data) < layout.length:
        wrong.append(f"the CDB ends after {len(data)} of {layout.length} bytes")
    padded = data.ljust(layout.length, b"\0")
    try:
        layout.check(padded)
    except Refusal as refusal:
        wrong.append(f"{_where(refusal)} is set and must not be")
    values = layout.record.decode(padded)
    fields = tuple((name.replace("_", " "), _number(value)) for name, value in values.items())
    return ExplainedCdb(command.name, fields, tuple(wrong))


def _where(refusal: Refusal) -> str:
    """The bit that was refused."""
    assert isinstance(refusal.plan, Failed), "a field was refused"
    pointer = refusal.plan.sense.field_pointer
    assert pointer is not None, "it is pointed at"
    return f"bit {pointer.bit} of byte {pointer.byte}"


def sense_key(sense: bytes) -> int:
    """The sense key of sense data in either format; 0 if they are in none."""
    code = sense[0] & 0x7F if sense else 0
    place = {**dict.fromkeys(_FIXED, 2), **dict.fromkeys(_DESCRIPTORS, 1)}.get(code)
    return sense[place] & 0x0F if place is not None and len(sense) > place else 0


def pointed_at(cdb: bytes, sense: bytes) -> str:
    """The field of a CDB that sense data point at, with its place; empty if they do not."""
    command, pointer = command_of(cdb), _pointer(sense)
    if command is None or pointer is None:
        return ""
    byte, bit = pointer
    place = byte * 8 + 7 - bit
    for name, field in command.layout.record.fields.items():
        if 0 <= place - (field.byte * 8 + 7 - field.bit) < field.width:
            return f"{name.replace('_', ' ')}, byte {byte}"
    return f"byte {byte}"


def marked(cdb: bytes, sense: bytes) -> Iterator[str]:
    """The bytes of a CDB, with a mark below the one that sense data point at, if they do."""
    command, pointer = command_of(cdb), _pointer(sense)
    if command is not None and pointer is not None and pointer[0] < len(cdb):
        yield cdb[: command.layout.length].hex(" ")
        yield " " * 3 * pointer[0] + "^^"


def _pointer(sense: bytes) -> tuple[int, int] | None:
    """Byte and bit of a CDB that sense data point at (SPC-4 section 4.5.2.4.2)."""
    specific = b""
    if len(sense) > 17 and sense[0] & 0x7F in _FIXED:
        specific = sense[15:18]
    elif sense[:1] and sense[0] & 0x7F in _DESCRIPTORS:
        specific = next((body[2:5] for kind, body in _pieces(sense) if kind == 0x02), b"")
    if len(specific) < 3 or specific[0] & 0xC0 != 0xC0:
        return None
    return int.from_bytes(specific[1:3]), specific[0] & 7 if specific[0] & 8 else 7


def _number(value: int) -> str:
    return str(value) if value < 10 else f"{value} (0x{value:x})"


def explain_sense(data: bytes) -> Iterator[tuple[str, str]]:
    """Sense data as names and values (SPC-4 section 4.5), as far as they go."""
    code = data[0] & 0x7F if data else 0
    if code in _FIXED:
        yield from _fixed(data)
    elif code in _DESCRIPTORS and len(data) >= 4:
        yield "format", "descriptor" + (", deferred" if code in _DEFERRED else "")
        yield from _key_and_code(data[1] & 0x0F, data[2] << 8 | data[3])
        yield from _descriptors(data)
    else:
        yield "sense data", f"in no format that is known: {data[:8].hex(' ')}"


def _fixed(data: bytes) -> Iterator[tuple[str, str]]:
    values = FIXED.decode(data.ljust(FIXED.length, b"\0"))
    deferred = ", deferred" if values["response_code"] in _DEFERRED else ""
    yield "format", f"fixed{deferred}"
    yield from _key_and_code(values["sense_key"], values["additional_sense"])
    if values["valid"]:
        yield "information", _number(values["information"])
    if values["command_specific_information"]:
        yield "command-specific information", _number(values["command_specific_information"])
    if values["ili"]:
        yield "incorrect length", "another number of bytes than asked for"
    yield from _specific(values["sense_key"], values["sense_key_specific"].to_bytes(3, "big"))


def _key_and_code(key: int, code: int) -> Iterator[tuple[str, str]]:
    name = "reserved"
    with suppress(ValueError):
        name = SenseKey(key).name
    yield "sense key", f"{key:X}h {name}"
    name = ""
    with suppress(ValueError):
        name = " " + AdditionalSense(code).name
    yield "additional sense code", f"{code >> 8:02X}h/{code & 0xFF:02X}h{name}"


def _specific(key: int, data: bytes) -> Iterator[tuple[str, str]]:
    if len(data) < 3 or not data[0] & 0x80:
        return
    number = int.from_bytes(data[1:3], "big")
    if key == SenseKey.ILLEGAL_REQUEST:
        where = "the CDB" if data[0] & 0x40 else "the parameter list"
        bit = f", bit {data[0] & 7}" if data[0] & 8 else ""
        yield "field pointer", f"byte {number}{bit} of {where}"
    elif key in (SenseKey.NO_SENSE, SenseKey.NOT_READY):
        yield "progress", f"{number * 100 / 65536:.1f} %"
    else:
        yield "sense key specific", data.hex(" ")


def _descriptors(data: bytes) -> Iterator[tuple[str, str]]:
    for kind, body in _pieces(data):
        if kind == 0x02:
            yield from _specific(data[1] & 0x0F, body[2:5])
        else:
            yield _DESCRIPTOR_NAMES.get(kind, f"descriptor {kind:02X}h"), body.hex(" ")


def _pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The descriptors of sense data: the type and what follows the length."""
    at, end = 8, min(len(data), 8 + (data[7] if len(data) > 7 else 0))
    while at + 2 <= end:
        kind, length = data[at], data[at + 1]
        yield kind, data[at + 2 : at + 2 + length]
        at += 2 + length
