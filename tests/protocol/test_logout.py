"""How connections and sessions end by agreement (RFC 7143 sections 11.9, 11.14 and 11.15)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import Gate, Peer, login
from tests.requirements import requirement
from trioscsi.limits import Limits
from trioscsi.pdu import (
    AsyncEvent,
    AsyncMessage,
    DataOut,
    LogoutReason,
    LogoutRequest,
    LogoutResponse,
    LogoutResult,
    NopOut,
    Reject,
    RejectReason,
    SnackRequest,
)
from trioscsi.text import Offer

CLOSE_SESSION = LogoutReason.CLOSE_SESSION
CLOSE_CONNECTION = LogoutReason.CLOSE_CONNECTION
RECOVERY = LogoutReason.REMOVE_FOR_RECOVERY


def open_peer(*, discovery: bool = False, keys: Any = None, **limits: Any) -> Peer:
    offer = Offer(max_connections=4)
    gate = Gate(offer, Limits(ping_interval=0, logout_time=10.0, **limits))
    return login(gate, discovery=discovery, keys=keys)


def log_out(peer: Peer, reason: int = CLOSE_SESSION, **fields: Any) -> list[Any]:
    return peer.send(peer.request(LogoutRequest, reason=reason, **fields))


def result(answers: list[Any]) -> LogoutResult:
    (answer,) = answers
    assert isinstance(answer, LogoutResponse)
    return LogoutResult(answer.response)


def stuck(peer: Peer) -> None:
    """Have a command in hand that the device server does not let go of."""
    peer.gate.disk.lazy = peer.gate.disk.slow_to_let_go = True
    peer.send(peer.reading(0, 4))
    peer.abandon()


@pytest.mark.parametrize("reason", [CLOSE_SESSION, CLOSE_CONNECTION])
@pytest.mark.parametrize("discovery", [False, True])
@requirement("7143-11.15-1")
def test_a_logout_is_answered_and_the_connection_closed(reason: int, discovery: bool):
    peer = open_peer(discovery=discovery)
    (answer,) = log_out(peer, reason)
    assert answer.response == LogoutResult.SUCCESS
    assert (answer.time2wait, answer.time2retain) == (0, 0)
    assert peer.connection.closed
    assert peer.connection.session.state == "FREE"
    assert peer.connection.next_deadline() is None


@requirement("7143-11.14-4")
def test_a_logout_ends_the_commands_of_its_connection():
    peer = open_peer()
    peer.gate.disk.lazy = True
    peer.send(peer.reading(0, 4))
    assert result(log_out(peer, CLOSE_CONNECTION)) is LogoutResult.SUCCESS
    assert len(peer.connection.session.tasks) == 0


def test_a_logout_of_one_connection_leaves_the_others():
    peer = open_peer(keys={"MaxConnections": "2"})
    other = login(peer.gate, tsih=peer.connection.session.tsih, cid=1)
    peer.gate.disk.lazy = True
    other.send(other.reading(0, 4))
    peer.cmd_sn = other.cmd_sn
    assert result(log_out(peer, CLOSE_CONNECTION)) is LogoutResult.SUCCESS
    assert other.connection.full_feature
    assert len(other.connection.session.tasks) == 1


def test_a_logout_of_an_unknown_connection_changes_nothing():
    peer = open_peer()
    assert result(log_out(peer, CLOSE_CONNECTION, cid=7)) is LogoutResult.CID_NOT_FOUND
    assert peer.connection.full_feature
    peer.connection.ask_for_logout(0.0)
    peer.receive()
    assert result(log_out(peer, CLOSE_CONNECTION, cid=7)) is LogoutResult.CID_NOT_FOUND
    assert result(log_out(peer)) is LogoutResult.SUCCESS


def test_a_logout_for_recovery_is_not_supported():
    peer = open_peer(keys={"DefaultTime2Wait": "3", "DefaultTime2Retain": "4"})
    (answer,) = log_out(peer, RECOVERY)
    assert answer.response == LogoutResult.RECOVERY_NOT_SUPPORTED
    assert (answer.time2wait, answer.time2retain) == (3, 4)
    assert peer.connection.full_feature
    peer.connection.ask_for_logout(0.0)
    peer.receive()
    assert result(log_out(peer, RECOVERY)) is LogoutResult.RECOVERY_NOT_SUPPORTED


def test_a_reason_that_does_not_exist_is_rejected():
    peer = open_peer()
    (reject,) = log_out(peer, 3)
    assert isinstance(reject, Reject)
    assert reject.reason == RejectReason.INVALID_PDU_FIELD
    assert peer.connection.full_feature


def test_a_logout_waits_until_the_device_server_lets_go():
    peer = open_peer()
    stuck(peer)
    assert log_out(peer) == []
    assert peer.connection.machine.state == "IN_LOGOUT"
    peer.gate.disk.let_go()
    assert result(peer.receive()) is LogoutResult.SUCCESS
    assert peer.connection.closed


def test_a_logout_that_cannot_end_the_commands_says_so():
    peer = open_peer()
    stuck(peer)
    assert log_out(peer) == []
    assert peer.pass_time(9.0) == []
    (answer,) = peer.pass_time(1.0)
    assert answer.response == LogoutResult.CLEANUP_FAILED
    assert (answer.time2wait, answer.time2retain) == (2, 20)
    assert peer.connection.closed
    assert peer.connection.session.state == "FAILED"
    peer.gate.disk.let_go()
    assert peer.receive() == []


def test_commands_that_end_after_the_transport_is_lost_change_nothing():
    peer = open_peer()
    stuck(peer)
    log_out(peer)
    peer.connection.lost("gone", 0.0)
    assert peer.connection.next_deadline() is None
    peer.gate.disk.let_go()
    assert peer.receive() == []
    assert peer.connection.machine.state == "CLEANUP_WAIT"


def test_nothing_new_is_heard_while_a_logout_is_carried_out():
    peer = open_peer()
    stuck(peer)
    log_out(peer)
    command = peer.reading(0, 4, immediate=True)
    answers = peer.send(command, LogoutRequest(immediate=True))
    peer.abandon()
    assert [pdu.reason for pdu in answers] == [RejectReason.PROTOCOL_ERROR] * 2
    assert peer.send(DataOut(), NopOut(itt=5), SnackRequest()) == []


@requirement("7143-11.9.1-7")
def test_the_target_asks_for_a_logout_and_gives_it_time():
    peer = open_peer()
    peer.now = 50.0
    peer.connection.ask_for_logout(50.0)
    (message,) = peer.receive()
    assert isinstance(message, AsyncMessage)
    assert message.async_event == AsyncEvent.LOGOUT_REQUEST
    assert message.parameter3 == 10
    assert peer.connection.next_deadline() == 55.0
    assert result(log_out(peer)) is LogoutResult.SUCCESS


def test_the_target_may_ask_again():
    peer = open_peer()
    for _ in range(2):
        peer.connection.ask_for_logout(0.0)
        assert len(peer.receive()) == 1
    assert peer.connection.machine.state == "LOGOUT_REQUESTED"


def test_commands_are_executed_in_the_first_half_of_the_time_for_a_logout():
    peer = open_peer()
    peer.connection.ask_for_logout(0.0)
    peer.receive()
    assert peer.pass_time(4.9) == []
    (answer,) = peer.send(peer.reading(0, 4))
    assert answer.has_status
    assert peer.pass_time(0.2) == []
    late = peer.reading(0, 4)
    peer.careless.add(late.itt)
    (answer,) = peer.send(late)
    assert answer.reason == RejectReason.WAITING_FOR_LOGOUT
    peer.cmd_sn = late.cmd_sn  # a rejected command was never received (section 11.17.1)
    assert result(log_out(peer)) is LogoutResult.SUCCESS


def test_an_initiator_that_does_not_log_out_is_dropped():
    peer = open_peer()
    peer.connection.ask_for_logout(0.0)
    peer.receive()
    (notice,) = peer.pass_time(10.0)
    assert notice.async_event == AsyncEvent.CONNECTION_DROP
    assert peer.connection.closed
    assert peer.connection.session.state == "FAILED"


def test_an_unknown_logout_does_not_give_more_time():
    peer = open_peer()
    peer.connection.ask_for_logout(0.0)
    peer.receive()
    log_out(peer, CLOSE_CONNECTION, cid=7)
    peer.pass_time(10.0)
    assert peer.connection.closed


def test_nobody_is_asked_to_log_out_twice_over():
    peer = open_peer()
    stuck(peer)
    log_out(peer)
    peer.connection.ask_for_logout(0.0)
    assert peer.receive() == []


def early_logouts(peer: Peer, *others: Peer) -> Any:
    """Have each peer log out before its turn; returns what closes the gap."""
    gap = peer.reading(0, 4)
    for each in (peer, *others):
        each.cmd_sn = peer.cmd_sn
        assert each.send(each.request(LogoutRequest, cid=each.connection.cid)) == []
        peer.cmd_sn = each.cmd_sn
    return gap


def test_of_two_early_logouts_one_is_heard():
    peer = open_peer()
    gap = early_logouts(peer, peer)
    answers = peer.send(gap)
    peer.abandon()
    assert result(answers) is LogoutResult.SUCCESS
    assert peer.connection.closed


def test_an_early_logout_on_a_connection_that_another_has_closed_is_not_heard():
    peer = open_peer(keys={"MaxConnections": "2"})
    other = login(peer.gate, tsih=peer.connection.session.tsih, cid=1)
    gap = early_logouts(peer, other)
    answers = peer.send(gap)
    peer.abandon()
    assert result(answers) is LogoutResult.SUCCESS
    assert other.receive() == []
    assert other.connection.closed


def test_an_early_logout_on_a_connection_that_was_lost_is_not_heard():
    peer = open_peer(keys={"MaxConnections": "2"})
    other = login(peer.gate, tsih=peer.connection.session.tsih, cid=1)
    gap = peer.reading(0, 4)
    other.cmd_sn = peer.cmd_sn
    other.send(other.request(LogoutRequest, cid=1))
    other.connection.lost("gone", 0.0)
    assert [type(pdu) for pdu in peer.receive()] == [AsyncMessage]
    assert len(peer.send(gap)) == 1
    assert peer.connection.full_feature
    assert peer.exp_cmd_sn == other.cmd_sn
