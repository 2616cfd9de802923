from __future__ import annotations

import io
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.capture import pcapng, read_capture
from trioscsi.errors import CaptureError

SECTION = pcapng.section_header("", "")
INTERFACE = pcapng.interface("", "")
PACKET = b"".join(pcapng.packet(0, 5, b"ab", b"cd", inbound=True))


def read(data: bytes) -> list[bytes]:
    return [packet.data for packet in read_capture(io.BytesIO(data))]


@pytest.mark.parametrize(
    ("magic", "order", "tick"),
    [(0xA1B2C3D4, "<", 1000), (0xA1B2C3D4, ">", 1000), (0xA1B23C4D, "<", 1), (0xA1B23C4D, ">", 1)],
)
def test_pcap_is_read_in_both_orders_and_resolutions(magic: int, order: str, tick: int) -> None:
    data = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65_535, 1)
    data += struct.pack(order + "IIII", 7, 9, 3, 30) + b"abc"
    (packet,) = read_capture(io.BytesIO(data))
    assert (packet.time, packet.link_type, packet.data) == (7 * 10**9 + 9 * tick, 1, b"abc")


def test_a_big_endian_section_is_read() -> None:
    def block(kind: int, body: bytes) -> bytes:
        length = struct.pack(">I", 12 + len(body))
        return struct.pack(">I", kind) + length + body + length

    data = block(pcapng.SECTION_HEADER, struct.pack(">IHHq", pcapng.BYTE_ORDER, 1, 0, -1))
    data += block(pcapng.INTERFACE, struct.pack(">HHI", 1, 0, 0))
    data += block(pcapng.PACKET, struct.pack(">IIIII", 0, 0, 3, 4, 4) + b"abcd")
    data += block(pcapng.SIMPLE_PACKET, struct.pack(">I", 2) + b"ef\0\0")
    first, second = read_capture(io.BytesIO(data))
    assert (first.time, first.link_type, first.data) == (3000, 1, b"abcd")
    assert second.data == b"ef"


def test_a_simple_packet_that_was_cut_is_read_without_its_padding() -> None:
    data = SECTION + struct.pack("<IIHHII", pcapng.INTERFACE, 20, 1, 0, 5, 20)
    data += struct.pack("<III", pcapng.SIMPLE_PACKET, 24, 90) + b"abcde\0\0\0" + bytes(4)
    assert read(data) == [b"abcde"]


def test_unknown_blocks_are_passed_over() -> None:
    other = struct.pack("<III", 0xBAD, 12, 12)
    assert read(SECTION + other + INTERFACE + other + PACKET) == [b"abcd"]


def test_a_new_section_has_interfaces_of_its_own() -> None:
    assert read((SECTION + INTERFACE + PACKET) * 2) == [b"abcd"] * 2
    with pytest.raises(CaptureError, match="contradicts itself"):
        read(SECTION + INTERFACE + PACKET + SECTION + PACKET)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "no pcap or pcapng"),
        (b"GET / HTTP/1.1", "no pcap or pcapng"),
        (b"\x0a\x0d\x0d\x0a" + bytes(100), "no order of bytes"),
        (SECTION + struct.pack("<III", 6, 8, 8), "a block of 8 bytes"),
        (SECTION + struct.pack("<II", 6, 0x7FFFFFFC), "a block of 2147483632 bytes"),
        (SECTION + INTERFACE[:-3], "ends in the middle"),
    ],
)
def test_what_is_no_capture_is_told(data: bytes, complaint: str) -> None:
    with pytest.raises(CaptureError, match=complaint):
        read(data)


@given(st.integers(0, len(PACKET) * 3 - 1))
def test_the_packets_before_a_cut_are_given(cut: int) -> None:
    packets = []
    stream = read_capture(io.BytesIO(SECTION + INTERFACE + (PACKET * 3)[:cut]))
    with suppress(CaptureError):
        packets += stream
    assert [packet.data for packet in packets][: cut // len(PACKET)] == [b"abcd"] * (
        cut // len(PACKET)
    )


@given(st.binary(max_size=200), st.integers(0, 200))
def test_damage_is_told_and_nothing_else(noise: bytes, place: int) -> None:
    data = bytearray(SECTION + INTERFACE + PACKET * 2)
    data[place : place + len(noise)] = noise
    with suppress(CaptureError):
        read(bytes(data))
