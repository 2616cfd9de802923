from __future__ import annotations

from trioscsi.pdu import NO_TASK, SnackRequest, SnackType


def test_a_snack_byte_by_byte():
    snack = SnackRequest(type=SnackType.R_DATA, itt=1, ttt=2, exp_stat_sn=3)
    header = snack.pack(0)
    assert header[:4].hex() == "10830000"
    assert header[16:32].hex() == "00000001000000020000000000000003"
    assert SnackRequest.unpack(header) == snack
    assert snack.snack_tag == 2


def test_a_run_is_at_the_end():
    header = SnackRequest(type=SnackType.STATUS, beg_run=8, run_length=2).pack(0)
    assert header[40:].hex() == "0000000800000002"
    assert SnackRequest().itt == SnackRequest().ttt == NO_TASK
