"""Sessions and what their connections do to them (RFC 7143 sections 6.3.5, 6.3.6 and 8.3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import Gate, Peer, connect, leading_keys, login, login_request
from tests.requirements import requirement
from tests.transitions import TransitionCounter
from trioscsi.limits import Limits
from trioscsi.pdu import LoginStage, LogoutReason, LogoutRequest
from trioscsi.protocol import Session, SessionBegan, SessionEnded, TasksCleared
from trioscsi.text import Offer

TWO = {"MaxConnections": "2"}
WAIT = 22.0
"""DefaultTime2Wait and DefaultTime2Retain, if nobody says otherwise."""


def gate_of(**limits: Any) -> Gate:
    offer = Offer(max_connections=4)
    return Gate(offer, Limits(ping_interval=0, **limits), TransitionCounter())


def labels(gate: Gate, machine: str = "session") -> set[str]:
    """The labels of the transitions that were taken."""
    assert isinstance(gate.watcher, TransitionCounter)
    return {row.label for row in gate.watcher.counts if row.machine == machine}


def session_of(peer: Peer) -> Session:
    session = peer.connection.session
    assert session is not None
    return session


def again(gate: Gate, lost: Peer, **fields: Any) -> Peer:
    """A login that wants to bring a session back, and has not ended."""
    peer = connect(gate, now=lost.now)
    fields = {"tsih": session_of(lost).tsih, "transit": False, "nsg": 0, **fields}
    peer.send(login_request(leading_keys(), **fields))
    return peer


def kinds(gate: Gate) -> list[type]:
    return [type(event) for event in gate.disk.events]


def test_a_session_begins_with_a_login_and_ends_with_one_that_fails():
    gate = gate_of()
    peer = connect(gate)
    peer.send(login_request(leading_keys(), transit=False, nsg=0))
    assert session_of(peer).state == "ACTIVE"
    peer.connection.lost("gone", 0.0)
    assert session_of(peer).state == "FREE"
    assert labels(gate) == {"N1", "N9"}
    assert kinds(gate) == []


def test_a_session_is_closed_with_its_last_connection():
    gate = gate_of()
    peer = login(gate)
    peer.send(peer.request(LogoutRequest, reason=LogoutReason.CLOSE_CONNECTION))
    assert session_of(peer).state == "FREE"
    assert gate.target.sessions == []
    assert labels(gate) == {"N1", "N2", "N3"}
    assert kinds(gate) == [SessionBegan, SessionEnded]


def test_a_session_fails_with_its_last_connection_and_times_out():
    gate = gate_of()
    peer = login(gate)
    peer.connection.lost("gone", 0.0)
    session = session_of(peer)
    assert session.state == "FAILED"
    assert gate.target.deadlines.next() == WAIT
    gate.target.deadlines.run(WAIT - 1)
    assert gate.target.sessions == [session]
    gate.target.deadlines.run(WAIT)
    assert session.state == "FREE"
    assert gate.target.sessions == []
    gate.disk.handle()
    assert kinds(gate) == [SessionBegan, SessionEnded]
    assert labels(gate) == {"N1", "N2", "N5", "N6"}


def test_the_negotiated_times_count():
    gate = gate_of()
    peer = login(gate, keys={"DefaultTime2Wait": "5", "DefaultTime2Retain": "0"})
    peer.connection.lost("gone", 0.0)
    assert gate.target.deadlines.next() == 5.0


def test_the_time_counts_from_the_loss_and_not_from_the_last_pdu():
    gate = gate_of()
    peer = login(gate)
    peer.connection.lost("gone", 100.0)
    assert gate.target.deadlines.next() == 100.0 + WAIT


def test_a_failed_session_is_continued_by_a_login():
    gate = gate_of()
    old = login(gate)
    old.connection.lost("gone", 0.0)
    new = again(gate, old)
    assert session_of(old).state == "IN_CONTINUE"
    assert gate.target.deadlines.next() is None
    new.send(login_request(tsih=session_of(old).tsih))
    assert session_of(new) is session_of(old)
    assert session_of(new).state == "LOGGED_IN"
    assert session_of(new).connections == [new.connection]
    assert {"N7", "N10"} <= labels(gate)
    gate.disk.handle()
    assert kinds(gate) == [SessionBegan]


def test_a_failed_session_may_be_continued_by_another_connection():
    gate = gate_of()
    old = login(gate, keys=TWO)
    old.connection.lost("gone", 0.0)
    new = login(gate, tsih=session_of(old).tsih, cid=1)
    assert session_of(new).state == "LOGGED_IN"
    gate.target.deadlines.run(WAIT)
    assert session_of(new).connections == [new.connection]
    assert session_of(new).state == "LOGGED_IN"


def test_a_login_that_fails_leaves_a_failed_session_as_it_was():
    gate = gate_of()
    old = login(gate)
    old.connection.lost("gone", 0.0)
    again(gate, old).connection.lost("gone too", 0.0)
    assert session_of(old).state == "FAILED"
    assert {"N7", "N8"} <= labels(gate)
    gate.target.deadlines.run(WAIT)
    assert session_of(old).state == "FREE"


def test_a_session_is_failed_when_the_last_of_several_logins_has():
    gate = gate_of()
    old = login(gate)
    old.connection.lost("gone", 0.0)
    one, other = again(gate, old), again(gate, old)
    one.connection.lost("gone too", 0.0)
    assert session_of(old).state == "IN_CONTINUE"
    other.connection.lost("gone too", 0.0)
    assert session_of(old).state == "FAILED"


def test_a_session_that_times_out_during_a_login_ends_with_it():
    gate = gate_of()
    old = login(gate, keys=TWO)
    old.connection.lost("gone", 0.0)
    new = again(gate, old, cid=1)
    gate.target.deadlines.run(WAIT)
    assert session_of(old).state == "IN_CONTINUE"
    new.connection.lost("gone too", 0.0)
    assert session_of(old).state == "FREE"
    assert gate.target.sessions == []


def test_a_session_that_fails_during_a_login_goes_on_with_it():
    gate = gate_of()
    old = login(gate, keys=TWO)
    new = again(gate, old, cid=1)
    old.connection.lost("gone", 0.0)
    assert session_of(old).state == "FAILED"
    new.send(login_request(tsih=session_of(old).tsih, cid=1))
    assert session_of(new).state == "LOGGED_IN"


def test_a_failed_session_is_reinstated():
    gate = gate_of()
    old = login(gate)
    old.connection.lost("gone", 0.0)
    new = login(gate)
    assert session_of(old).state == "FREE"
    assert gate.target.sessions == [session_of(new)]
    assert gate.target.deadlines.next() is None
    assert "N6" in labels(gate)
    assert kinds(gate) == [SessionBegan, SessionEnded, SessionBegan]


@requirement("7143-7.15-2")
def test_a_session_is_reinstated_while_another_login_continues_it():
    gate = gate_of()
    old = login(gate)
    old.connection.lost("gone", 0.0)
    continuing = again(gate, old)
    new = login(gate)
    assert session_of(old).state == "FREE"
    assert continuing.connection.closed
    assert gate.target.sessions == [session_of(new)]
    assert "N11" in labels(gate)


def test_one_connection_of_several_may_be_lost():
    gate = gate_of()
    first = login(gate, keys=TWO)
    second = login(gate, tsih=session_of(first).tsih, cid=1)
    gate.disk.lazy = True
    first.send(first.reading(0, 4))
    second.cmd_sn = first.cmd_sn
    second.send(second.request(LogoutRequest, immediate=True, reason=9))
    first.connection.lost("gone", 0.0)
    gate.disk.handle()
    assert session_of(first).state == "LOGGED_IN"
    assert len(session_of(first).tasks) == 0
    assert kinds(gate) == [SessionBegan, TasksCleared]
    gate.target.deadlines.run(WAIT)
    assert session_of(first).connections == [second.connection]


def test_a_session_with_a_lost_connection_fails_when_the_other_logs_out():
    gate = gate_of()
    first = login(gate, keys=TWO)
    second = login(gate, tsih=session_of(first).tsih, cid=1)
    first.connection.lost("gone", 0.0)
    second.send(second.request(LogoutRequest, reason=LogoutReason.CLOSE_CONNECTION, cid=1))
    assert session_of(first).state == "FAILED"
    gate.target.deadlines.run(WAIT)
    assert session_of(first).state == "FREE"


def test_a_logout_of_the_session_ends_all_its_connections():
    gate = gate_of()
    first = login(gate, keys={"MaxConnections": "4"})
    tsih = session_of(first).tsih
    second, third = (login(gate, tsih=tsih, cid=cid) for cid in (1, 2))
    third.connection.lost("gone", 0.0)
    joining = again(gate, first, cid=3)
    second.send(second.request(LogoutRequest, reason=LogoutReason.CLOSE_SESSION, cid=1))
    peers = (first, second, third, joining)
    assert all(peer.connection.closed for peer in peers)
    assert session_of(first).state == "FREE"
    assert session_of(first).connections == []
    assert gate.target.deadlines.next() is None
    assert {"T7", "T8", "T13", "T15"} <= labels(gate, "connection")
    assert labels(gate, "cleanup") == {"M1"}


def test_discovery_sessions_begin_and_end_as_others_do():
    gate = gate_of()
    peer = login(gate, discovery=True)
    peer.connection.lost("gone", 0.0)
    gate.discovery.deadlines.run(WAIT)
    assert session_of(peer).state == "FREE"
    assert gate.discovery.events == [
        SessionBegan(session_of(peer), peer.connection),
        SessionEnded(session_of(peer), "timed_out"),
    ]


def test_an_aborted_task_is_aborted_once():
    gate = gate_of()
    peer = login(gate)
    gate.disk.lazy = True
    peer.send(peer.reading(0, 4))
    session = session_of(peer)
    (task,) = session.tasks
    session.abort([task, task])
    session.abort([task])
    assert len(gate.target.events) == 1
    assert list(gate.target.dying) == [task]


def test_stages_are_those_of_a_login():
    """A session knows a login by its connection alone, whatever its stage."""
    gate = gate_of()
    old = login(gate)
    old.connection.lost("gone", 0.0)
    new = again(gate, old, csg=LoginStage.SECURITY_NEGOTIATION)
    assert session_of(old).state == "IN_CONTINUE"
    assert new.connection.in_login


def writing(gate: Gate, *lengths: int) -> tuple[Peer, list[int]]:
    """A peer with writes under way whose data has to be asked for, and their task tags."""
    peer = login(gate, keys={"ImmediateData": "No"})
    commands = [peer.write(0, bytes(length))[0] for length in lengths]
    peer.send(*commands)
    return peer, [command.itt for command in commands]


def asked(peer: Peer) -> list[int]:
    return [itt for itt, sent in peer.open.items() if sent.r2ts]


def test_write_buffers_are_bounded_and_handed_on_in_order():
    peer, (first, second, third) = writing(gate_of(write_buffers=65_536), 60_000, 60_000, 10)
    session = session_of(peer)
    assert asked(peer) == [first]
    assert session.write_buffers == 60_000
    peer.obey(list(peer.open[first].r2ts))
    assert peer.answers.keys() == {first, second, third}
    assert session.write_buffers == 0


def test_a_waiting_task_stays_the_first_until_there_is_room():
    peer, (first, small, large, last) = writing(
        gate_of(write_buffers=65_536), 30_000, 30_000, 60_000, 6_000
    )
    assert asked(peer) == [first, small]
    session = session_of(peer)
    tasks = {task.itt: task for task in session.tasks}
    session.abort([tasks[first]])
    peer.abandon(first)
    peer.receive()
    assert asked(peer) == [small]
    assert [task.itt for task in session.waiting] == [large, last]
    session.abort([tasks[large]])
    session.abort([tasks[small]])
    peer.abandon(small, large)
    peer.receive()
    assert asked(peer) == [last]


@pytest.mark.parametrize("told", [False, True])
def test_a_task_that_has_ended_does_not_wait_for_write_buffers(told: bool):
    """Whoever has taken them may keep them for ever."""
    peer, (first, *waiting) = writing(gate_of(write_buffers=65_536), 60_000, 60_000, 60_000)
    session = session_of(peer)
    assert len(session.waiting) == 2
    session.abort([task for task in session.tasks if task.itt != first], told=told)
    if not told:
        peer.abandon(*waiting)
    assert len(peer.receive()) == 2 * told
    assert not session.waiting


def test_a_task_that_nobody_has_in_hand_needs_no_release():
    peer, itts = writing(gate_of(), 1000)
    session = session_of(peer)
    session.abort(session.tasks)
    assert list(session.node.dying) == []
    assert session.node.events == []
    assert len(itts) == 1


def test_the_wait_for_the_initiator_may_be_cut_short():
    gate = gate_of()
    peer = login(gate)
    peer.connection.lost("gone", 0.0)
    session_of(peer).end_cleanups()
    assert session_of(peer).state == "FREE"
