from __future__ import annotations

import pytest

from trioscsi.errors import PeerError
from trioscsi.pdu import ScsiCommand, ScsiResponse, TaskAttribute, encode, sense

READ_10 = bytes.fromhex(
    "01 c1 20 00  00 00 00 00"  # F, R, simple; priority 2
    "00 05 00 00  00 00 00 00"  # LUN 5
    "14 00 00 00  00 00 04 00"  # task tag, 1024 bytes expected
    "00 00 00 14  00 00 00 18"
    "28 00 00 00  00 00 00 00"  # READ(10) of two blocks
    "02 00 00 00  00 00 00 00"
)


def test_a_read_byte_by_byte():
    command = ScsiCommand(
        read=True,
        attributes=TaskAttribute.SIMPLE,
        priority=2,
        lun=5 << 48,
        itt=0x14000000,
        expected_data_transfer_length=1024,
        cmd_sn=20,
        exp_stat_sn=24,
        cdb=bytes.fromhex("28000000000000000200") + bytes(6),
    )
    assert encode(command) == [READ_10]
    assert ScsiCommand.unpack(READ_10) == command


def test_a_write_with_immediate_data():
    command = ScsiCommand(write=True, final=False, cdb=b"\x2a", data=b"abcde")
    header, data, pad = encode(command)
    assert header[:8].hex() == "0120000000000005"
    assert (header[32:], bytes(data), pad) == (b"\x2a" + bytes(15), b"abcde", bytes(3))


def test_a_long_cdb_spills_into_an_additional_header_segment():
    command = ScsiCommand(cdb=bytes(range(32)))
    (header,) = encode(command)
    assert header[4] == 5
    assert header[32:48] == bytes(range(16))
    assert header[48:].hex() == "00110100" + bytes(range(16, 32)).hex()
    again = ScsiCommand.unpack(header)
    again.unpack_ahs(header[48:])
    assert again == command


def test_a_bidirectional_command_says_how_much_it_reads():
    command = ScsiCommand(read=True, write=True, bidirectional_read_length=512)
    assert command.pack_ahs().hex() == "0005020000000200"


def test_a_response_byte_by_byte():
    response = ScsiResponse(
        underflow=True,
        bidirectional_overflow=True,
        status=2,
        status_qualifier=0x1234,
        itt=1,
        snack_tag=2,
        stat_sn=3,
        exp_cmd_sn=4,
        max_cmd_sn=5,
        exp_data_sn=6,
        bidirectional_residual_count=7,
        residual_count=8,
        data=sense.join(b"\x70\x00\x05"),
    )
    header, data, pad = encode(response)
    assert header.hex() == (
        "2192000200000005"
        "1234000000000000"
        "0000000100000002"
        "0000000300000004"
        "0000000500000006"
        "0000000700000008"
    )
    assert bytes(data) + pad == b"\x00\x03\x70\x00\x05\x00\x00\x00"
    assert response.sense == b"\x70\x00\x05"


def test_sense_data_with_a_wrong_length_are_refused():
    with pytest.raises(PeerError):
        _ = ScsiResponse(data=b"\x00\x09\x70").sense
