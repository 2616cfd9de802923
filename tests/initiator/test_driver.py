"""Sessions that go on: recovery, and several connections, over loopback sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.initiator.served import DATA, NAME, serving, session
from trioscsi import MemoryDisk, Slow
from trioscsi.errors import LoginFailure, SessionLost, UsageError
from trioscsi.initiator.client import Session, connect
from trioscsi.initiator.recovery import Policy
from trioscsi.limits import Limits
from trioscsi.pdu import (
    DataIn,
    Framer,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    ScsiCommand,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    encode,
)
from trioscsi.text import Stage

QUICK = Policy(delay=0.01, patience=0.2)


async def test_a_session_that_is_lost_comes_back_and_its_commands_are_sent_anew():
    disk = Slow(MemoryDisk("4MiB"), read_ms=50)
    async with (
        serving(disk, default_time2wait=0) as (_, portal),
        connect(f"iscsi://{portal}/{NAME}/0", recover=QUICK, default_time2wait=0) as one,
    ):
        await one.write(0, DATA)
        first = one.core
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                assert await one.read(0, 1) == DATA

            nursery.start_soon(read)
            await trio.sleep(0.02)
            first.connections[0].give_up("the test wants it")
        assert one.recoveries == 1
        assert one.core is not first
        assert one.core.intent.isid == first.intent.isid
        assert first.machine.state == "FREE"


async def test_what_comes_while_there_is_no_session_waits_for_the_next():
    async with (
        serving(default_time2wait=0) as (_, portal),
        connect(f"iscsi://{portal}/{NAME}/0", recover=QUICK, default_time2wait=0) as one,
    ):
        one.core.connections[0].give_up("the test wants it")
        assert await one.ping(b"here again") == b"here again"


async def test_what_is_no_command_is_lost_with_its_session():
    async with (
        serving(default_time2wait=0) as (_, portal),
        connect(f"iscsi://{portal}/{NAME}/0", recover=QUICK, default_time2wait=0) as one,
        trio.open_nursery() as nursery,
    ):

        async def ping() -> None:
            with pytest.raises(SessionLost, match="the test wants it"):
                await one.ping()

        nursery.start_soon(ping)
        while not one.core.requests:
            await trio.lowlevel.checkpoint()
        one.core.connections[0].give_up("the test wants it")


async def test_patience_with_a_target_that_hangs_up_has_an_end():
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    logins = 0

    async def hang_up(stream: trio.SocketStream) -> None:
        nonlocal logins
        logins += 1
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, hang_up, listeners)
        with pytest.raises(LoginFailure, match="has closed the connection"):
            async with connect(f"iscsi://127.0.0.1:{port}/{NAME}/0", recover=QUICK):
                pass
        nursery.cancel_scope.cancel()
    assert 3 <= logins <= 6


async def test_a_final_refusal_is_not_argued_with():
    async with serving() as (_, portal):
        with pytest.raises(LoginFailure) as caught:
            async with connect(f"iscsi://{portal}/{NAME}.other/0", recover=True):
                pass
        assert caught.value.status == 0x0203


async def test_a_logout_after_a_long_silence_is_answered_in_time(autojump_clock: MockClock):
    async with session(limits=Limits(ping_interval=0, logout_time=5)) as one:
        await trio.sleep(60)
        await one.log_out()
        assert one.core.machine.state == "FREE"


async def test_several_connections_share_the_work():
    async with serving(max_connections=3) as (_, portal):
        async with connect(f"iscsi://{portal}/{NAME}/0", connections=3) as one:
            assert [each.cid for each in one.core.connections] == [1, 2, 3]
            async with trio.open_nursery() as nursery:
                for place in range(30):
                    nursery.start_soon(one.write, place, DATA)
            assert await one.read(0, 30) == DATA * 30
            with pytest.raises(UsageError, match="no more than 3 connections"):
                await one.add_connection()
        assert one.core.connections == []


async def test_a_target_that_agrees_to_one_connection_gets_one():
    async with session(connections=3) as one:
        assert len(one.core.connections) == 1


async def test_a_session_comes_back_with_all_of_its_connections():
    options: dict[str, Any] = {"default_time2wait": 0, "max_connections": 2}
    async with (
        serving(**options) as (_, portal),
        connect(
            f"iscsi://{portal}/{NAME}/0", recover=QUICK, connections=2, default_time2wait=0
        ) as one,
    ):
        one.core.connections[1].give_up("the test wants it")
        assert await one.read(0, 1) == bytes(512)
        for _ in range(100):
            await trio.sleep(0.01)
            if len(one.core.connections) == 2:
                break
        assert len(one.core.connections) == 2
        assert one.recoveries == 1


class Loopback:
    """A target at error recovery level 2 that loses its first connection upon a command.

    ``refusal`` is the status, and ``address`` the way to go, for logins that want to go on with a
    session.
    """

    def __init__(self, refusal: int = 0, address: str = "") -> None:
        self.logins: list[LoginRequest] = []
        self.functions: list[int] = []
        self.task = 0
        self._refusal, self._address = refusal, address

    async def talk(self, stream: trio.SocketStream) -> None:
        framer, stat_sn = Framer(2**24 - 1), 0
        connection = len(self.logins)
        async for data in stream:
            framer.receive(data)
            while (pdu := framer.next_pdu()) is not None:
                for answer in self.answers(pdu, connection):
                    answer.exp_cmd_sn = pdu.cmd_sn + (not pdu.immediate)
                    answer.max_cmd_sn, answer.stat_sn = pdu.cmd_sn + 30, stat_sn
                    stat_sn += 1
                    await stream.send_all(b"".join(map(bytes, encode(answer))))
                if isinstance(pdu, ScsiCommand) and not connection:
                    self.task = pdu.itt
                    return

    def answers(self, pdu: Any, connection: int) -> Any:
        match pdu:
            case LoginRequest():
                self.logins.append(pdu)
                yield self._welcome(pdu)
            case ScsiCommand() if connection:
                yield DataIn(itt=pdu.itt, data=b"anew", final=True, has_status=True)
            case TaskManagementRequest():
                self.functions.append(pdu.function)
                yield TaskManagementResponse(itt=pdu.itt)
                yield DataIn(itt=self.task, data=b"read", final=True, has_status=True)
            case LogoutRequest():
                yield LogoutResponse(itt=pdu.itt)

    def _welcome(self, pdu: LoginRequest) -> LoginResponse:
        fields = {"isid": pdu.isid, "itt": pdu.itt, "csg": pdu.csg}
        if pdu.tsih and self._refusal:
            kind, detail = divmod(self._refusal, 256)
            text = f"TargetAddress={self._address}\0".encode()
            return LoginResponse(status_class=kind, status_detail=detail, data=text, **fields)
        text = b"ErrorRecoveryLevel=2\0DefaultTime2Wait=0\0MaxConnections=2\0"
        text = b"" if pdu.tsih else text
        return LoginResponse(transit=True, nsg=pdu.nsg, tsih=7, data=text, **fields)


@asynccontextmanager
async def by(target: Loopback, **options: Any) -> AsyncIterator[Session]:
    """A session with such a target."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    options = {
        "error_recovery_level": 2,
        "default_time2wait": 0,
        "max_connections": 2,
        "first_stage": Stage.OPERATIONAL,
        "recover": QUICK,
        **options,
    }
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, target.talk, listeners)
        async with connect(f"iscsi://127.0.0.1:{port}/{NAME}/0", **options) as one:
            yield one
        nursery.cancel_scope.cancel()


