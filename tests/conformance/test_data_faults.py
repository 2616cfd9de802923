"""Monitors of written data, and what they find."""

from __future__ import annotations

import pytest

from tests.conformance.conversations import MANY_R2TS, UNASKED
from tests.conformance.faults import Faults, check
from tests.conformance.talk import Talk
from trioscsi.conformance import Verdict
from trioscsi.pdu import NO_TASK, ScsiCommand, ScsiResponse, TaskManagementRequest

FAULTS = Faults()
fault = FAULTS.fault


def asked(length: int = 1000, **keys: str) -> tuple[Talk, ScsiCommand]:
    """A write of which nothing was sent."""
    talk = Talk().log_in(**keys)
    return talk, talk.write(length)


@fault("M-10", "7143-11.3.1-1")
def neither_w_nor_f():
    talk = Talk().log_in()
    talk.ask(ScsiCommand, final=False)
    return talk


@fault("M-10", "7143-11.3.1-2")
def data_in_no_direction():
    talk = Talk().log_in()
    talk.ask(ScsiCommand, expected_data_transfer_length=1)
    return talk


@fault("M-11", "7143-11.3.4-2")
def all_is_here_and_more_is_announced():
    talk = Talk().log_in(**UNASKED)
    talk.write(4, b"data", final=False)
    return talk


@fault("M-12", "7143-13.11-1")
def immediate_data_where_there_are_none():
    talk = Talk().log_in(ImmediateData="No")
    talk.write(4, b"data")
    return talk


@fault("M-12", "7143-11.3.1-2")
def data_for_a_read():
    talk = Talk().log_in()
    talk.ask(ScsiCommand, read=True, expected_data_transfer_length=4, data=b"data")
    return talk


@fault("M-13", "7143-11.8-1")
def more_is_announced_where_nothing_may_come_unasked():
    talk = Talk().log_in()
    talk.write(8, b"data", final=False)
    return talk


@fault("M-13", "7143-11.8-1")
def data_come_unasked_and_unannounced():
    talk, command = asked(**UNASKED)
    talk.data(command, 4)
    return talk


@fault("M-14", "7143-13.12-1")
def too_much_immediate_data():
    talk = Talk().log_in(**UNASKED)
    talk.write(1000, bytes(516))
    return talk


@fault("M-14", "7143-13.12-1")
def more_unasked_than_the_first_burst():
    talk = Talk().log_in(**UNASKED)
    talk.data(talk.write(1000, final=False), 516, final=False)
    return talk


@fault("M-14", "7143-4.2.5.2-1")
def less_unasked_than_the_first_burst():
    talk = Talk().log_in(**UNASKED)
    talk.data(talk.write(1000, final=False), 508)
    return talk


@fault("M-15", "7143-4.2.2.4-1")
def data_sn_does_not_begin_with_0():
    talk, command = asked()
    talk.data(talk.r2t(command, 1000), 1000, data_sn=1)
    return talk


@fault("M-15", "7143-4.2.2.4-1")
def data_sn_goes_on_from_sequence_to_sequence():
    talk, command = asked(2000, MaxBurstLength="1000")
    talk.data(talk.r2t(command, 1000), 1000)
    second = talk.r2t(command, 1000, buffer_offset=1000, r2t_sn=1)
    talk.data(second, 1000, buffer_offset=1000, data_sn=1)
    return talk


@fault("M-16", "7143-11.8-3")
def a_gap_in_a_sequence():
    talk, command = asked()
    r2t = talk.r2t(command, 1000)
    talk.data(r2t, 400, final=False)
    talk.data(r2t, 500, data_sn=1, buffer_offset=500)
    return talk


@fault("M-16", "7143-11.8-2")
def more_than_an_r2t_asks_for():
    talk, command = asked()
    talk.data(talk.r2t(command, 500), 504, final=False)
    return talk


@fault("M-16", "7143-11.8-4")
def the_last_data_without_f():
    talk, command = asked()
    talk.data(talk.r2t(command, 1000), 1000, final=False)
    return talk


@fault("M-16", "7143-11.8-4")
def less_than_an_r2t_asks_for():
    talk, command = asked()
    talk.data(talk.r2t(command, 1000), 996)
    return talk


@fault("M-17", "7143-11.7.4-1")
def a_transfer_tag_that_nobody_gave():
    talk, command = asked()
    talk.data(talk.r2t(command, 1000), 1000, ttt=8)
    return talk


@fault("M-17", "7143-11.7.4-1", also="M-44")
def another_unit_than_that_of_the_r2t():
    talk, command = asked()
    talk.data(talk.r2t(command, 1000), 1000, lun=1)
    return talk


@fault("M-18", "7143-11.7.7-1", Verdict.WARN)
def a_segment_that_is_no_whole_words():
    talk, command = asked()
    talk.data(talk.r2t(command, 1000), 333, final=False)
    return talk


@fault("M-19", "7143-11.8-5")
def the_second_r2t_first():
    talk = Talk().log_in(**MANY_R2TS)
    command = talk.write(2000)
    talk.r2t(command, 1000, ttt=1)
    second = talk.r2t(command, 1000, ttt=2, r2t_sn=1, buffer_offset=1000)
    talk.data(second, 1000, buffer_offset=1000)
    return talk


@fault("M-20", "7143-4.2.5.1-1")
def data_after_the_end_that_was_acknowledged():
    talk, command = asked()
    talk.answer(ScsiResponse, command)
    talk.data(command, 4)
    return talk


@fault("M-20", "7143-4.2.5.1-1")
def data_for_a_task_that_never_was():
    talk, command = asked()
    talk.data(command, 4, itt=99)
    return talk


@fault("M-20", "7143-4.2.5.1-1")
def data_on_another_connection():
    talk = Talk().log_in(MaxConnections="2")
    other = Talk(talk).log_in(fields={"tsih": 1, "cid": 1})
    command = talk.write(1000)
    r2t = talk.r2t(command, 1000)
    other.data(r2t, 1000)
    return other


@fault("M-44", "7143-4.2.5.3-1")
def unsolicited_data_for_another_unit():
    talk = Talk().log_in(**UNASKED)
    talk.data(talk.write(512, final=False), 512, lun=1)
    return talk


@pytest.mark.parametrize(("monitor", "rule", "verdict", "failing", "converse"), FAULTS)
def test_a_fault_is_found(monitor, rule, verdict, failing, converse):
    check(monitor, rule, verdict, failing, converse)


def test_data_that_cross_the_status_are_nobodys_fault():
    talk, command = asked()
    before = talk.stat_sn
    talk.answer(ScsiResponse, command)
    talk.stat_sn = before
    talk.data(command, 4)
    assert talk.result("M-20").verdict is Verdict.PASS


def test_who_aborts_a_task_set_may_end_its_sequences_early():
    talk, command = asked()
    r2t = talk.r2t(command, 1000)
    talk.ask(TaskManagementRequest, immediate=True, function=2)
    talk.data(r2t, 4)
    assert talk.failing() == set()


def test_data_that_answer_an_r2t_without_a_tag_did_not_come_unasked():
    talk, command = asked()
    talk.r2t(command, 1000, ttt=NO_TASK)
    talk.data(command, 1000, ttt=NO_TASK)
    assert "M-13" not in talk.failing()


def test_an_r2t_for_another_unit_than_that_of_its_command_has_no_lun_to_be_copied():
    talk, command = asked()
    talk.data(talk.r2t(command, 1000, lun=1), 1000, lun=command.lun)
    assert talk.result("M-17").verdict is Verdict.PASS
