"""Packets out of a capture file: pcapng, or the older pcap.

A file is read from front to back and one block at a time, so that its size does not matter.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

import attrs

from trioscsi.capture import pcapng
from trioscsi.errors import CaptureError

_MOST = 16 * 2**20
"""Bytes of one block or packet: no network has larger ones."""

_NANOSECONDS = 10**9
_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
"""The four magic numbers of pcap: the order of bytes, and how many nanoseconds a tick has."""
_PCAPNG = b"\x0a\x0d\x0d\x0a"

MAGIC_NUMBERS = frozenset({_PCAPNG, *_PCAP})
"""The first four bytes of a capture file."""


class Readable(Protocol):
    """A file, or something that can be read like one."""

    def read(self, length: int, /) -> bytes:
        """So many bytes, or fewer at the end."""


@attrs.frozen
class Packet:
    """One captured packet; ``time`` is in nanoseconds since 1970."""

    time: int
    link_type: int
    data: bytes
    comments: tuple[str, ...] = ()
    interface: str = ""
    """The name of the interface; empty if it has none."""


@attrs.frozen
class _Interface:
    link_type: int
    longest: int
    """Bytes of a packet that are captured at most; 0: all of them."""
    name: str = ""
    ticks: int = 1_000_000
    """In a second."""


def read_capture(file: Readable) -> Iterator[Packet]:
    """The packets of a capture, in the order of the file.

    Raises CaptureError if it is none, or where it cannot be read or understood any more: the
    packets before have been given then.
    """
    magic = _read(file, 4)
    if magic in _PCAP:
        yield from _read_pcap(file, *_PCAP[magic])
    elif magic == _PCAPNG:
        yield from _read_pcapng(file)
    else:
        raise CaptureError("this is no pcap or pcapng file")


def _read_pcap(file: Readable, order: str, nanoseconds: int) -> Iterator[Packet]:
    header = _take(file, 20)
    link_type = struct.unpack_from(order + "I", header, 16)[0] & 0x0FFFFFFF
    record = struct.Struct(order + "IIII")
    while head := _read(file, record.size):
        seconds, ticks, length, _ = record.unpack(_whole(head, record.size))
        time = seconds * _NANOSECONDS + ticks * nanoseconds
        yield Packet(time, link_type, _take(file, length))


def _read_pcapng(file: Readable) -> Iterator[Packet]:
    kind, order = _PCAPNG, "<"
    interfaces: list[_Interface] = []
    while kind:
        length_field = _take(file, 4)
        first = b""
        if kind == _PCAPNG:
            first = _take(file, 4)
            order = _order(first)
            interfaces = []
        (length,) = struct.unpack(order + "I", length_field)
        if length < 12 + len(first) or length % 4:
            raise CaptureError(f"a block of {length} bytes in the capture")
        body = first + _take(file, length - 12 - len(first))
        _take(file, 4)
        (number,) = struct.unpack(order + "I", kind)
        if number == pcapng.INTERFACE:
            interfaces.append(_interface(body, order))
        elif number == pcapng.PACKET:
            yield _packet(body, order, interfaces)
        elif number == pcapng.SIMPLE_PACKET and interfaces:
            (original,) = struct.unpack_from(order + "I", _whole(body, 4))
            known = interfaces[0]
            captured = min(original, known.longest or original)
            yield Packet(0, known.link_type, body[4 : 4 + captured])
        kind = _read(file, 4)


def _order(magic: bytes) -> str:
    for order in "<>":
        if struct.unpack(order + "I", magic)[0] == pcapng.BYTE_ORDER:
            return order
    raise CaptureError("a section of the capture has no order of bytes")


def _interface(body: bytes, order: str) -> _Interface:
    link_type, _, longest = struct.unpack_from(order + "HHI", _whole(body, 8))
    name, ticks = "", 1_000_000
    for code, value in _options(body, 8, order):
        if code == 2:
            name = value.decode(errors="replace")
        elif code == pcapng.TIME_RESOLUTION and value:
            ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** min(value[0], 18)
    return _Interface(link_type, longest, name, ticks)


def _packet(body: bytes, order: str, interfaces: list[_Interface]) -> Packet:
    number, high, low, length, _ = struct.unpack_from(order + "IIIII", _whole(body, 20))
    if number >= len(interfaces) or 20 + length > len(body):
        raise CaptureError("a packet of the capture contradicts itself")
    known = interfaces[number]
    comments = tuple(
        value.decode(errors="replace")
        for code, value in _options(body, 20 + length + (-length & 3), order)
        if code == pcapng.COMMENT
    )
    time = (high << 32 | low) * _NANOSECONDS // known.ticks
    return Packet(time, known.link_type, body[20 : 20 + length], comments, known.name)


def _options(body: bytes, at: int, order: str) -> Iterator[tuple[int, bytes]]:
    """The options of a block, as far as they can be understood."""
    option = struct.Struct(order + "HH")
    while at + 4 <= len(body):
        code, length = option.unpack_from(body, at)
        if not code:
            return
        yield code, body[at + 4 : at + 4 + length]
        at += 4 + length + (-length & 3)


def _take(file: Readable, length: int) -> bytes:
    if length > _MOST:
        raise CaptureError(f"a block of {length} bytes in the capture")
    return _whole(_read(file, length), length)


def _read(file: Readable, length: int) -> bytes:
    try:
        return file.read(length)
    except OSError as error:
        raise CaptureError(f"the capture cannot be read: {error.strerror}") from error


def _whole(data: bytes, length: int) -> bytes:
    if len(data) < length:
        raise CaptureError("the capture ends in the middle of a packet")
    return data
