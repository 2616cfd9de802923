from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.initiator.pair import Script, intent, logged_in, reading, writing
from tests.requirements import requirement
from trioscsi.initiator.events import SessionFailed
from trioscsi.initiator.requests import Ping, TextWish
from trioscsi.limits import Limits
from trioscsi.pdu import (
    NO_TASK,
    DataIn,
    NopIn,
    NopOut,
    ReadyToTransfer,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    SnackType,
    TaskManagementRequest,
    TaskManagementResponse,
    TextResponse,
    encode,
)

LIMITS = Limits(ping_interval=0, snack_time=5, retry_time=1000)


def at_level_1(text: bytes = b"", limits: Limits = LIMITS, **offer: Any) -> Script:
    wish = intent(error_recovery_level=1, **offer)
    return logged_in(wish, b"ErrorRecoveryLevel=1\0" + text, limits=limits)


def data_in(task: Any, data_sn: int, **fields: Any) -> DataIn:
    """Four bytes, the place of which is as their number says."""
    fields = {"buffer_offset": 4 * data_sn, "data": bytes([data_sn % 256] * 4), **fields}
    return DataIn(itt=task.itt, data_sn=data_sn, **fields)


def response(task: Any, **fields: Any) -> ScsiResponse:
    return ScsiResponse(itt=task.itt, **fields)


def snacks(sent: list[Any]) -> list[tuple[int, int, int, int]]:
    assert all(isinstance(pdu, SnackRequest) for pdu in sent), sent
    return [(pdu.type, pdu.itt, pdu.beg_run, pdu.run_length) for pdu in sent]


def asked(script: Script, task: Any) -> Any:
    script.request(task)
    return task


@requirement("7143-11.16-2")
@requirement("7143-11.16.4-2")
def test_data_that_are_missing_are_asked_for_and_put_in_their_place():
    script = at_level_1()
    task = asked(script, reading(0, 16))
    script.say(data_in(task, 0))
    assert snacks(script.say(data_in(task, 3))) == [(SnackType.DATA_OR_R2T, task.itt, 1, 2)]
    assert script.say(response(task, exp_data_sn=4)) == []
    script.say(data_in(task, 1))
    assert not task.over
    script.say(data_in(task, 2))
    assert task.data_in == bytes([0] * 4 + [1] * 4 + [2] * 4 + [3] * 4)
    assert not script.connection.closed


@requirement("7143-11.16.5-3")
def test_data_that_only_the_status_tells_of_are_asked_for():
    script = at_level_1()
    task = asked(script, reading(0, 8))
    script.say(data_in(task, 0))
    sent = script.say(response(task, exp_data_sn=2))
    assert snacks(sent) == [(SnackType.DATA_OR_R2T, task.itt, 1, 1)]
    assert sent[0].ttt == NO_TASK


@requirement("7143-11.16.1-1")
def test_a_status_whose_data_are_missing_is_not_acknowledged():
    script = at_level_1()
    task, other = asked(script, reading(0, 8)), asked(script, reading(0, 0))
    due = script.stat_sn
    script.say(response(task, exp_data_sn=2), response(other))
    assert other.over
    (command,) = script.request(reading(0, 0))
    assert command.exp_stat_sn == due
    script.say(data_in(task, 0), data_in(task, 1))
    assert task.over
    (command,) = script.request(reading(0, 0))
    assert command.exp_stat_sn == due + 2


def test_what_does_not_come_is_asked_for_again_and_at_last_the_command_is_aborted():
    script = at_level_1()
    task = asked(script, reading(0, 8))
    script.say(data_in(task, 1))
    for _ in range(2):
        assert snacks(script.pass_time(5)) == [(0, task.itt, 0, 1)]
    (abort,) = script.pass_time(5)
    assert isinstance(abort, TaskManagementRequest)
    assert abort.referenced_task_tag == task.itt
    script.say(TaskManagementResponse(itt=abort.itt))
    assert task.lost == "data were lost: aborted"
    assert not script.connection.closed


def reject_of(snack: SnackRequest) -> Reject:
    return Reject(reason=RejectReason.SNACK_REJECT, data=bytes(encode(snack)[0]))


def test_a_snack_that_is_rejected_leaves_the_command_to_its_status():
    script = at_level_1()
    task = asked(script, reading(0, 8))
    (snack,) = script.say(data_in(task, 1))
    assert script.say(reject_of(snack)) == []
    sense = bytes.fromhex("70000b000000000000000000110d0000")
    segment = len(sense).to_bytes(2) + sense
    script.say(response(task, status=2, exp_data_sn=2, data=segment))
    assert (task.status, task.sense) == (2, sense)


