"""Command descriptor blocks (SPC-4 section 4.2).

A layout names the fields that a command has. Any other bit is reserved, and a reserved bit that
is set is refused; of the CONTROL byte, NACA is taken in every command (SAM-5 section 5.2). From
the same layout comes the CDB usage data of REPORT SUPPORTED OPERATION CODES.

Two kinds of field are there and make no difference. Protection information and the like must not
be asked for: only zero is taken. A group number (SBC-3 section 4.22), or what a block's protection
information is expected to be, may be said and is passed over: usage data shows no bit of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.complaints import invalid_field
from trioscsi.scsi.layout import Field, Layout, bits, span
from trioscsi.scsi.plan import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

Bytes = bytes | bytearray | memoryview

WIRE_LENGTH = 16
"""What a transport hands over at least, whatever the command."""

ADDITIONAL_CDB_LENGTH = "additional_cdb_length"

_NACA = 0x04

_VARIABLE_LENGTH, _PERSISTENT_RESERVE_OUT, _PREEMPT_AND_ABORT = 0x7F, 0x5F, 0x05

_LENGTHS = (6, 10, 10, None, 16, 12, None, None)


@attrs.frozen
class CdbLayout:
    """The fields of one command: in those of ``zero`` only zero is taken, in ``ignored`` all."""

    record: Layout
    zero: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    _naca: int = attrs.field(init=False, repr=False)
    _reserved: int = attrs.field(init=False, repr=False)
    _refused: Mapping[str, int] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        record = self.record
        everything = (1 << (record.length - 1) * 8) - 1
        control = 1 if ADDITIONAL_CDB_LENGTH in record.fields else record.length - 1
        naca = _NACA << (record.length - control - 1) * 8
        object.__setattr__(self, "_naca", naca)
        object.__setattr__(self, "_reserved", everything & ~record.mask(*record.fields) & ~naca)
        object.__setattr__(self, "_refused", {name: record.mask(name) for name in self.zero})

    @property
    def length(self) -> int:
        """The length of the CDB in bytes."""
        return self.record.length

    def usage(self, opcode: int, service_action: int | None) -> bytes:
        """The bits that we look at; the opcode, service action and length as they are."""
        shown = {}
        if service_action is not None:
            shown["service_action"] = service_action
        if ADDITIONAL_CDB_LENGTH in self.record.fields:
            shown[ADDITIONAL_CDB_LENGTH] = self.length - 8
        names = self.record.fields.keys() - self.zero - self.ignored - shown.keys()
        mask = (
            self._naca
            | self.record.mask(*names)
            | int.from_bytes(self.record.encode(**shown), "big")
        )
        return (mask | opcode << (self.length - 1) * 8).to_bytes(self.length, "big")

    def check(self, cdb: Bytes) -> None:
        """Raise Refusal for the first bit set that must not be, in the order of the CDB."""
        number = int.from_bytes(cdb[: self.length], "big")
        bad = number & self._reserved
        for name, mask in self._refused.items():
            if number & mask:  # a field is pointed at by its first bit, not by the bit set
                bad |= 1 << self.record.mask(name).bit_length() - 1
        if bad:
            position = self.length * 8 - bad.bit_length()
            raise Refusal(invalid_field(position // 8, 7 - position % 8))

    def refusal(self, name: str) -> Refusal:
        """What to raise for a value that we do not take in this field."""
        field = self.record.fields[name]
        return Refusal(invalid_field(field.byte, field.bit))

    def decode(self, cdb: Bytes) -> Cdb:
        """The fields. Raises Refusal for what ``check`` finds."""
        self.check(cdb)
        return Cdb(self, self.record.decode(cdb))


@attrs.define
class Cdb:
    """One command's fields, by name."""

    layout: CdbLayout
    values: dict[str, int]

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def refusal(self, name: str) -> Refusal:
        """What to raise for a value that we do not take in this field."""
        return self.layout.refusal(name)


def cdb_layout(
    length: int,
    zero: Mapping[str, Field] | None = None,
    ignored: Mapping[str, Field] | None = None,
    /,
    **fields: Field,
) -> CdbLayout:
    """A CDB of ``length`` bytes with these fields.

    In those of ``zero`` only zero is taken; what is in those of ``ignored`` makes no difference.
    """
    zero, ignored = zero or {}, ignored or {}
    record = Layout(length, {**zero, **ignored, **fields})
    return CdbLayout(record, frozenset(zero), frozenset(ignored))


def cdb_layout_32(
    zero: Mapping[str, Field], ignored: Mapping[str, Field] | None = None, /, **fields: Field
) -> CdbLayout:
    """A CDB of 32 bytes, which all begin alike (SPC-4 section 4.2): CONTROL is the second byte."""
    return cdb_layout(
        32,
        zero,
        {"group_number": bits(6, 4, 0), **(ignored or {})},
        service_action=span(8, 9),
        **{ADDITIONAL_CDB_LENGTH: span(7)},
        **fields,
    )


def naca(cdb: Bytes) -> bool:
    """Whether a command that fails leaves an auto contingent allegiance (SAM-5 section 5.9).

    Where CONTROL is in a vendor's CDB is not known; there, it does not.
    """
    length = 2 if cdb[0] == _VARIABLE_LENGTH else _LENGTHS[cdb[0] >> 5]
    return length is not None and bool(cdb[length - 1] & _NACA)


def is_preempt_and_abort(cdb: Bytes) -> bool:
    """Whether this is the command that every initiator may give in spite of an allegiance."""
    return cdb[0] == _PERSISTENT_RESERVE_OUT and cdb[1] & 0x1F == _PREEMPT_AND_ABORT


def whole(cdb: Bytes) -> bytes:
    """A CDB shorter than ``WIRE_LENGTH``, filled up with zeros as a transport does.

    Raises Refusal if it is shorter than the group of its opcode says (SPC-4 section 4.2).
    """
    length = _LENGTHS[cdb[0] >> 5] if cdb else 1
    if length is not None and len(cdb) < length:
        raise Refusal(invalid_field(len(cdb)))
    return bytes(cdb).ljust(WIRE_LENGTH, b"\0")
