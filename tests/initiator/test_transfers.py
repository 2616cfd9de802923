from __future__ import annotations

from typing import Any

import pytest

from tests.initiator.pair import Pair, intent, logged_in, reading, writing
from tests.protocol.peer import BOTH, FAIL, Gate, cdb
from tests.requirements import requirement
from trioscsi.initiator.requests import Task
from trioscsi.initiator.rules import Rule, Rules
from trioscsi.initiator.transfers import unsolicited
from trioscsi.pdu import NO_TASK, DataIn, DataOut, ReadyToTransfer, ScsiCommand, ScsiResponse
from trioscsi.text import Offer, Parameters

DATA = bytes(range(256)) * 80
"""20480 bytes."""


def keys(**changed: Any) -> dict[str, Any]:
    return {
        "max_recv_data_segment_length": 4096,
        "first_burst_length": 8192,
        "max_burst_length": 8192,
        **changed,
    }


@pytest.mark.parametrize("immediate", [False, True])
@pytest.mark.parametrize("initial_r2t", [False, True])
@requirement("7143-4.2.5.2-5")
def test_data_goes_as_it_was_agreed(immediate: bool, initial_r2t: bool):
    offer = keys(immediate_data=immediate, initial_r2t=initial_r2t)
    pair = Pair(Gate(Offer(**offer)), intent(**offer))
    task = pair.do(writing(100, DATA))
    assert (task.status, task.lost) == (0, "")
    assert pair.gate.disk.store[100 : 100 + len(DATA)] == DATA
    (command,) = pair.sent(ScsiCommand)
    outs = pair.sent(DataOut)
    burst = [pdu for pdu in outs if pdu.ttt == NO_TASK]
    assert len(command.data) == (4096 if immediate else 0)
    assert command.final is not bool(burst)
    assert sum(len(pdu.data) for pdu in burst) == (0 if initial_r2t else 8192 - len(command.data))
    assert all(len(pdu.data) <= 4096 for pdu in outs)


def test_a_sequence_counts_its_pdus_and_ends_with_f():
    offer = keys(immediate_data=False, initial_r2t=True)
    pair = Pair(Gate(Offer(**offer)), intent(**offer))
    pair.do(writing(0, DATA[:8192], lun=0))
    assert [(pdu.data_sn, pdu.final, pdu.buffer_offset) for pdu in pair.sent(DataOut)] == [
        (0, False, 0),
        (1, True, 4096),
    ]


def test_a_read_of_many_sequences():
    pair = Pair(Gate(), intent(**keys()))
    pair.gate.disk.store[: len(DATA)] = DATA
    task = pair.do(reading(0, len(DATA)))
    assert task.data_in == DATA
    assert task.data_ins == 5


def test_both_digests():
    digests = {"header_digests": ("CRC32C",), "data_digests": ("CRC32C",)}
    pair = Pair(Gate(Offer(**digests)), intent(**digests))
    pair.do(writing(0, DATA[:9]))
    assert pair.do(reading(0, 9)).data_in == DATA[:9]


def test_a_bidirectional_command():
    pair = Pair(Gate(), intent(initial_r2t=True, immediate_data=False))
    pair.gate.disk.store[:4] = b"past"
    task = pair.do(Task(cdb=cdb(BOTH, 0, 4), data_out=b"next", expected_in=4))
    assert (task.data_in, task.lost) == (b"past", "")
    assert pair.gate.disk.store[:4] == b"next"


def test_residuals_say_what_was_not_transferred():
    pair = Pair(Gate())
    assert pair.do(reading(0, 10, expected=30)).residual == 20
    task = pair.do(reading(0, 30, expected=10))
    assert (task.residual, len(task.data_in)) == (-20, 10)
    assert pair.do(writing(0, DATA[:30], length=10)).residual == 20


def test_sense_comes_with_its_status():
    pair = Pair(Gate())
    task = pair.do(Task(cdb=cdb(FAIL, 0, 0)))
    assert (task.status, task.sense) == (2, b"no")


@requirement("7144-5.2.2-1")
def test_sense_and_a_qualifier_may_come_with_any_status():
    script = logged_in(intent(protocol_level=2), b"iSCSIProtocolLevel=2\0")
    for status in (0, 8, 0x28):
        task = reading(0, 0)
        (command,) = script.request(task)
        fields = {"status": status, "status_qualifier": 5, "data": b"\0\2so"}
        script.say(ScsiResponse(itt=command.itt, **fields))
        assert (task.status, task.sense, task.status_qualifier) == (status, b"so", 5)


@requirement("7144-5.2.1-2")
def test_a_qualifier_that_was_not_agreed_is_passed_over():
    script = logged_in()
    task = reading(0, 0)
    (command,) = script.request(task)
    script.say(ScsiResponse(itt=command.itt, status=8, status_qualifier=5))
    assert (task.status, task.status_qualifier) == (8, 0)


