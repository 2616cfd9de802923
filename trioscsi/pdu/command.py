"""SCSI Command and SCSI Response (RFC 7143 sections 11.3 and 11.4, RFC 7144 section 5)."""

from __future__ import annotations

from typing import ClassVar

from trioscsi.pdu import header, sense
from trioscsi.pdu.codes import Opcode
from trioscsi.pdu.compiler import pdu
from trioscsi.pdu.layout import (
    Buffer,
    Pdu,
    Place,
    bit,
    bits,
    in_ahs,
    octets,
    ones,
    segment,
    u8,
    u16,
    u32,
    u64,
)

_CDB_IN_BHS = 16


@pdu(Opcode.SCSI_COMMAND, section="11.3")
class ScsiCommand(Pdu):
    """Carries a CDB, and perhaps the first of the data that the command writes.

    ``cdb`` is padded with zeroes to 16 bytes on the wire; what goes beyond 16 travels in an
    additional header segment, as does ``bidirectional_read_length``. ``attributes`` is a
    TaskAttribute.
    """

    immediate: bool = bit(0, 1, default=False)
    final: bool = bit(1, 0, default=True)
    read: bool = bit(1, 1, default=False)
    write: bool = bit(1, 2, default=False)
    attributes: int = bits(1, 5, 3, default=0)
    priority: int = bits(2, 0, 4, default=0)
    lun: int = u64(8, default=0)
    itt: int = u32(16, default=0)
    expected_data_transfer_length: int = u32(20, default=0)
    cmd_sn: int = u32(24, default=0)
    exp_stat_sn: int = u32(28, default=0)
    cdb: bytes = octets(32, _CDB_IN_BHS, default=bytes(_CDB_IN_BHS))
    bidirectional_read_length: int | None = in_ahs(default=None)
    data: Buffer = segment("immediate data", default=b"")

    def pack_ahs(self) -> bytes:
        if len(self.cdb) <= _CDB_IN_BHS and self.bidirectional_read_length is None:
            return b""
        return header.pack_ahs(self.cdb[_CDB_IN_BHS:], self.bidirectional_read_length)

    def unpack_ahs(self, ahs: Buffer) -> None:
        cdb_rest, self.bidirectional_read_length = header.unpack_ahs(ahs)
        self.cdb += cdb_rest


@pdu(Opcode.SCSI_RESPONSE, section="11.4")
class ScsiResponse(Pdu):
    """How a command ended; ``response`` is a ScsiResult, ``status`` the SCSI status."""

    printed_one: ClassVar[Place] = ones(1, 0)
    bidirectional_overflow: bool = bit(1, 3, default=False)
    bidirectional_underflow: bool = bit(1, 4, default=False)
    overflow: bool = bit(1, 5, default=False)
    underflow: bool = bit(1, 6, default=False)
    response: int = u8(2, default=0)
    status: int = u8(3, default=0)
    status_qualifier: int = u16(8, default=0)
    itt: int = u32(16, default=0)
    snack_tag: int = u32(20, default=0)
    stat_sn: int = u32(24, default=0)
    exp_cmd_sn: int = u32(28, default=0)
    max_cmd_sn: int = u32(32, default=0)
    exp_data_sn: int = u32(36, default=0)
    bidirectional_residual_count: int = u32(40, default=0)
    residual_count: int = u32(44, default=0)
    data: Buffer = segment("sense and response data: see trioscsi.pdu.sense", default=b"")

    @property
    def sense(self) -> Buffer:
        """The sense data; raises PeerError if their length is wrong (section 11.4.7)."""
        return sense.split(self.data)[0]