async def test_at_level_2_a_command_goes_on_by_a_new_connection():
    target = Loopback()
    async with by(target) as one:
        assert (await one.command(bytes(6), expected_in=4)).data == b"read"
        assert (one.reconnections, one.recoveries) == (1, 0)
    assert [(login.tsih, login.cid) for login in target.logins] == [(0, 1), (7, 1)]
    assert target.functions == [TaskFunction.TASK_REASSIGN]


async def test_a_session_that_the_target_does_not_know_any_more_is_begun_anew():
    target = Loopback(refusal=0x020A)
    async with by(target) as one:
        assert (await one.command(bytes(6), expected_in=4)).data == b"anew"
        assert (one.reconnections, one.recoveries) == (0, 1)
    assert [(login.tsih, login.cid) for login in target.logins] == [(0, 1), (7, 1), (0, 1)]
    assert target.functions == []


@pytest.mark.parametrize(
    ("refusal", "reason"), [(0x0206, "too many connections"), (0x0101, "was redirected")]
)
async def test_a_further_connection_that_is_refused_leaves_the_session_as_it_is(
    refusal: int, reason: str
):
    async with by(Loopback(refusal, "127.0.0.1:1")) as one:
        with pytest.raises(LoginFailure, match=reason):
            await one.add_connection()
        assert [each.cid for each in one.core.connections if each.full_feature] == [1]
        assert not one.recoveries


async def test_a_further_connection_that_reaches_nobody_leaves_the_session_as_it_is():
    async with by(Loopback()) as one:
        with pytest.raises(LoginFailure, match="cannot be reached"):
            await one.add_connection("127.0.0.1:1")
        assert len(one.core.connections) == 1


async def test_one_of_several_connections_is_removed():
    async with (
        serving(max_connections=3) as (_, portal),
        connect(f"iscsi://{portal}/{NAME}/0", connections=3) as one,
    ):
        await one.remove_connection()
        await one.remove_connection(1)
        assert [each.cid for each in one.core.connections] == [2]
        assert await one.read(0, 1) == bytes(512)
        with pytest.raises(UsageError, match="there is no connection beside others"):
            await one.remove_connection()


async def test_a_session_may_be_closed_while_it_is_on_its_way():
    policy = Policy(delay=0.05)
    async with (
        serving(default_time2wait=0) as (_, portal),
        connect(f"iscsi://{portal}/{NAME}/0", recover=policy, default_time2wait=0) as one,
    ):
        one.core.drop("the test wants it")
        await trio.sleep(0.01)
        await one.log_out()
        await trio.sleep(0.1)
        with pytest.raises(SessionLost, match="the session is closed"):
            await one.ping()
