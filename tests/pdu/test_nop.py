from __future__ import annotations

from trioscsi.pdu import NO_TASK, NopIn, NopOut, encode


def test_a_ping_byte_by_byte():
    ping = NopOut(immediate=False, itt=0x10, cmd_sn=4, exp_stat_sn=5, data=b"ping")
    assert b"".join(encode(ping)).hex() == (
        "0080000000000004"
        "0000000000000000"
        "00000010ffffffff"
        "0000000400000005" + "00" * 16 + b"ping".hex()
    )


def test_the_answer_to_a_ping_byte_by_byte():
    answer = NopIn(itt=0x10, stat_sn=5, exp_cmd_sn=5, max_cmd_sn=36, data=b"ping")
    assert b"".join(encode(answer)).hex() == (
        "2080000000000004"
        "0000000000000000"
        "00000010ffffffff"
        "0000000500000005"
        "00000024" + "00" * 12 + b"ping".hex()
    )


def test_a_nop_names_no_task_unless_told_otherwise():
    assert {NopOut().itt, NopOut().ttt, NopIn().itt, NopIn().ttt} == {NO_TASK}
    assert NopOut().immediate
