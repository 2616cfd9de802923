"""The SCSI commands that an initiator has use for, as CDBs (SPC-4, SBC-3)."""

from __future__ import annotations

from trioscsi.errors import UsageError

TEST_UNIT_READY = bytes(6)
REQUEST_SENSE = bytes([0x03, 0, 0, 0, 252, 0])


def inquiry(page: int | None = None, length: int = 1024) -> bytes:
    """INQUIRY, of a VPD page if one is given."""
    evpd, code = (0, 0) if page is None else (1, page)
    return bytes([0x12, evpd, code]) + length.to_bytes(2) + b"\0"


def read_capacity_10() -> bytes:
    return b"\x25" + bytes(9)


def read_capacity_16(length: int = 32) -> bytes:
    return b"\x9e\x10" + bytes(8) + length.to_bytes(4) + bytes(2)


def report_luns(length: int = 65_536) -> bytes:
    return b"\xa0\0\0\0\0\0" + length.to_bytes(4) + bytes(2)


def report_supported_operation_codes(length: int = 65_536) -> bytes:
    return b"\xa3\x0c\0\0\0\0" + length.to_bytes(4) + bytes(2)


def read(lba: int, blocks: int) -> bytes:
    """READ (10) where it reaches, and else READ (16)."""
    return _transfer(0x28, 0x88, lba, blocks)


def write(lba: int, blocks: int) -> bytes:
    """WRITE (10) where it reaches, and else WRITE (16)."""
    return _transfer(0x2A, 0x8A, lba, blocks)


def _transfer(short: int, long: int, lba: int, blocks: int) -> bytes:
    if not (0 <= lba < 2**64 and 0 <= blocks < 2**32):
        raise UsageError(f"no {blocks} blocks from block {lba} can be asked for")
    if lba < 2**32 and blocks < 2**16:
        return bytes([short, 0]) + lba.to_bytes(4) + b"\0" + blocks.to_bytes(2) + b"\0"
    return bytes([long, 0]) + lba.to_bytes(8) + blocks.to_bytes(4) + bytes(2)