@pytest.mark.parametrize("early", [False, True])
def test_a_good_status_is_not_believed_if_data_are_lost(early: bool):
    script = at_level_1()
    task = asked(script, reading(0, 8))
    (snack,) = script.say(data_in(task, 1))
    answers = [response(task, exp_data_sn=2), reject_of(snack)]
    for answer in answers if early else reversed(answers):
        script.say(answer)
    assert task.over
    assert task.status == 2
    assert task.sense[12:14] == b"\x47\x05"


@requirement("7143-11.16.4-1")
@requirement("7143-11.16-2")
def test_statuses_that_are_missing_are_asked_for():
    script = at_level_1()
    first, second = asked(script, reading(0, 0)), asked(script, reading(0, 0))
    due = script.stat_sn
    script.stat_sn += 1
    sent = script.say(response(second))
    assert snacks(sent) == [(SnackType.STATUS, NO_TASK, due, 1)]
    assert (second.over, first.over) == (True, False)
    (command,) = script.request(reading(0, 0))
    assert command.exp_stat_sn == due
    script.stat_sn = due
    script.say(response(first))
    assert first.over
    script.stat_sn = due + 2
    (command,) = script.request(reading(0, 0))
    assert command.exp_stat_sn == due + 2


@pytest.mark.parametrize("hint", [NopIn, ReadyToTransfer])
def test_pdus_that_are_no_status_tell_which_is_the_next(hint: Any):
    script = at_level_1(b"ImmediateData=No\0")
    task = asked(script, writing(0, bytes(100)))
    due = script.stat_sn
    script.stat_sn += 2
    pdu = NopIn() if hint is NopIn else None
    pdu = pdu or ReadyToTransfer(itt=task.itt, ttt=5, desired_data_transfer_length=100)
    sent = [each for each in script.say(pdu) if isinstance(each, SnackRequest)]
    assert snacks(sent) == [(SnackType.STATUS, NO_TASK, due, 2)]


@requirement("7143-7.1.4.3-2")
def test_statuses_that_do_not_come_end_the_connection():
    script = at_level_1()
    script.stat_sn += 1
    script.say(response(asked(script, reading(0, 0))))
    for _ in range(3):
        script.pass_time(5)
    assert script.connection.reason == "statuses are missing, and were not sent again"
    assert script.happened(SessionFailed)


def test_more_statuses_than_can_be_missing_end_the_session():
    script = at_level_1()
    script.stat_sn += 2000
    script.say(response(asked(script, reading(0, 0))))
    assert script.connection.closed


def test_more_data_than_can_be_missing_end_the_session():
    script = at_level_1()
    script.say(data_in(asked(script, reading(0, 16)), 2000, buffer_offset=0))
    assert script.connection.closed


def damaged(script: Script, pdu: Any) -> list[Any]:
    script.number(pdu)
    data = b"".join(map(bytes, encode(pdu, data_digest=True)))
    script.feed(data[:-1] + bytes([data[-1] ^ 1]))
    return script.hear()


def test_damaged_data_are_asked_for():
    script = at_level_1(b"DataDigest=CRC32C\0", data_digests=("CRC32C",))
    task = asked(script, reading(0, 8))
    last = data_in(task, 1, final=True, has_status=True)
    assert snacks(damaged(script, data_in(task, 0))) == [(0, task.itt, 0, 1)]
    assert snacks(damaged(script, last)) == [(0, task.itt, 1, 1)]
    assert damaged(script, data_in(reading(0, 8, itt=99), 0)) == []
    assert not script.connection.closed


@requirement("7143-7.8-8")
def test_a_damaged_response_is_asked_for_as_if_it_had_not_come():
    script = at_level_1(b"DataDigest=CRC32C\0", data_digests=("CRC32C",))
    task = asked(script, reading(0, 0))
    due = script.stat_sn
    sent = damaged(script, response(task, status=2, data=b"\0\2no"))
    assert snacks(sent) == [(SnackType.STATUS, NO_TASK, due, 1)]
    assert not task.over


@requirement("7143-11.7.2-2")
@requirement("7143-11.16.5-1")
@requirement("7143-11.16-2")
def test_data_are_not_acknowledged_while_some_are_missing():
    script = at_level_1()
    task = asked(script, reading(0, 12, lun=1 << 48))
    asks = {"acknowledge": True, "ttt": 5, "lun": 1 << 48, "final": True}
    assert snacks(script.say(data_in(task, 1, **asks))) == [(0, task.itt, 0, 1)]
    (snack,) = script.say(data_in(task, 0))
    assert (snack.type, snack.itt, snack.ttt, snack.lun) == (2, NO_TASK, 5, 1 << 48)
    assert (snack.beg_run, snack.run_length) == (2, 0)


def other_segments(script: Script, length: int) -> None:
    """The initiator takes segments of this length from here on."""
    object.__setattr__(script.session.intent.offer, "max_recv_data_segment_length", length)
    (request,) = script.request(TextWish(negotiates=True))
    script.say(TextResponse(itt=request.itt))


