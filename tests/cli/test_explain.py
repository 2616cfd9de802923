from __future__ import annotations

import io
import os
import re
import struct
import tracemalloc
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from trioscsi.capture import Spool, Trace, pcapng, read_capture
from trioscsi.capture.packets import ACK, SYN, Address, Ends
from trioscsi.cli import commands
from trioscsi.pdu import DataOut, LoginRequest, LogoutRequest, NopOut, encode
from trioscsi.teaching.explanation import Ladder

module = import_module("trioscsi.cli.explain")  # "explain" in trioscsi.cli is the command

LOGOUT = b"".join(encode(LogoutRequest(itt=5)))


def invoke(*arguments: object, data: bytes | None = None) -> Result:
    stream = None if data is None else io.BytesIO(data)
    return CliRunner().invoke(commands, ["explain", *map(str, arguments)], input=stream)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "trace.pcapng"
    trace = Trace(Spool(path))
    tap = trace.connect(("192.0.2.1", 1), ("192.0.2.2", 3260), ("192.0.2.2", 3260))
    tap.received(*encode(LoginRequest(data=b"InitiatorName=iqn.a:b\0")))
    tap.close()
    trace.close()
    return path


@pytest.mark.parametrize(
    "digits", [LOGOUT.hex(), LOGOUT.hex(" "), LOGOUT.hex(":"), "0x" + LOGOUT.hex().upper()]
)
def test_digits_are_a_pdu(digits: str) -> None:
    result = invoke(digits)
    assert result.exit_code == 0
    assert result.stdout.startswith("Logout Request (RFC 7143 section 11.14)")
    assert "\x1b" not in result.stdout


def test_digits_may_be_of_several_pdus_and_of_several_words() -> None:
    result = invoke(LOGOUT.hex(), LOGOUT.hex())
    assert len(re.findall("^Logout Request", result.stdout, re.MULTILINE)) == 2


def test_digits_may_be_many() -> None:
    request = b"".join(encode(LoginRequest(data=b"X-a=" + b"b" * 5000 + b"\0")))
    result = invoke(request.hex())
    assert result.exit_code == 0
    assert re.search(r"DataSegmentLength +5005 ", result.stdout)


def test_digits_may_be_too_few() -> None:
    result = invoke(LOGOUT.hex()[:-1])
    assert result.exit_code == 0
    assert "an odd number of digits" in result.stderr
    assert "wrong: the header ends after 47 of 48 bytes" in result.stdout


def test_what_is_neither_digits_nor_a_file_is_wrong_usage() -> None:
    result = invoke("nowhere.pcapng")
    assert result.exit_code == 2
    assert "neither a file nor hexadecimal digits" in result.stderr


@pytest.mark.parametrize("data", [LOGOUT, LOGOUT.hex().encode(), LOGOUT.hex(" ").encode() + b"\n"])
def test_a_file_may_hold_bytes_or_digits(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "pdu"
    path.write_bytes(data)
    assert invoke(path).stdout == invoke(LOGOUT.hex()).stdout
    assert invoke("-", data=data).stdout == invoke(LOGOUT.hex()).stdout


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    result = invoke(path)
    assert (result.exit_code, "there is nothing in it" in result.output) == (1, True)


@pytest.mark.parametrize("nothing", ["", "  ", "0x", "3"])
def test_digits_of_nothing_are_told(nothing: str) -> None:
    result = invoke(nothing)
    assert (result.exit_code, "there is nothing in it" in result.output) == (1, True)
    assert not result.stdout


def test_a_pipe_is_read_like_a_file() -> None:
    reading, writing = os.pipe()
    os.write(writing, LOGOUT)
    os.close(writing)
    assert invoke(f"/dev/fd/{reading}").stdout == invoke(LOGOUT.hex()).stdout
    os.close(reading)


def test_a_folder_is_told(tmp_path: Path) -> None:
    result = invoke(tmp_path)
    assert (result.exit_code, "Is a directory" in result.stderr) == (1, True)


def test_a_file_that_cannot_be_read_to_its_end_is_told() -> None:
    result = invoke("/proc/self/mem")
    complaint = "cannot read /proc/self/mem: Input/output error"
    assert (result.exit_code, complaint in result.stderr) == (1, True)


def test_a_capture_is_a_ladder(capture: Path) -> None:
    result = invoke(capture)
    assert result.exit_code == 0
    assert "connection 1: 192.0.2.1:1 --> 192.0.2.2:3260" in result.stdout
    assert "-->  Login Request" in result.stdout
    assert "byte.bit" not in result.stdout
    assert "byte.bit" in invoke(capture, "--fields").stdout


def test_a_connection_that_is_not_there_is_wrong_usage(capture: Path) -> None:
    result = invoke(capture, "--connection", 2)
    assert result.exit_code == 2
    assert "there are 1 connections in the capture" in result.output


def test_a_capture_that_is_cut_is_shown_as_far_as_it_goes(capture: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-100])
    result = invoke(capture)
    assert result.exit_code == 1
    assert "-->  Login Request" in result.stdout
    assert re.search(r"ends in the middle of a packet, after \d+ packets", result.output)


