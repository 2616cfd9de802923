from __future__ import annotations

from typing import Any

from tests.protocol.peer import Gate, Peer, login
from tests.requirements import requirement
from trioscsi.limits import Limits
from trioscsi.pdu import NO_TASK, NopIn, NopOut

LIMITS = Limits(ping_interval=30.0, ping_time=10.0)


def open_peer(limits: Limits = LIMITS, **keys: str) -> Peer:
    return login(Gate(limits=limits), keys=keys)


def ping(peer: Peer) -> Any:
    """Let the peer be silent until it is pinged."""
    (answer,) = peer.pass_time(LIMITS.ping_interval)
    assert isinstance(answer, NopIn)
    assert answer.itt == NO_TASK
    assert answer.ttt != NO_TASK
    assert answer.lun == 0
    return answer


def pong(peer: Peer, answer: NopIn) -> list[Any]:
    return peer.send(NopOut(ttt=answer.ttt, cmd_sn=peer.cmd_sn))


@requirement("7143-11.18.1-3")
def test_a_ping_is_answered_with_its_data():
    peer = open_peer()
    (answer,) = peer.send(peer.request(NopOut, data=b"hello", lun=3 << 48))
    assert isinstance(answer, NopIn)
    assert answer.itt == 1
    assert answer.ttt == NO_TASK
    assert answer.data == b"hello"
    assert answer.lun == 3 << 48


def test_no_more_data_comes_back_than_the_peer_can_take():
    peer = open_peer(MaxRecvDataSegmentLength="512")
    (answer,) = peer.send(peer.request(NopOut, data=b"x" * 1000))
    assert answer.data == b"x" * 512


def test_a_ping_that_is_not_immediate_keeps_its_place():
    peer = open_peer()
    gap = peer.reading(0, 4)
    assert peer.send(peer.request(NopOut, immediate=False, data=b"hello")) == []
    answer, _ = peer.send(gap)
    assert answer.data == b"hello"


def test_a_nop_without_any_tag_needs_no_answer():
    peer = open_peer()
    assert peer.send(NopOut()) == []
    assert peer.send(NopOut(ttt=77)) == []


@requirement("7143-11.19-5")
@requirement("7143-11.19.3-1")
def test_a_silent_peer_is_pinged_once_an_interval():
    peer = open_peer()
    first = ping(peer)
    assert peer.pass_time(10.0) == []
    assert peer.pass_time(29.0) == []
    (second,) = peer.pass_time(1.0)
    assert second.ttt != first.ttt


def test_a_peer_that_speaks_is_not_pinged():
    peer = open_peer()
    for _ in range(5):
        assert peer.pass_time(20.0) == []
        peer.send(peer.reading(0, 4))


def test_a_ping_takes_no_status_number():
    peer = open_peer()
    answer = ping(peer)
    (read,) = peer.send(peer.reading(0, 4))
    assert read.stat_sn == answer.stat_sn


def test_a_peer_that_answers_is_kept():
    peer = open_peer()
    for _ in range(3):
        assert pong(peer, ping(peer)) == []
        assert peer.pass_time(10.0) == []
        peer.send(peer.reading(0, 4))


def test_a_peer_that_has_answered_before_is_dropped_if_it_does_not():
    peer = open_peer()
    pong(peer, ping(peer))
    peer.pass_time(10.0)
    peer.pass_time(20.0)
    assert peer.pass_time(10.0) == []
    assert peer.connection.closed
    assert peer.connection.session.state == "FAILED"


def test_a_peer_that_speaks_instead_of_answering_is_kept():
    peer = open_peer()
    pong(peer, ping(peer))
    peer.pass_time(10.0)
    peer.pass_time(20.0)
    peer.pass_time(5.0)
    peer.send(peer.reading(0, 4))
    peer.pass_time(5.0)
    assert peer.connection.full_feature


def test_a_peer_that_never_answers_a_ping_is_never_dropped():
    """As iPXE, which knows no NOP-In."""
    peer = open_peer()
    for _ in range(100):
        peer.pass_time(7.0)
    assert peer.connection.full_feature
    assert len(peer.send(peer.reading(0, 4))) == 1


def test_an_answer_to_another_ping_teaches_nothing():
    peer = open_peer()
    answer = ping(peer)
    peer.send(NopOut(ttt=answer.ttt + 1))
    for _ in range(10):
        peer.pass_time(20.0)
    assert peer.connection.full_feature


def test_pings_can_be_switched_off():
    peer = open_peer(Limits(ping_interval=0))
    assert peer.connection.next_deadline() is None
