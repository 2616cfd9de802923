from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import (
    INITIATOR,
    ISID,
    Gate,
    connect,
    leading_keys,
    login,
    login_request,
    status,
)
from tests.requirements import requirement
from trioscsi.errors import PeerError
from trioscsi.limits import Limits
from trioscsi.pdu import LoginStatus
from trioscsi.protocol import Node, Redirection
from trioscsi.text import Offer


def isid(number: int) -> bytes:
    return number.to_bytes(6, "big")


def gate_of(**limits: Any) -> Gate:
    return Gate(limits=Limits(ping_interval=0, **limits))


def test_sessions_are_found_by_initiator_port():
    gate = gate_of()
    session = login(gate).connection.session
    assert gate.target.find((INITIATOR, ISID, 1)) is session
    assert gate.target.find((INITIATOR, isid(5), 1)) is None
    assert gate.target.find((INITIATOR, ISID, 2)) is None
    assert gate.target.sessions == [session]


@requirement("7143-4.4.3-3")
def test_handles_are_never_zero_and_never_those_of_living_sessions():
    node = gate_of().target
    node._last_tsih = 0xFFFE
    assert [node.new_tsih() for _ in range(3)] == [0xFFFF, 1, 2]
    gate = gate_of()
    first = login(gate).connection.session
    gate.target._last_tsih = first.tsih - 1
    assert gate.target.new_tsih() == first.tsih + 1


def test_a_failed_session_gives_way_to_a_new_one():
    gate = gate_of(sessions=2)
    living, failed = login(gate, isid=isid(1)), login(gate, isid=isid(2))
    failed.connection.lost("gone", 0.0)
    login(gate, isid=isid(3))
    assert failed.connection.session.state == "FREE"
    assert living.connection.session.state == "LOGGED_IN"
    assert len(gate.target.sessions) == 2


def test_no_living_session_gives_way():
    gate = gate_of(sessions=1)
    login(gate, isid=isid(1))
    with pytest.raises(PeerError) as caught:
        gate.target.make_room(None)
    assert caught.value.answer is LoginStatus.OUT_OF_RESOURCES


def test_a_failed_session_that_a_login_replaces_is_no_room_for_another():
    gate = gate_of(sessions=1)
    login(gate, isid=isid(1)).connection.lost("gone", 0.0)
    connect(gate).send(login_request(leading_keys(), isid=isid(1), transit=False, nsg=0))
    (response,) = connect(gate).send(login_request(leading_keys(), isid=isid(2)))
    assert response.status_class == LoginStatus.OUT_OF_RESOURCES >> 8


def test_of_two_logins_for_the_last_place_the_first_to_end_has_it():
    gate = gate_of(sessions=1)
    slow, fast = connect(gate), login_request(leading_keys(), isid=isid(2))
    slow.send(login_request(leading_keys(), isid=isid(1), transit=False, nsg=0))
    (response,) = connect(gate).send(fast)
    assert response.status_class == 0
    (response,) = slow.send(login_request(isid=isid(1)))
    assert response.status_class == LoginStatus.OUT_OF_RESOURCES >> 8
    assert len(gate.target.sessions) == 1


def test_no_session_gives_way_to_a_login_that_comes_to_nothing():
    gate = gate_of(sessions=1)
    failed = login(gate, isid=isid(1))
    failed.connection.lost("gone", 0.0)
    peer = connect(gate)
    peer.send(login_request(leading_keys(), isid=isid(2), transit=False, nsg=0))
    peer.connection.lost("gone", 0.0)
    assert gate.target.sessions == [failed.connection.session]


def test_a_session_that_is_replaced_needs_no_room():
    gate = gate_of(sessions=1)
    gate.target.make_room(login(gate).connection.session)


def test_a_session_is_removed_once():
    gate = gate_of()
    old = login(gate).connection.session
    new = login(gate).connection.session
    gate.target.remove(old)
    assert gate.target.sessions == [new]


def test_events_are_taken_once():
    node = gate_of().target
    node.events.append("event")
    assert node.take_events() == ["event"]
    assert node.take_events() == []


def test_whoever_waits_is_woken_for_a_deadline():
    woken = []
    node = Node("", Offer(), wake=lambda: woken.append(True))
    node.set_deadline("name", 5.0, lambda: None)
    assert woken == [True]
    assert node.deadlines.next() == 5.0


def test_a_node_without_units_knows_no_lun_and_wakes_nobody():
    node = Node("", Offer())
    assert not node.units.has(0)
    assert node.units.attention(0, None) is None
    assert node.units.clear_aca(0, None) is None
    assert node.units.shares_tasks(0)
    assert not node.units.tells_of_aborts(0)
    node.set_deadline("name", 5.0, lambda: None)


def test_portal_groups_are_ports_of_their_own():
    gate = gate_of()
    one = login(gate)
    gate.portal_group = 2
    other = login(gate)
    assert not one.connection.closed
    assert len(gate.target.sessions) == 2
    assert one.connection.session.portal_group == 1
    assert other.connection.session.portal_group == 2
    assert one.connection.session.tsih != other.connection.session.tsih


def test_a_session_is_not_joined_through_another_portal_group():
    gate = gate_of()
    tsih = login(gate).connection.session.tsih
    gate.portal_group = 2
    (response,) = connect(gate).send(login_request(leading_keys(), tsih=tsih, cid=1))
    assert status(response) is LoginStatus.CANNOT_INCLUDE_IN_SESSION


def test_nobody_gets_in_any_more_when_the_target_is_being_stopped():
    gate = gate_of()
    gate.target.closing = True
    (response,) = connect(gate).send(login_request(leading_keys()))
    assert status(response) is LoginStatus.SERVICE_UNAVAILABLE


@pytest.mark.parametrize(
    ("permanent", "answer"),
    [
        (False, LoginStatus.TARGET_MOVED_TEMPORARILY),
        (True, LoginStatus.TARGET_MOVED_PERMANENTLY),
    ],
)
def test_a_redirection_says_where_to(permanent: bool, answer: LoginStatus):
    moved = Redirection("192.0.2.9:3260", permanent=permanent)
    assert moved.answer is answer
    assert moved.address == "192.0.2.9:3260"
