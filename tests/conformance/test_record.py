"""What the record keeps is bounded, and what has ended is forgotten."""

from __future__ import annotations

import pytest

from tests.conformance.talk import INITIATOR, Talk
from trioscsi.conformance import Verdict, record
from trioscsi.conformance.record import ENDED_KEPT, Phase
from trioscsi.pdu import (
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    Reject,
    ScsiCommand,
    ScsiResponse,
    encode,
)


def test_tags_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(record, "TAGS_KEPT", 100)
    talk = Talk().log_in()
    for number in range(record.TAGS_KEPT + 5):
        talk.ask(NopOut, itt=number)
    (session,) = talk.judge.record.sessions.values()
    assert len(session.tags) == record.TAGS_KEPT


def test_tasks_that_have_ended_and_pings_are_remembered_up_to_a_bound():
    talk = Talk().log_in()
    for number in range(ENDED_KEPT + 5):
        talk.answer(ScsiResponse, talk.ask(ScsiCommand))
        talk.answer(NopIn, counts=False, ttt=number)
    (connection,) = talk.judge.record.connections.values()
    assert (len(connection.ended), len(connection.pings)) == (ENDED_KEPT, ENDED_KEPT)
    talk.data(talk.make(ScsiCommand, itt=1), 4)
    assert talk.failing() == set()


def test_a_connection_that_has_ended_is_forgotten_with_its_tasks():
    talk = Talk().log_in()
    talk.ask(ScsiCommand)
    talk.close()
    (session,) = talk.judge.record.sessions.values()
    assert not talk.judge.record.connections
    assert (session.tags, session.connections) == ({}, {})


def test_a_reinstated_connection_takes_the_place_of_the_old_one():
    talk = Talk().log_in()
    talk.ask(ScsiCommand)
    new = Talk(talk).log_in(fields={"tsih": 1})
    (session,) = talk.judge.record.sessions.values()
    assert (session.connections, session.tags) == ({0: new.number}, {})


def test_a_logout_that_fails_or_is_rejected_leaves_the_connection_as_it_was():
    talk = Talk().log_in()
    talk.answer(LogoutResponse, talk.ask(LogoutRequest), response=1)
    rejected = talk.ask(LogoutRequest)
    talk.answer(Reject, reason=4, data=b"".join(map(bytes, encode(rejected))))
    talk.answer(ScsiResponse, talk.ask(ScsiCommand))
    assert talk.result("M-25").verdict is Verdict.PASS
    assert talk.failing() == set()


def test_a_failed_logout_whose_tag_another_request_has_taken_leaves_its_connection():
    talk = Talk().log_in()
    logout = talk.ask(LogoutRequest)
    talk.ask(NopOut, itt=logout.itt)
    talk.answer(LogoutResponse, logout, response=1)
    (connection,) = talk.judge.record.connections.values()
    assert connection.phase is Phase.FULL_FEATURE


def test_a_command_that_moves_data_the_other_way_has_nothing_missing():
    talk = Talk().log_in()
    command = talk.ask(ScsiCommand, read=True, expected_data_transfer_length=1)
    talk.answer(ScsiResponse, command, overflow=True, residual_count=8)
    assert talk.failing() == set()


def test_a_discovery_session_of_the_same_tsih_is_another_session():
    talk = Talk().log_in(MaxOutstandingR2T="3")
    discovery = {"InitiatorName": INITIATOR, "SessionType": "Discovery"}
    Talk(talk).log_in(discovery)
    again = Talk(talk).log_in(fields={"tsih": 1})
    command = again.ask(ScsiCommand, write=True, expected_data_transfer_length=1024)
    for number in range(3):
        again.r2t(command, 256, ttt=number, r2t_sn=number, buffer_offset=number * 256)
    (session,) = talk.judge.record.sessions.values()
    assert not session.discovery
    assert again.failing() == set()