def test_many_commands_at_once():
    pair = Pair(Gate())
    tasks = [writing(place * 100, bytes([place]) * 100) for place in range(20)]
    for task in tasks:
        pair.session.submit(task)
    pair.run()
    assert all(task.over and not task.lost for task in tasks)
    assert pair.do(reading(500, 100)).data_in == b"\x05" * 100


def test_rules_about_unsolicited_data_can_be_switched_off():
    task = Task(cdb=bytes(6), data_out=bytes(100_000))
    parameters = Parameters(immediate_data=False)
    assert unsolicited(task, parameters, Rules()) == (0, 0)
    assert unsolicited(task, parameters, Rules(frozenset({Rule.IMMEDIATE_DATA}))) == (8192, 8192)
    assert unsolicited(task, parameters, Rules(frozenset({Rule.INITIAL_R2T}))) == (0, 65_536)
    every = frozenset({Rule.INITIAL_R2T, Rule.FIRST_BURST, Rule.IMMEDIATE_DATA, Rule.SEGMENT})
    assert unsolicited(task, parameters, Rules(every)) == (16_384, 100_000)


def data_in(itt: int, data: bytes = b"0123", **fields: Any) -> DataIn:
    return DataIn(itt=itt, data=data, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"data_sn": 1},
        {"buffer_offset": 4},
        {"data": bytes(600)},
        {"ttt": 5, "lun": 1 << 48},
        {"has_status": True, "final": False},
        {"has_status": True, "final": True, "overflow": True, "underflow": True},
    ],
    ids=str,
)
def test_data_that_breaks_a_rule_ends_the_session(fields: dict[str, Any]):
    script = logged_in()
    task = reading(0, 512)
    (command,) = script.request(task)
    script.say(data_in(**{"itt": command.itt, **fields}))
    assert script.connection.closed
    assert task.over
    assert "RFC 7143" in task.lost


def test_sequences_longer_than_a_burst_are_noted_once_and_taken():
    script = logged_in(
        intent(max_burst_length=512, first_burst_length=512),
        b"MaxBurstLength=512\0FirstBurstLength=512\0",
    )
    task = reading(0, 2048)
    (command,) = script.request(task)
    for place in range(4):
        script.say(
            data_in(command.itt, bytes(400), data_sn=place, buffer_offset=place * 400, final=False)
        )
    *_, remark = script.connection.remarks
    assert "MaxBurstLength" in str(remark)
    script.say(ScsiResponse(itt=command.itt, exp_data_sn=4))
    assert len(task.data_in) == 1600


def test_data_out_of_order_is_put_in_its_place_where_that_was_agreed():
    script = logged_in(
        intent(data_pdu_in_order=False, data_sequence_in_order=False),
        b"DataPDUInOrder=No\0DataSequenceInOrder=No\0",
    )
    task = reading(0, 8)
    (command,) = script.request(task)
    script.say(data_in(command.itt, b"4567", buffer_offset=4))
    script.say(
        data_in(command.itt, data_sn=1, final=True, has_status=True),
    )
    assert task.data_in == b"01234567"


@pytest.mark.parametrize(
    "fields",
    [
        {"r2t_sn": 1},
        {"ttt": NO_TASK},
        {"desired_data_transfer_length": 0},
        {"desired_data_transfer_length": 300_001},
        {"buffer_offset": 300_000},
        {"desired_data_transfer_length": 262_145},
        {"lun": 1 << 48},
    ],
    ids=str,
)
def test_an_r2t_that_breaks_a_rule_ends_the_session(fields: dict[str, Any]):
    script = logged_in(intent(initial_r2t=True, immediate_data=False), b"ImmediateData=No\0")
    (command,) = script.request(writing(0, bytes(300_000)))
    r2t = {"itt": command.itt, "ttt": 5, "desired_data_transfer_length": 512, **fields}
    assert script.say(ReadyToTransfer(**r2t)) == []
    assert script.connection.closed


@requirement("7143-11.8-7")
def test_an_r2t_is_answered_with_its_tag_and_its_lun():
    script = logged_in(intent(initial_r2t=True, immediate_data=False), b"ImmediateData=No\0")
    task = writing(0, bytes(range(200)), lun=1 << 48)
    (command,) = script.request(task)
    outs = script.say(
        ReadyToTransfer(
            itt=command.itt, ttt=5, lun=1 << 48, desired_data_transfer_length=50, buffer_offset=50
        )
    )
    assert [(out.ttt, out.lun, out.final, bytes(out.data)) for out in outs] == [
        (5, 1 << 48, True, bytes(range(50, 100)))
    ]
    script.say(ScsiResponse(itt=command.itt, underflow=True, residual_count=150))
    assert (task.residual, task.over) == (150, True)


def test_a_wrong_exp_data_sn_ends_the_session():
    script = logged_in()
    (command,) = script.request(reading(0, 4))
    script.say(ScsiResponse(itt=command.itt, exp_data_sn=3))
    assert script.connection.closed


def test_a_wrong_length_of_sense_data_ends_the_session():
    script = logged_in()
    (command,) = script.request(reading(0, 4))
    script.say(ScsiResponse(itt=command.itt, status=2, data=b"\xff\xff"))
    assert script.connection.closed
