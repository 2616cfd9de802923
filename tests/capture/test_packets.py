from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.capture.packets import (
    ACK,
    MAXIMUM_PAYLOAD,
    SYN,
    Address,
    Ends,
    Segment,
    dissect,
)

FOUR = Ends(("192.0.2.1", 1000), ("192.0.2.2", 3260))
SIX = Ends(("2001:db8::1", 1000), ("fe80::2%eth0", 3260))


def ones_complement(data: bytes) -> int:
    """As RFC 1071 has it, word by word."""
    total = 0
    for (word,) in struct.iter_unpack(">H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["IPv4", "IPv6"])
@given(payload=st.binary(max_size=99), flags=st.sampled_from([ACK, SYN]))
def test_the_checksums_are_right(ends: Ends, payload: bytes, flags: int) -> None:
    headers = ends.headers(2**32 - 1, 7, flags, payload)
    start = 20 if ends is FOUR else 40
    if ends is FOUR:
        assert ones_complement(headers[:20]) == 0xFFFF
    tcp = headers[start:] + payload
    addresses = headers[12:20] if ends is FOUR else headers[8:40]
    pseudo = addresses + struct.pack(">HH", 6, len(tcp))
    assert ones_complement(pseudo + tcp) == 0xFFFF


@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["IPv4", "IPv6"])
def test_a_checksum_that_comes_to_nothing_is_zero(ends: Ends) -> None:
    checksum = ends.headers(1, 7, ACK, bytes(2))[-4:-2]
    headers = ends.headers(1, 7, ACK, checksum)  # a payload that makes up for what was left
    assert headers[-4:-2] == bytes(2)


@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(
    ("link_type", "before"),
    [
        (101, b""),
        (12, b""),
        (228, b""),
        (229, b""),
        (0, bytes(4)),
        (1, bytes(12) + b"{}"),
        (1, bytes(12) + b"\x81\x00\0\1{}"),
        (1, bytes(12) + b"\x91\x00\0\1\x81\x00\0\2{}"),
        (113, bytes(14) + b"{}"),
        (113, bytes(14) + b"\x81\x00\0\1{}"),
        (276, b"{}" + bytes(18)),
        (276, b"\x81\x00" + bytes(18) + b"\0\1{}"),
    ],
)
def test_what_was_made_is_taken_apart(ends: Ends, link_type: int, before: bytes) -> None:
    ethertype = b"\x08\0" if ends is FOUR else b"\x86\xdd"
    packet = before.replace(b"{}", ethertype) + ends.headers(1, 2, ACK, b"abc") + b"abc"
    padded = packet + bytes(6 if link_type == 1 else 0)
    found = dissect(link_type, padded)
    host = "192.0.2.2" if ends is FOUR else "fe80::2"
    assert found == Segment(ends.source, (host, 3260), 1, 2, ACK, b"abc")


def test_the_largest_payload_fits() -> None:
    payload = bytes(MAXIMUM_PAYLOAD)
    found = dissect(101, FOUR.headers(1, 2, ACK, payload) + payload)
    assert found is not None
    assert len(found.payload) == MAXIMUM_PAYLOAD


def test_what_a_capture_has_cut_off_is_counted() -> None:
    found = dissect(101, FOUR.headers(1, 2, ACK, b"abcdef") + b"abc")
    assert found is not None
    assert (found.payload, found.missing) == (b"abc", 3)


def test_extension_headers_of_ipv6_are_passed_over() -> None:
    packet = SIX.headers(1, 2, ACK, b"abc") + b"abc"
    length = int.from_bytes(packet[4:6]) + 8
    changed = packet[:4] + length.to_bytes(2) + b"\0" + packet[7:40] + b"\x06" + bytes(7)
    found = dissect(101, changed + packet[40:])
    assert found is not None
    assert found.payload == b"abc"


@pytest.mark.parametrize(
    ("link_type", "packet"),
    [
        (101, b""),
        (101, b"\x45"),
        (101, b"\x60" + bytes(20)),
        (101, b"\x45" + bytes(8) + b"\x11" + bytes(40)),  # UDP
        (101, b"\x45" + bytes(5) + b"\0\1\0\x06" + bytes(40)),  # a fragment
        (1, bytes(12) + b"\x08\x06" + bytes(40)),  # ARP
        (147, bytes(60)),
    ],
)
def test_other_packets_have_no_segment(link_type: int, packet: bytes) -> None:
    assert dissect(link_type, packet) is None


@given(st.sampled_from([0, 1, 12, 101, 113, 276]), st.binary(max_size=120))
def test_no_packet_is_too_odd(link_type: int, packet: bytes) -> None:
    segment = dissect(link_type, packet)
    assert segment is None or len(segment.payload) <= len(packet)


def test_addresses_are_host_and_port() -> None:
    address: Address = FOUR.destination
    assert address == ("192.0.2.2", 3260)
