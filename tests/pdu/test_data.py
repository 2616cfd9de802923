from __future__ import annotations

from trioscsi.pdu import NO_TASK, DataIn, DataOut, ReadyToTransfer, encode

DATA_IN = bytes.fromhex(
    "25 83 00 00  00 00 02 00"  # F, U, S; 512 bytes
    "00 00 00 00  00 00 00 00"
    "14 00 00 00  ff ff ff ff"
    "00 00 00 18  00 00 00 15"  # StatSN, ExpCmdSN
    "00 00 00 34  00 00 00 01"  # MaxCmdSN, DataSN
    "00 00 02 00  00 00 00 10"  # Buffer Offset, Residual Count
)
R2T = bytes.fromhex(
    "31 80 00 00  00 00 00 00"
    "00 02 00 00  00 00 00 00"  # LUN 2
    "00 00 00 07  00 00 00 63"  # task tag, target transfer tag
    "00 00 00 18  00 00 00 15"  # StatSN, ExpCmdSN
    "00 00 00 34  00 00 00 03"  # MaxCmdSN, R2TSN
    "00 00 10 00  00 04 00 00"  # Buffer Offset, Desired Data Transfer Length
)


def test_data_in_byte_by_byte():
    pdu = DataIn(
        final=True,
        underflow=True,
        has_status=True,
        itt=0x14000000,
        stat_sn=24,
        exp_cmd_sn=21,
        max_cmd_sn=52,
        data_sn=1,
        buffer_offset=512,
        residual_count=16,
        data=bytes(512),
    )
    assert encode(pdu) == [DATA_IN, bytes(512)]
    assert DataIn.unpack(DATA_IN, 0, bytes(512)) == pdu


def test_data_in_that_wants_to_be_acknowledged():
    assert DataIn(acknowledge=True, overflow=True, status=4).pack(0)[:4].hex() == "25440004"


def test_data_out_byte_by_byte():
    pdu = DataOut(final=True, lun=1, itt=2, exp_stat_sn=3, data_sn=4, buffer_offset=5)
    header = pdu.pack(0)
    assert header.hex() == (
        "0580000000000000"
        "0000000000000001"
        "00000002ffffffff"
        "0000000000000003"
        "0000000000000004"
        "0000000500000000"
    )
    assert DataOut.unpack(header) == pdu
    assert pdu.ttt == NO_TASK


def test_an_r2t_byte_by_byte():
    pdu = ReadyToTransfer(
        lun=2 << 48,
        itt=7,
        ttt=99,
        stat_sn=24,
        exp_cmd_sn=21,
        max_cmd_sn=52,
        r2t_sn=3,
        buffer_offset=4096,
        desired_data_transfer_length=262_144,
    )
    assert encode(pdu) == [R2T]
    assert ReadyToTransfer.unpack(R2T) == pdu