@requirement("7143-11.4.4-1")
@requirement("7143-11.16.6-1")
@requirement("7143-11.16.7-1")
@requirement("7143-11.16-2")
@requirement("7143-11.16.5-2")
def test_data_that_were_cut_for_another_length_are_asked_for_all_together():
    script = at_level_1()
    task = asked(script, reading(0, 16))
    script.say(data_in(task, 0, acknowledge=True, ttt=5, final=True))
    script.say(data_in(task, 1))
    other_segments(script, 512)
    (snack,) = script.say(data_in(task, 3))
    assert (snack.type, snack.itt, snack.beg_run, snack.run_length) == (3, task.itt, 0, 0)
    assert snack.snack_tag not in (0, NO_TASK)
    assert script.say(data_in(task, 2, data=b"late")) == [], "it was on its way"
    script.say(data_in(task, 1))
    other_segments(script, 1024)
    old, (snack,) = snack, script.say(data_in(task, 3))
    assert (snack.type, snack.itt) == (old.type, old.itt)
    assert snack.snack_tag not in (0, NO_TASK, old.snack_tag)
    first = script.stat_sn
    script.say(response(task, exp_data_sn=4))
    assert not task.over, "this status is about the data of before"
    for place in range(1, 4):
        script.say(data_in(task, place))
    script.stat_sn = first
    script.say(response(task, exp_data_sn=4, snack_tag=snack.snack_tag))
    assert (task.over, task.status) == (True, 0)
    assert task.data_in == bytes([0] * 4 + [1] * 4 + [2] * 4 + [3] * 4)
    assert not script.connection.closed


def test_an_r2t_that_is_missing_is_asked_for_and_the_others_are_answered():
    script = at_level_1(b"ImmediateData=No\0")
    task = asked(script, writing(0, bytes(200)))
    r2t = ReadyToTransfer(itt=task.itt, ttt=5, r2t_sn=1, desired_data_transfer_length=100)
    snack, data_out = script.say(r2t)
    assert snacks([snack]) == [(0, task.itt, 0, 1)]
    assert data_out.ttt == 5
    late = ReadyToTransfer(
        itt=task.itt, ttt=6, r2t_sn=0, buffer_offset=100, desired_data_transfer_length=100
    )
    (data_out,) = script.say(late)
    assert (data_out.ttt, data_out.buffer_offset) == (6, 100)
    assert script.say(late) == []


@requirement("7143-7.1.4.1-1")
def test_an_r2t_is_not_missed_because_time_has_passed():
    script = at_level_1(b"ImmediateData=No\0")
    asked(script, writing(0, bytes(200)))
    for _ in range(100):
        assert script.pass_time(6) == []


def test_a_recovery_r2t_is_answered():
    script = at_level_1(b"ImmediateData=No\0")
    task = asked(script, writing(0, bytes(200)))
    for number in range(2):
        r2t = ReadyToTransfer(
            itt=task.itt, ttt=5 + number, r2t_sn=number, desired_data_transfer_length=200
        )
        assert [pdu.ttt for pdu in script.say(r2t)] == [5 + number]


def test_a_ping_still_comes_back():
    script = at_level_1()
    ping = Ping(immediate=True)
    (pdu,) = script.request(ping)
    assert isinstance(pdu, NopOut)
    script.say(NopIn(itt=pdu.itt))
    assert ping.over


@given(
    order=st.permutations(range(6)),
    lost=st.sets(st.integers(0, 5)),
    early=st.integers(0, 6),
)
@settings(deadline=None)
def test_whatever_is_lost_on_the_way_the_data_are_right_in_the_end(
    order: list[int], lost: set[int], early: int
):
    script = at_level_1(
        b"DataPDUInOrder=No\0DataSequenceInOrder=No\0",
        data_pdu_in_order=False,
        data_sequence_in_order=False,
    )
    task = asked(script, reading(0, 24))
    pdus = [data_in(task, place, buffer_offset=4 * order[place]) for place in range(6)]
    sent: list[Any] = []
    for place, pdu in enumerate(pdus):
        if place == early:
            sent += script.say(response(task, exp_data_sn=6))
        if place not in lost:
            sent += script.say(pdu)
    if early == 6:
        sent += script.say(response(task, exp_data_sn=6))
    for _ in range(20):
        if not sent:
            break
        snack = sent.pop(0)
        assert isinstance(snack, SnackRequest)
        for place in range(snack.beg_run, snack.beg_run + snack.run_length):
            sent += script.say(pdus[place])
    assert task.over
    expected = bytearray(24)
    for place in range(6):
        expected[4 * order[place] : 4 * order[place] + 4] = bytes([place] * 4)
    assert task.data_in == expected
    (command,) = script.request(reading(0, 0))
    assert isinstance(command, ScsiCommand)
    assert command.exp_stat_sn == script.stat_sn
