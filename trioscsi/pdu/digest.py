"""CRC32C digests of headers and data (RFC 7143 sections 11.2.3 and 13.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crc32c import crc32c

if TYPE_CHECKING:
    from trioscsi.pdu.layout import Buffer

DIGEST_LENGTH = 4
_RESIDUE = 0x48674BC7
"""The CRC of anything that has its own CRC behind it."""


def digest(first: Buffer, rest: Buffer = b"") -> bytes:
    """The digest word over one or two parts, one after the other, padding included."""
    value = crc32c(first)
    if rest:
        value = crc32c(rest, value)
    # The RFC maps the highest coefficient to the bit that it numbers 7 in the first byte: the
    # bytes of the usual (reflected) CRC register, lowest first.
    return value.to_bytes(DIGEST_LENGTH, "little")


def matches(digested: Buffer) -> bool:
    """Whether the last four bytes are the digest of those before them."""
    return crc32c(digested) == _RESIDUE
