"""The table of RFC 7143 section 6.3.1: what ISID, TSIH and CID of a login select."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import (
    INITIATOR,
    ISID,
    TARGET,
    Gate,
    Peer,
    connect,
    leading_keys,
    login,
    login_request,
    status,
)
from tests.requirements import requirement
from trioscsi.limits import Limits
from trioscsi.pdu import LoginStatus
from trioscsi.protocol import SessionBegan, SessionEnded
from trioscsi.text import Offer

NEW = b"other!"
TWO = {"MaxConnections": "2"}


def gate_of(connections: int = 4, **limits: Any) -> Gate:
    offer = Offer(max_connections=connections)
    return Gate(offer, Limits(**limits))


def try_login(gate: Gate, keys: dict[str, str] | None = None, **fields: Any) -> Any:
    """The response to a login of one request."""
    (response,) = connect(gate).send(login_request(leading_keys(**(keys or {})), **fields))
    return response


def tsih(peer: Peer) -> int:
    return peer.connection.session.tsih


def test_a_new_isid_without_tsih_begins_a_session():
    gate = gate_of()
    first, second = login(gate), login(gate, isid=NEW)
    assert tsih(first) != tsih(second)
    assert len(gate.target.sessions) == 2
    assert [type(event) for event in gate.disk.events] == [SessionBegan, SessionBegan]


def test_a_new_isid_with_a_tsih_is_refused():
    assert status(try_login(gate_of(), tsih=1)) is LoginStatus.SESSION_DOES_NOT_EXIST


def test_a_known_isid_with_an_unknown_tsih_is_refused():
    gate = gate_of()
    peer = login(gate)
    response = try_login(gate, tsih=tsih(peer) + 1, cid=1)
    assert status(response) is LoginStatus.SESSION_DOES_NOT_EXIST
    assert peer.connection.full_feature


@requirement("7143-6.3.5-1")
@requirement("7143-4.4.3-2")
def test_a_known_isid_without_tsih_reinstates_the_session():
    gate = gate_of()
    old = login(gate)
    new = login(gate)
    assert old.connection.closed
    assert old.connection.session.state == "FREE"
    assert gate.target.sessions == [new.connection.session]
    assert tsih(new) != tsih(old)
    assert [type(event) for event in gate.disk.events] == [SessionBegan, SessionEnded, SessionBegan]


def test_a_reinstated_session_takes_its_commands_with_it():
    gate = gate_of()
    old = login(gate)
    gate.disk.lazy = True
    old.send(old.reading(0, 4))
    login(gate)
    assert gate.disk.in_hand == []
    assert len(old.connection.session.tasks) == 0


@requirement("7143-4.4.3-3")
def test_a_new_cid_with_the_tsih_adds_a_connection():
    gate = gate_of()
    first = login(gate, keys=TWO)
    second = login(gate, cid=1, tsih=tsih(first))
    assert second.connection.session is first.connection.session
    assert len(second.connection.session.connections) == 2
    assert not first.connection.closed


@requirement("7143-4.2.1-1")
@requirement("7143-6.3.4-3")
def test_a_known_cid_with_the_tsih_reinstates_the_connection():
    gate = gate_of()
    old = login(gate)
    gate.disk.lazy = True
    old.send(old.reading(0, 4))
    session = old.connection.session
    new = login(gate, tsih=tsih(old))
    assert old.connection.closed
    assert new.connection.session is session
    assert session.connections == [new.connection]
    assert session.state == "LOGGED_IN"
    assert len(session.tasks) == 0


def test_a_connection_does_not_keep_those_whose_place_it_has_taken():
    gate = gate_of()
    old = login(gate)
    of_its_session = login(gate, tsih=tsih(old))
    of_another = login(gate)
    assert old.connection.closed
    assert of_its_session.connection.closed
    assert of_its_session.connection.replaces == of_another.connection.replaces == []


def test_a_session_has_no_more_connections_than_agreed():
    gate = gate_of()
    first = login(gate, keys=TWO)
    login(gate, cid=1, tsih=tsih(first))
    response = try_login(gate, cid=2, tsih=tsih(first))
    assert status(response) is LoginStatus.TOO_MANY_CONNECTIONS


def test_another_connection_starts_from_the_values_of_the_session():
    gate = gate_of()
    keys = {**TWO, "MaxBurstLength": "1024", "MaxRecvDataSegmentLength": "512"}
    first = login(gate, keys=keys)
    second = login(gate, cid=1, tsih=tsih(first), keys={"HeaderDigest": "CRC32C"})
    assert second.parameters.max_burst_length == 1024
    assert second.parameters.initiator_max_recv_data_segment_length == 8192
    assert not first.parameters.header_digest
    assert first.connection.session.parameters.max_burst_length == 1024


def test_initiators_are_told_apart_by_their_names():
    gate = gate_of()
    first = login(gate)
    second = login(gate, keys={"InitiatorName": INITIATOR + "-2"})
    assert not first.connection.closed
    assert first.connection.session is not second.connection.session


def test_names_are_compared_in_their_normal_form():
    gate = gate_of()
    first = login(gate)
    keys = {"InitiatorName": INITIATOR.upper(), "TargetName": TARGET.upper()}
    login(gate, keys=keys)
    assert first.connection.closed


def test_a_discovery_session_needs_no_target():
    gate = gate_of()
    peer = login(gate, discovery=True)
    assert peer.connection.session.node is gate.discovery
    assert not peer.connection.session.normal
    assert gate.disk.events == []


def test_discovery_and_normal_sessions_do_not_replace_each_other():
    gate = gate_of()
    normal, discovery = login(gate), login(gate, discovery=True)
    assert normal.connection.full_feature
    assert discovery.connection.full_feature


@requirement("7143-7.4.2.1-1")
@requirement("7143-7.4.2.1-2")
def test_an_initiator_port_may_have_a_discovery_session_with_each_portal():
    gate = gate_of()
    first = login(gate, discovery=True)
    gate.portal = "192.0.2.2:3260"
    second = login(gate, discovery=True)
    assert first.connection.full_feature
    again = login(gate, discovery=True)
    assert second.connection.closed
    assert first.connection.full_feature
    assert again.connection.full_feature
    assert len(gate.discovery.sessions) == 2


@requirement("7143-7.4.2.1-1")
def test_a_discovery_session_replaces_none_of_another_port():
    gate = gate_of()
    first, second = login(gate, discovery=True), login(gate, discovery=True, isid=NEW)
    assert first.connection.full_feature
    assert second.connection.full_feature


def test_a_target_without_room_says_so():
    gate = gate_of(sessions=1)
    login(gate)
    assert status(try_login(gate, isid=NEW)) is LoginStatus.OUT_OF_RESOURCES
    assert login(gate).connection.full_feature


def test_of_two_logins_of_one_port_the_later_replaces_the_earlier():
    """Both have begun when there was no session yet."""
    gate = gate_of()
    slow, fast = connect(gate), connect(gate)
    slow.send(login_request(leading_keys(), transit=False, nsg=0))
    fast.send(login_request(leading_keys()))
    assert fast.connection.full_feature
    slow.send(login_request())
    assert slow.connection.full_feature
    assert fast.connection.closed
    assert gate.target.sessions == [slow.connection.session]
    assert [type(event) for event in gate.disk.events] == [SessionBegan, SessionEnded, SessionBegan]


def test_a_login_replaces_the_session_that_there_is_when_it_ends():
    gate = gate_of()
    first = login(gate)
    slow = connect(gate)
    slow.send(login_request(leading_keys(), transit=False, nsg=0))
    second = login(gate)
    assert first.connection.closed
    slow.send(login_request())
    assert second.connection.closed
    assert gate.target.sessions == [slow.connection.session]


def test_a_login_for_a_session_that_is_replaced_meanwhile_comes_to_nothing():
    gate = gate_of()
    first = login(gate, keys=TWO)
    joining = connect(gate)
    request = login_request(leading_keys(), cid=1, tsih=tsih(first), transit=False, nsg=0)
    joining.send(request)
    login(gate)
    assert joining.connection.closed


@pytest.mark.parametrize("faster", [True, False])
def test_two_logins_for_one_cid_leave_one_connection(faster: bool):
    gate = gate_of()
    first = login(gate)
    fields = {"tsih": tsih(first), "transit": False, "nsg": 0}
    rivals = [connect(gate), connect(gate)]
    for rival in rivals:
        rival.send(login_request(leading_keys(), **fields))
    winner, loser = rivals if faster else reversed(rivals)
    winner.send(login_request(tsih=tsih(first)))
    assert winner.connection.full_feature
    if faster:
        assert not loser.connection.closed
        loser.send(login_request(tsih=tsih(first)))
        winner, loser = loser, winner
    assert winner.connection.full_feature
    assert loser.connection.closed
    assert winner.connection.session.connections == [winner.connection]
    assert winner.connection.cid == 0
    assert winner.connection.session.isid == ISID


@pytest.mark.parametrize(
    ("name", "expected"),
    [(None, LoginStatus.MISSING_PARAMETER), ("disk", LoginStatus.INITIATOR_ERROR)],
)
def test_a_normal_session_needs_the_name_of_a_target(name: str | None, expected: LoginStatus):
    keys = {"InitiatorName": INITIATOR, **({"TargetName": name} if name else {})}
    (response,) = connect(gate_of()).send(login_request(keys))
    assert status(response) is expected
