from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import Gate, Peer, connect, leading_keys, login, login_request
from tests.requirements import requirement
from trioscsi.limits import Limits
from trioscsi.machines import Transition
from trioscsi.pdu import LogoutRequest, NopOut
from trioscsi.protocol import TargetConnection
from trioscsi.text import Offer

LIMITS = Limits(ping_interval=0, login_time=15.0)


def open_peer(**keys: str) -> Peer:
    return login(Gate(limits=LIMITS), keys=keys)


def begun() -> Peer:
    """A peer in the middle of its login."""
    peer = connect(Gate(limits=LIMITS))
    peer.send(login_request(leading_keys(), transit=False, nsg=0))
    return peer


def state(peer: Peer) -> str:
    return peer.connection.machine.state


def test_a_connection_goes_through_the_states_of_the_rfc():
    seen: list[Transition] = []
    peer = login(Gate(limits=LIMITS, watcher=seen.append))
    peer.send(peer.request(LogoutRequest))
    labels = [row.label for row in seen if row.machine == "connection"]
    assert labels == ["T3", "T4", "T5", "T9", "T13"]


def test_output_is_taken_once():
    peer = open_peer()
    connection = peer.connection
    connection.receive(peer.encode(NopOut(itt=1)))
    assert not connection.pump(0.0, 10)
    assert connection.output_size == 48
    assert sum(map(len, connection.take_output())) == 48
    assert connection.output_size == 0
    assert connection.take_output() == []


def test_a_turn_handles_no_more_pdus_than_it_may():
    peer = open_peer()
    connection = peer.connection
    connection.receive(peer.encode(*(NopOut(itt=itt) for itt in range(3))))
    assert connection.pump(0.0, 2)
    assert len(peer.receive()) == 2
    assert not connection.pump(0.0, 2)
    assert len(peer.receive()) == 1


def test_nothing_is_handled_after_the_end():
    peer = open_peer()
    assert len(peer.send(peer.request(LogoutRequest), NopOut(itt=9))) == 1
    assert not peer.connection.pump(0.0, 5)


def test_nothing_is_sent_after_the_end():
    peer = open_peer()
    peer.connection.drop("enough")
    peer.connection.send(NopOut())
    assert peer.connection.take_output() == []


def test_the_driver_is_woken_by_what_others_do():
    gate, woken = Gate(limits=LIMITS), []
    connection = TargetConnection(gate, LIMITS, now=0.0, wake=lambda: woken.append(True))
    peer = Peer(connection, gate)
    peer.send(login_request(leading_keys()))
    woken.clear()
    login(gate)
    assert connection.closed
    assert woken


@pytest.mark.parametrize("pdu", [NopOut(), LogoutRequest()])
def test_the_first_pdu_is_a_login_request(pdu: Any):
    peer = connect(Gate(limits=LIMITS))
    assert peer.send(pdu) == []
    assert peer.connection.closed
    assert state(peer) == "FREE"
    assert peer.connection.next_deadline() is None


@requirement("7143-4.2.4-6")
def test_a_first_pdu_that_is_none_closes_the_connection():
    peer = connect(Gate(limits=LIMITS))
    assert peer.feed(b"\xff" * 48) == []
    assert peer.connection.closed


def test_a_peer_that_never_logs_in_is_cut_off():
    peer = connect(Gate(limits=LIMITS))
    assert peer.connection.next_deadline() == 15.0
    peer.pass_time(15.0)
    assert peer.connection.closed
    assert state(peer) == "FREE"


def test_a_connection_without_login_may_be_lost():
    peer = connect(Gate(limits=LIMITS))
    peer.connection.lost("gone", 0.0)
    assert state(peer) == "FREE"


def test_only_the_first_end_counts():
    peer = begun()
    peer.connection.lost("gone", 0.0)
    peer.connection.lost("gone again", 0.0)
    peer.connection.drop("enough")
    assert peer.connection.remarks == ["gone"]


