from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from trioscsi.capture import Spool, Trace
from trioscsi.cli import commands
from trioscsi.pdu import LoginRequest, LogoutRequest, encode

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


def test_help_has_examples() -> None:
    assert "trioscsi explain trace.pcapng" in invoke("--help").stdout


def test_a_peer_cannot_command_the_terminal() -> None:
    request = b"".join(encode(LoginRequest(data=b"InitiatorName=\x1b[2J\0")))
    assert "\x1b" not in invoke(request.hex()).stdout
