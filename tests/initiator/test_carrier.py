from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from tests.initiator.pair import intent
from trioscsi.initiator.carrier import Carrier
from trioscsi.initiator.events import LoginFailed
from trioscsi.initiator.session import InitiatorSession
from trioscsi.pdu import LoginResponse, encode


@asynccontextmanager
async def carried() -> AsyncIterator[tuple[InitiatorSession, trio.SocketStream]]:
    """A session whose first connection is carried to a stream that the test has."""
    mine, theirs = (trio.SocketStream(each) for each in trio.socket.socketpair())
    session = InitiatorSession(intent())
    connection = session.connect(trio.current_time())
    stirred: list[InitiatorSession] = []
    async with theirs, trio.open_nursery() as nursery:
        nursery.start_soon(Carrier(connection, mine, stirred.append).run)
        yield session, theirs
        assert set(stirred) == {session}
        nursery.cancel_scope.cancel()


async def test_bytes_are_carried_both_ways():
    async with carried() as (session, stream):
        request = await stream.receive_some()
        assert request[0] == 0x43
        response = LoginResponse(
            transit=True, csg=1, nsg=3, isid=session.intent.isid, tsih=1, itt=1, max_cmd_sn=9
        )
        await stream.send_all(b"".join(map(bytes, encode(response))))
        while not session.connections[0].full_feature:
            await trio.lowlevel.checkpoint()


async def test_the_end_of_the_stream_is_told():
    async with carried() as (session, stream):
        (connection,) = session.connections
        await stream.receive_some()
        await stream.aclose()
        while not connection.closed:
            await trio.lowlevel.checkpoint()
    (failure,) = session.take_events()
    assert isinstance(failure, LoginFailed)
    assert failure.reason == "the target has closed the connection"


async def test_a_connection_that_is_closed_lets_go_of_its_stream():
    async with carried() as (session, stream):
        await stream.receive_some()
        session.connections[0].give_up("enough")
        assert await stream.receive_some() == b""


async def test_a_driver_that_is_cancelled_leaves_the_connection_lost():
    async with carried() as (session, stream):
        await stream.receive_some()
        (connection,) = session.connections
    assert connection.reason == "the session was given up"
