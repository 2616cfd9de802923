"""IP and TCP headers: made for bytes that a socket carried, and taken off captured packets."""

from __future__ import annotations

import ipaddress
import struct
from typing import TypeAlias

import attrs

from trioscsi.capture.pcapng import LINKTYPE_RAW

Address: TypeAlias = tuple[str, int]
Buffer: TypeAlias = bytes | memoryview

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

MAXIMUM_PAYLOAD = 65_536 - 4096
"""Bytes of one segment: whole pages, and less than an IPv4 packet holds."""

_TCP = struct.Struct(">HHIIBBHHH")
_IPV4 = struct.Struct(">BBHHHBBH4s4s")
_IPV6 = struct.Struct(">IHBB16s16s")
_IPV6_EXTENSIONS = {0, 43, 60}
"""Hop-by-hop options, routing, destination options: each tells the next, and its own length."""
_PROTOCOL = 6
_DONT_FRAGMENT = 0x4000
_TIME_TO_LIVE = 64
_WINDOW = 65_535
_SYN_OPTIONS = b"\x02\x04\xff\xd7\x01\x03\x03\x0e"
"""The largest segment, then the shift by 14 that windows have: no made-up window is ever full."""

_BARE = {LINKTYPE_RAW, 12, 228, 229}
"""Link types of packets that begin with their IP header."""
_LOOPBACK = {0, 108}
"""Those with a number of four bytes in front of it."""
_ETHERTYPES = {1: (12, 14), 113: (14, 16), 276: (0, 20)}
"""Those with a type (Ethernet, Linux cooked captures): where it is, and what it is the type of."""
_IP_ETHERTYPES = {0x0800, 0x86DD}
_VLANS = {0x8100, 0x88A8, 0x9100}
"""Types of a tag, which is followed by another type."""


@attrs.frozen
class Segment:
    """What one captured packet says of a TCP connection."""

    source: Address
    destination: Address
    sequence: int
    acknowledged: int
    flags: int
    payload: bytes
    missing: int = 0
    """Bytes of the payload that the capture has cut off."""


@attrs.frozen
class Ends:
    """The addresses of a connection from one side, ready to be packed into headers."""

    source: Address
    destination: Address
    _packed: tuple[bytes, bytes] = attrs.field(init=False)
    _pseudo: int = attrs.field(init=False)
    """What the addresses and the protocol add to a TCP checksum."""

    def __attrs_post_init__(self) -> None:
        packed = tuple(_packed(host) for host, _ in (self.source, self.destination))
        object.__setattr__(self, "_packed", packed)
        object.__setattr__(self, "_pseudo", sum(map(_sum, packed)) + _PROTOCOL)

    def headers(self, sequence: int, acknowledged: int, flags: int, payload: Buffer) -> bytes:
        """The IP and TCP headers of a segment, with their checksums."""
        options = _SYN_OPTIONS if flags & SYN else b""
        length = _TCP.size + len(options)
        ports = self.source[1], self.destination[1]
        tcp = (*ports, sequence, acknowledged, length << 2, flags, _WINDOW)
        plain = _TCP.pack(*tcp, 0, 0) + options
        total = self._pseudo + length + len(payload) + _sum(plain) + _sum(payload)
        header = _TCP.pack(*tcp, _complement(total), 0) + options
        return self._ip(length + len(payload)) + header

    def _ip(self, length: int) -> bytes:
        source, destination = self._packed
        if len(source) == 16:
            return _IPV6.pack(6 << 28, length, _PROTOCOL, _TIME_TO_LIVE, source, destination)
        words = (0x45, 0, 20 + length, 0, _DONT_FRAGMENT, _TIME_TO_LIVE, _PROTOCOL)
        checksum = _complement(_sum(_IPV4.pack(*words, 0, source, destination)))
        return _IPV4.pack(*words, checksum, source, destination)


def _packed(host: str) -> bytes:
    """A literal address without its zone; one of IPv4 that a socket for both shows as of IPv6."""
    address = ipaddress.ip_address(host.partition("%")[0])
    return (getattr(address, "ipv4_mapped", None) or address).packed


def _sum(data: Buffer) -> int:
    """The sum of 16-bit words modulo 0xFFFF: a number in base 65536 has the same remainder.

    It is taken with the bytes of words exchanged, which is faster and changes nothing but the
    order of the two bytes of the sum (RFC 1071).
    """
    swapped = int.from_bytes(data, "little") % 0xFFFF
    return (swapped & 0xFF) << 8 | swapped >> 8


def _complement(total: int) -> int:
    """The checksum; never 0xFFFF, as what is summed up is never all zeroes (RFC 1624)."""
    return -total % 0xFFFF


def dissect(link_type: int, packet: bytes) -> Segment | None:
    """The TCP segment in a captured packet, or None if there is none."""
    start = _network_layer(link_type, packet)
    if start is None or start >= len(packet):
        return None
    version = packet[start] >> 4
    if version == 4:
        return _in_ipv4(packet, start)
    return _in_ipv6(packet, start) if version == 6 else None


def _network_layer(link_type: int, packet: bytes) -> int | None:
    """Where the IP header begins."""
    if link_type in _BARE:
        return 0
    if link_type in _LOOPBACK:
        return 4
    if link_type not in _ETHERTYPES:
        return None
    at, start = _ETHERTYPES[link_type]
    while (kind := int.from_bytes(packet[at : at + 2])) in _VLANS:
        at, start = start + 2, start + 4
    return start if kind in _IP_ETHERTYPES else None


def _in_ipv4(packet: bytes, start: int) -> Segment | None:
    if len(packet) < start + 20:
        return None
    first, _, total, _, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(
        packet, start
    )
    # Where segmentation is offloaded, a captured packet can be too long for its length field.
    end = start + total if total else len(packet)
    if protocol != _PROTOCOL or fragment & 0x1FFF:
        return None
    return _in_tcp(packet, start + ((first & 0xF) << 2), end, source, destination)


def _in_ipv6(packet: bytes, start: int) -> Segment | None:
    if len(packet) < start + 40:
        return None
    _, length, following, _, source, destination = _IPV6.unpack_from(packet, start)
    at = start + 40
    end = at + length if length else len(packet)
    while following in _IPV6_EXTENSIONS and at + 2 <= len(packet):
        following, at = packet[at], at + (packet[at + 1] + 1) * 8
    if following != _PROTOCOL:  # a fragment is none of our business either
        return None
    return _in_tcp(packet, at, end, source, destination)


def _in_tcp(packet: bytes, at: int, end: int, source: bytes, destination: bytes) -> Segment | None:
    if len(packet) < at + _TCP.size or end < at + _TCP.size:
        return None
    ours, theirs, sequence, acknowledged, offset, flags, *_ = _TCP.unpack_from(packet, at)
    data = at + (offset >> 4 << 2)
    payload = packet[data:end]
    return Segment(
        (str(ipaddress.ip_address(source)), ours),
        (str(ipaddress.ip_address(destination)), theirs),
        sequence,
        acknowledged,
        flags,
        payload,
        max(end - data, 0) - len(payload),
    )