def test_a_capture_without_connections_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    trace = Trace(Spool(path))
    trace.close()
    result = invoke(path)
    assert result.exit_code == 1
    assert "there is no TCP connection in the capture" in result.output


def pcap(segments: Iterable[tuple[Address, Address, int, int, bytes]]) -> bytes:
    """A capture as tcpdump writes it: pcap, of Ethernet."""
    data = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    for source, destination, sequence, flags, payload in segments:
        headers = Ends(source, destination).headers(sequence, 1, flags, payload)
        packet = bytes(12) + b"\x08\0" + headers + payload
        data += struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet
    return data


A, B = ("192.0.2.1", 50_000), ("192.0.2.2", 3260)


def pings(tags: Iterable[int]) -> list[bytes]:
    return [b"".join(encode(NopOut(itt=itt))) for itt in tags]


def test_a_capture_of_another_protocol_is_told(tmp_path: Path) -> None:
    path = tmp_path / "web.pcap"
    path.write_bytes(
        pcap([(A, B, 0, SYN, b""), (A, B, 1, ACK, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")])
    )
    result = invoke(path)
    assert result.exit_code == 1
    assert "(this is no iSCSI)" in result.stdout
    assert "there is no iSCSI PDU in the capture" in result.output


def test_a_capture_that_begins_in_the_middle_is_read_from_where_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "late.pcap"
    first, *others = pings(range(5))
    place, packets = 700, [(A, B, 680, ACK, first[28:])]
    for ping in others:
        packets.append((A, B, place, ACK, ping))
        place += len(ping)
    path.write_bytes(pcap(packets))
    result = invoke(path)
    assert result.exit_code == 0
    assert re.findall(r"-->  NOP-Out, ITT 0x0000000(\d)", result.stdout) == ["1", "2", "3", "4"]


def test_a_capture_with_gaps_tells_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "gaps.pcap"
    packets = [(A, B, 0, SYN, b"")]
    packets += [(A, B, 1 + 48 * n, ACK, ping) for n, ping in enumerate(pings(range(6))) if n != 2]
    path.write_bytes(pcap(packets))
    result = invoke(path)
    assert result.exit_code == 0
    assert "-->  (48 bytes are missing in the capture)" in result.stdout
    assert re.findall(r"ITT 0x0000000(\d)", result.stdout) == ["0", "1", "3", "4", "5"]


class Large:
    """A capture of any size, made as it is read: a write that goes on and on."""

    def __init__(self, size: int) -> None:
        header, *_ = encode(DataOut(data=bytes(2**20)))
        self._pdu = memoryview(bytes(header) + bytes(2**20))
        self._buffer = pcapng.section_header("", "") + pcapng.interface("", "")
        self._size, self._sequence, self._ends = size, 1, Ends(A, B)

    def read(self, length: int) -> bytes:
        while len(self._buffer) < length and self._size > 0:
            at = (self._sequence - 1) % len(self._pdu)
            payload = self._pdu[at : at + 60_000]
            headers = self._ends.headers(self._sequence % 2**32, 1, ACK, payload)
            self._buffer += b"".join(pcapng.packet(0, 0, headers, payload, inbound=True))
            self._sequence += len(payload)
            self._size -= len(payload)
        found, self._buffer = self._buffer[:length], self._buffer[length:]
        return found


@pytest.mark.parametrize("size", [2**23, 2**26])
def test_memory_does_not_depend_on_the_size_of_a_capture(size: int) -> None:
    ladder, lines = Ladder(), 0
    tracemalloc.start()
    try:
        for packet in read_capture(Large(size)):
            lines += sum(1 for _ in ladder.hear(packet))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines > size // 2**20
    assert peak < 4 * 2**20


def test_more_digits_than_anybody_reads_are_cut_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_DIGITS", 100)
    path = tmp_path / "digits"
    path.write_text(LOGOUT.hex() * 800)
    result = invoke(path)
    assert "only the first 16 MiB are read" in result.stderr
    assert "Logout Request" in result.stdout


def test_help_has_examples() -> None:
    assert "trioscsi explain trace.pcapng" in invoke("--help").stdout


def test_a_peer_cannot_command_the_terminal() -> None:
    request = b"".join(encode(LoginRequest(data=b"InitiatorName=\x1b[2J\0")))
    assert "\x1b" not in invoke(request.hex()).stdout