def test_a_connection_that_logs_in_is_dropped_instead_of_asked_to_log_out():
    peer = begun()
    assert peer.connection.in_login
    peer.connection.ask_for_logout(0.0)
    assert state(peer) == "FREE"
    assert not peer.connection.in_login


def test_a_dropped_connection_waits_for_its_cleanup():
    peer = open_peer()
    peer.connection.drop("enough")
    assert state(peer) == "CLEANUP_WAIT"
    assert not peer.connection.full_feature
    peer.connection.cleanup_timed_out()
    peer.connection.cleanup_timed_out()
    assert peer.connection.session.state == "FREE"


def test_a_cleanup_that_another_login_has_begun_starts_again_if_it_fails():
    offer = Offer()
    gate = Gate(offer, LIMITS)
    peer = login(gate)
    peer.connection.lost("gone", 0.0)
    tsih = peer.connection.session.tsih
    other = connect(gate)
    other.send(login_request(leading_keys(), tsih=tsih, transit=False, nsg=0))
    assert gate.target.deadlines.next() is None
    other.connection.lost("gone too", 0.0)
    assert gate.target.deadlines.next() == 22.0


def test_status_numbers_wrap():
    peer = open_peer()
    peer.connection.stat_sn = peer.exp_stat_sn = peer.wire.known.stat_sn = 0xFFFFFFFF
    answers = peer.send(peer.reading(0, 4), peer.reading(0, 4))
    assert [pdu.stat_sn for pdu in answers] == [0xFFFFFFFF, 0]


def test_remarks_say_what_was_wrong():
    peer = begun()
    peer.send(login_request(csg=0))
    (remark,) = peer.connection.remarks
    assert str(remark).endswith("(RFC 7143 section 6.3.1, answered INITIATOR_ERROR)")


def test_a_connection_may_be_asked_to_log_out():
    peer = open_peer()
    peer.connection.ask_for_logout(7.0)
    assert len(peer.receive()) == 1
    assert state(peer) == "LOGOUT_REQUESTED"
    assert peer.connection.next_deadline() == 12.0


def test_the_data_of_a_command_is_asked_for_and_its_end_waited_for():
    gate = Gate(limits=LIMITS)
    peer = login(gate, keys={"ImmediateData": "No"})
    peer.obey(peer.send(*peer.write(0, b"data")))
    assert gate.disk.store[:4] == b"data"
    gate.disk.lazy = True
    peer.send(peer.reading(0, 4))
    session = peer.connection.session
    session.abort(session.tasks)
    assert len(list(gate.target.dying)) == 1
    gate.disk.handle()
    assert list(gate.target.dying) == []


def test_a_task_that_waited_for_buffers_asks_on_its_own_connection():
    limits = Limits(ping_interval=0, write_buffers=65_536)
    peer = login(Gate(limits=limits), keys={"ImmediateData": "No"})
    first, second = (peer.write(0, bytes(60_000))[0] for _ in range(2))
    peer.obey(peer.send(first, second))
    assert peer.answers.keys() == {first.itt, second.itt}


def test_a_logout_of_the_session_is_known_as_such():
    peer = open_peer()
    assert not peer.connection.logout_ends_session
    peer.send(peer.request(LogoutRequest))
    assert peer.connection.logout_ends_session


def test_no_other_pdu_has_a_place_in_a_login():
    peer = begun()
    (response,) = peer.send(NopOut())
    assert response.status_class == 2
    assert state(peer) == "FREE"


def test_a_stream_that_breaks_ends_what_was_begun():
    too_large = bytes([0x03, 0, 0, 0, 0, 0xFF, 0, 0]) + bytes(40)
    first, second, third = connect(Gate(limits=LIMITS)), begun(), open_peer()
    assert first.feed(too_large) == []
    (response,) = second.feed(too_large)
    assert response.status_class == 2
    (reject,) = third.feed(too_large)
    assert reject.data == too_large
    assert all(peer.connection.closed for peer in (first, second, third))
