from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from trioscsi import Limits
from trioscsi.pdu import NopIn
from trioscsi.protocol import TargetConnection
from trioscsi.server.outbox import Backlog, Outbox, without


class Nobody:
    """A gatekeeper that is never asked."""


@pytest.fixture
def connection() -> TargetConnection:
    return TargetConnection(Nobody(), Limits(), now=0)  # type: ignore[arg-type]


@pytest.fixture
def backlog() -> Backlog:
    return Backlog(1 << 16)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


@pytest.mark.parametrize(
    ("sent", "left"), [(0, [b"ab", b"cde"]), (1, [b"b", b"cde"]), (2, [b"cde"]), (5, [])]
)
def test_what_was_sent_is_taken_off_the_buffers(sent: int, left: list[bytes]) -> None:
    assert without([b"ab", b"cde"], sent) == left


def test_all_output_goes_out_at_once(
    connection: TargetConnection, pair: Pair, backlog: Backlog
) -> None:
    outbox = Outbox(pair[0], connection, backlog)
    connection.send(NopIn())
    connection.send(NopIn(data=b"abcd"))
    assert outbox.size == 48 + 52
    outbox.send()
    assert len(pair[1].recv(1000)) == 100
    assert not outbox.stuck
    assert outbox.size == 0


def test_what_a_full_socket_does_not_take_waits(
    connection: TargetConnection, pair: Pair, backlog: Backlog
) -> None:
    ours, theirs = pair
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    outbox = Outbox(ours, connection, backlog)
    for _ in range(1500):  # more buffers than one call takes
        connection.send(NopIn(data=bytes(400)))
    total = outbox.size
    outbox.send()
    assert outbox.stuck
    theirs.setblocking(False)
    received = 0
    while received < total:
        received += len(theirs.recv(1 << 20))
        assert outbox.size >= total - received - (1 << 20)
        outbox.send()
        assert backlog.size == outbox.size
    assert not outbox.stuck
    assert outbox.size == 0


def test_what_waits_for_the_socket_is_looked_at_once(
    connection: TargetConnection, pair: Pair, backlog: Backlog
) -> None:
    ours, _ = pair
    outbox = Outbox(ours, connection, backlog)
    while not outbox.stuck:
        connection.send(NopIn(data=bytes(8000)))
        outbox.send()
    waiting = outbox.size
    for count in range(1, 4):
        connection.send(NopIn())
        outbox.hold()
        assert connection.output_size == 0
        assert outbox.size == backlog.size == waiting + 48 * count


def test_nothing_is_left_once_it_is_cleared(
    connection: TargetConnection, pair: Pair, backlog: Backlog
) -> None:
    ours, _ = pair
    outbox = Outbox(ours, connection, backlog)
    while not outbox.stuck:
        connection.send(NopIn(data=bytes(8000)))
        outbox.send()
    assert backlog.size == outbox.size
    connection.send(NopIn())
    outbox.clear()
    assert not outbox.stuck
    assert outbox.size == 0
    assert backlog.size == 0


def test_a_backlog_is_full_beyond_its_limit(
    connection: TargetConnection, pair: Pair, backlog: Backlog
) -> None:
    outbox = Outbox(pair[0], connection, backlog)
    connection.send(NopIn(data=bytes(1 << 19)))
    outbox.send()
    assert backlog.full
    outbox.clear()
    assert not backlog.full


def test_a_peer_that_reads_nothing_has_an_overfull_outbox(
    connection: TargetConnection, pair: Pair, backlog: Backlog
) -> None:
    outbox = Outbox(pair[0], connection, Backlog(1 << 30))
    while not outbox.stuck:
        connection.send(NopIn(data=bytes(8000)))
        outbox.send()
    assert not outbox.overfull
    connection.send(NopIn(data=bytes(connection.limits.output)))
    assert outbox.overfull
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    other = Outbox(pair[0], connection, backlog)
    other.send()
    assert backlog.full
    assert other.overfull


def test_one_answer_has_room_however_large_it_is_and_others_up_to_the_limit(
    connection: TargetConnection, pair: Pair, backlog: Backlog
) -> None:
    most = connection.limits.output
    outbox = Outbox(pair[0], connection, backlog)
    assert outbox.has_room(2 * most, 0)
    assert outbox.has_room(most - 1000, 1000)
    assert not outbox.has_room(most, 1)
    connection.send(NopIn())
    assert outbox.has_room(most - 48 - 1000, 1000)
    assert not outbox.has_room(most - 48, 1000)
    backlog.size = backlog.limit + 1
    assert not outbox.has_room(1, 0)


def test_a_broken_connection_is_an_error(
    connection: TargetConnection, pair: Pair, backlog: Backlog
) -> None:
    ours, theirs = pair
    theirs.close()
    connection.send(NopIn())
    with pytest.raises(OSError, match="Broken pipe"):
        Outbox(ours, connection, backlog).send()
