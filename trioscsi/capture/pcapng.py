"""The blocks of a pcapng file: a section header, interfaces, packets with comments, statistics.

The format is that of draft-ietf-opsawg-pcapng.  Everything is little-endian; a block is padded to
whole words and has its length in front and behind, so that files can be read in both directions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

SECTION_HEADER = 0x0A0D0D0A
INTERFACE = 0x00000001
SIMPLE_PACKET = 0x00000003
STATISTICS = 0x00000005
PACKET = 0x00000006

BYTE_ORDER = 0x1A2B3C4D
LINKTYPE_RAW = 101
"""The link type of packets that begin with their IP header, of version 4 or 6."""

COMMENT = 1
"""An option of all blocks; those below belong to one kind of block each."""
_APPLICATION = 4
_NAME, _DESCRIPTION = 2, 3
TIME_RESOLUTION = 9
_FLAGS = 2
_RECEIVED, _DROPPED = 4, 5

_NANOSECONDS = 9
_MOST_COMMENT = 4096
"""Bytes of one comment."""

_HEADER = struct.Struct("<II")
_PACKET = struct.Struct("<IIIII")
_OPTION = struct.Struct("<HH")
_SECTION = struct.Struct("<IHHq")
_WORD = struct.Struct("<I")


def section_header(comment: str, application: str) -> bytes:
    """What a file begins with."""
    options = [(COMMENT, comment.encode()), (_APPLICATION, application.encode())]
    return _block(SECTION_HEADER, _SECTION.pack(BYTE_ORDER, 1, 0, -1) + _options(options))


def interface(name: str, description: str) -> bytes:
    """An interface; they are counted from 0, in the order of the file."""
    options = [
        (_NAME, name.encode()),
        (_DESCRIPTION, description.encode()),
        (TIME_RESOLUTION, bytes((_NANOSECONDS,))),
    ]
    return _block(INTERFACE, struct.pack("<HHI", LINKTYPE_RAW, 0, 0) + _options(options))


def packet(
    interface: int,
    time: int,
    headers: bytes,
    payload: bytes | memoryview,
    *,
    inbound: bool,
    comments: Iterable[str] = (),
) -> list[bytes | memoryview]:
    """A packet at a time in nanoseconds, as the pieces of its block; the payload is not copied."""
    length = len(headers) + len(payload)
    options: list[tuple[int, bytes]] = [(COMMENT, shortened(text).encode()) for text in comments]
    options.append((_FLAGS, _WORD.pack(1 if inbound else 2)))
    tail = bytes(-length & 3) + _options(options)
    total = 12 + _PACKET.size + length + len(tail)
    head = _HEADER.pack(PACKET, total) + _PACKET.pack(
        interface, time >> 32, time & 0xFFFFFFFF, length, length
    )
    return [head + headers, payload, tail + _WORD.pack(total)]


def statistics(interface: int, time: int, received: int, dropped: int) -> bytes:
    """How many packets an interface has seen, and how many of them are not in the file."""
    options = [(_RECEIVED, struct.pack("<Q", received)), (_DROPPED, struct.pack("<Q", dropped))]
    body = struct.pack("<III", interface, time >> 32, time & 0xFFFFFFFF) + _options(options)
    return _block(STATISTICS, body)


def shortened(comment: str) -> str:
    """A comment that fits: a peer says what is in some of them."""
    if len(comment.encode()) <= _MOST_COMMENT:
        return comment
    return comment.encode()[: _MOST_COMMENT - 3].decode(errors="ignore") + "..."


def _options(options: Sequence[tuple[int, bytes]]) -> bytes:
    parts = []
    for code, value in options:
        parts += [_OPTION.pack(code, len(value)), value, bytes(-len(value) & 3)]
    return b"".join(parts) + _OPTION.pack(0, 0)


def _block(kind: int, body: bytes) -> bytes:
    total = _WORD.pack(12 + len(body))
    return _WORD.pack(kind) + total + body + total
