from __future__ import annotations

import socket
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from trioscsi import Limits
from trioscsi.pdu import DataOut, Framer, NopOut, encode
from trioscsi.protocol import TargetConnection
from trioscsi.server.inbox import Inbox
from trioscsi.server.lender import Lender

LARGE = 1 << 18


@pytest.fixture
def lender() -> Lender:
    return Lender(LARGE, LARGE)


@pytest.fixture
def connection() -> TargetConnection:
    connection = TargetConnection(Mock(), Limits(), now=0)
    connection.framer = Framer(1 << 20)
    return connection


@pytest.fixture
def theirs() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        yield sock


@pytest.fixture
def ours(theirs: socket.socket) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs.connect(listener.getsockname())
        sock, _ = listener.accept()
    with sock:
        sock.settimeout(10)
        yield sock


@pytest.fixture
def inbox(ours: socket.socket, connection: TargetConnection, lender: Lender) -> Inbox:
    return Inbox(ours, connection, lender)


def stream(pdu: NopOut | DataOut) -> bytes:
    return b"".join(map(bytes, encode(pdu)))


def test_what_has_come_is_handed_to_the_connection(
    inbox: Inbox, theirs: socket.socket, connection: TargetConnection
) -> None:
    theirs.sendall(stream(NopOut(itt=7, data=b"ping")))
    inbox.fill()
    pdu = connection.framer.next_pdu()
    assert isinstance(pdu, NopOut)
    assert (pdu.itt, bytes(pdu.data), inbox.much) == (7, b"ping", False)


def test_nothing_more_is_received_before_it_is_done(
    inbox: Inbox, theirs: socket.socket, connection: TargetConnection
) -> None:
    theirs.sendall(stream(NopOut(itt=1)))
    inbox.fill()
    theirs.sendall(stream(NopOut(itt=2)))
    inbox.fill()
    found = [connection.framer.next_pdu(), connection.framer.next_pdu()]
    assert [getattr(pdu, "itt", None) for pdu in found] == [1, None]
    inbox.done()
    inbox.fill()
    assert getattr(connection.framer.next_pdu(), "itt", None) == 2


def test_a_buffer_is_lent_only_for_what_is_not_done(
    inbox: Inbox, theirs: socket.socket, ours: socket.socket, lender: Lender
) -> None:
    buffer = lender.borrow()
    lender.give_back(buffer)
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        inbox.fill()
    inbox.done()
    assert lender.borrow() is buffer
    lender.give_back(buffer)
    ours.settimeout(10)
    theirs.sendall(bytes(48))
    inbox.fill()
    assert lender.borrow() is not buffer
    inbox.done()
    assert lender.borrow() is buffer


def test_the_end_of_the_stream_is_told(
    ours: socket.socket, theirs: socket.socket, connection: TargetConnection, lender: Lender
) -> None:
    tap = Mock()
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        Inbox(ours, connection, lender, tap).fill()
    tap.ended.assert_called_once_with()
    tap.received.assert_not_called()


def test_a_connection_that_was_reset_is_broken(inbox: Inbox, theirs: socket.socket) -> None:
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    with pytest.raises(ConnectionResetError):
        inbox.fill()


@pytest.mark.parametrize("watched", [False, True])
def test_the_rest_of_a_large_pdu_is_received_where_it_belongs(
    ours: socket.socket,
    theirs: socket.socket,
    connection: TargetConnection,
    lender: Lender,
    watched: bool,
) -> None:
    tap, told = Mock(), bytearray()
    tap.received.side_effect = lambda *parts: told.extend(b"".join(parts))
    inbox = Inbox(ours, connection, lender, tap if watched else None)
    data = bytes(range(256)) * 2048
    place = memoryview(bytearray(len(data)))
    connection.framer.destination_for = lambda _pdu, _length: place
    sent = stream(DataOut(final=True, data=data)) + stream(NopOut(itt=9))
    found: list[object] = []
    while sent or not found:
        theirs.sendall(sent[:100_000])
        sent = sent[100_000:]
        inbox.fill()
        while (pdu := connection.framer.next_pdu()) is not None:
            found.append(pdu)
        inbox.done()
    while len(found) < 2:
        inbox.fill()
        found.append(connection.framer.next_pdu())
    assert place == data
    assert isinstance(found[0], DataOut)
    assert found[0].data.obj is place.obj  # type: ignore[union-attr]
    assert getattr(found[1], "itt", None) == 9
    if watched:
        assert told == stream(DataOut(final=True, data=data)) + stream(NopOut(itt=9))


def test_much_at_once_is_to_be_acted_on_soon(
    inbox: Inbox, theirs: socket.socket, connection: TargetConnection
) -> None:
    theirs.sendall(stream(NopOut(data=bytes(100_000))))
    come = 0
    while come < 100_048:
        inbox.fill()
        come += connection.framer.left
        assert inbox.much == (connection.framer.left >= 65_536)
        connection.framer.next_pdu()
        inbox.done()
