"""The client over loopback sockets, against the server of this project."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trioscsi import MemoryDisk, Slow, Target
from trioscsi.errors import CommandFailed, LoginFailure, SessionLost, UsageError
from trioscsi.initiator.client import Session, connect, discover
from trioscsi.initiator.recovery import Policy
from trioscsi.initiator.results import Capacity
from trioscsi.initiator.url import Url
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
    TaskResult,
    encode,
)
from trioscsi.server.access import Moved, Redirect
from trioscsi.text import Stage

NAME = "iqn.2025-12.test:disk"
SECRET, OTHER = b"secret of the initiator", b"secret of the target"
DATA = bytes(range(256)) * 2


@asynccontextmanager
async def serving(*disks: Any, **options: Any) -> AsyncIterator[tuple[Target, str]]:
    """A target, and the address of its portal."""
    target = Target(NAME, *(disks or [MemoryDisk("4MiB")]), listen="127.0.0.1:0", **options)
    async with trio.open_nursery() as nursery:
        ((host, port),) = await nursery.start(target.serve)
        try:
            yield target, f"{host}:{port}"
        finally:
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def session(**options: Any) -> AsyncIterator[Session]:
    async with serving() as (_, portal), connect(f"iscsi://{portal}/{NAME}/0", **options) as one:
        yield one


@pytest.mark.parametrize("digests", [("None",), ("CRC32C",)])
async def test_what_is_written_is_read(digests: tuple[str, ...]):
    async with session(header_digests=digests, data_digests=digests) as one:
        await one.write(3, DATA * 2000)
        assert await one.read(3, 2000) == DATA * 2000
        assert one.core.parameters.data_digest is (digests == ("CRC32C",))


async def test_many_tasks_use_one_session():
    async with session() as one, trio.open_nursery() as nursery:

        async def work(place: int) -> None:
            data = bytes([place]) * 4096
            for _ in range(5):
                await one.write(place * 8, data)
                assert await one.read(place * 8, 8) == data

        for place in range(40):
            nursery.start_soon(work, place)


async def test_what_a_unit_says_of_itself():
    async with session() as one:
        assert await one.read_capacity() == Capacity(8192, 512)
        assert len(await one.inquiry()) >= 36
        assert (await one.inquiry(0x83))[1] == 0x83
        assert await one.report_luns() == [0]
        assert await one.ping(b"hello") == b"hello"
        assert await one.manage(TaskFunction.LOGICAL_UNIT_RESET) is TaskResult.COMPLETE
        await one.negotiate()


async def test_failures_tell_status_and_sense():
    async with session() as one:
        with pytest.raises(CommandFailed) as caught:
            await one.read(100_000, 1)
        assert caught.value.status == 2
        assert caught.value.sense[12] == 0x21
        answer = await one.command(b"\xff" + bytes(5))
        assert (answer.status, answer.data) == (2, b"")
        with pytest.raises(UsageError):
            await one.write(0, b"half a block")


async def test_discovery():
    async with serving() as (_, portal):
        (found,) = await discover(f"iscsi://{portal}")
        assert found.name == NAME
        assert found.addresses == (f"{portal},1",)


async def test_chap_both_ways():
    options: dict[str, Any] = {"chap": {"me": SECRET}, "mutual_chap": ("you", OTHER)}
    async with serving(**options) as (_, portal):
        with pytest.raises(LoginFailure, match="authentication failure") as caught:
            async with connect(f"iscsi://{portal}/{NAME}/0"):
                pass
        assert caught.value.status == 0x0201
        url = Url(
            host="127.0.0.1",
            port=int(portal.rpartition(":")[2]),
            target=NAME,
            user="me",
            secret=SECRET.decode(),
            target_user="you",
            target_secret=OTHER.decode(),
        )
        async with connect(url) as one:
            assert await one.ping() == b""


async def test_a_redirection_is_followed():
    async with (
        serving() as (_, portal),
        serving(redirect=Moved(portal)) as (_, first),
        connect(f"iscsi://{first}/{NAME}/0") as one,
    ):
        assert await one.ping(b"here") == b"here"


async def test_of_several_addresses_the_first_that_answers_is_taken():
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]

    async def lead(portal: str) -> None:
        async with listener, await listener.accept() as stream:
            await stream.receive_some()
            text = f"TargetAddress=127.0.0.1:1\0TargetAddress={portal}\0".encode()
            moved = LoginResponse(status_class=1, status_detail=1, data=text)
            await stream.send_all(b"".join(encode(moved)))

    async with serving() as (_, portal), trio.open_nursery() as nursery:
        nursery.start_soon(lead, portal)
        async with connect(f"iscsi://127.0.0.1:{port}/{NAME}/0") as one:
            assert await one.ping(b"here") == b"here"


async def test_sessions_that_follow_one_another_have_one_port_and_others_have_others():
    async with serving() as (_, portal):
        url = f"iscsi://{portal}/{NAME}/0"
        async with connect(url) as first, connect(url) as second:
            isids = [one.core.intent.isid for one in (first, second)]
        async with connect(url) as third:
            assert third.core.intent.isid == isids[0] != isids[1]


async def test_another_portal_group_than_the_expected_one_is_left():
    async with serving() as (_, portal):
        url = f"iscsi://{portal}/{NAME}/0"
        async with connect(url, portal_group=1) as one:
            assert await one.ping() == b""
        with pytest.raises(LoginFailure, match="portal group 1 answers, not 7"):
            async with connect(url, portal_group=7):
                pass


async def test_redirections_in_a_circle_come_to_an_end():
    here: list[str] = []
    redirect = Redirect(lambda _initiator, _target: Moved(here[0]))
    async with serving(redirect=redirect) as (_, portal):
        here.append(portal)
        with pytest.raises(LoginFailure, match="redirected more than"):
            async with connect(f"iscsi://{portal}/{NAME}/0"):
                pass


async def test_nobody_there():
    with pytest.raises(LoginFailure, match="cannot be reached"):
        async with connect(f"iscsi://127.0.0.1:1/{NAME}/0"):
            pass


async def test_a_target_that_says_nothing():
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    with pytest.raises(LoginFailure, match="no login within"):
        async with connect(f"iscsi://127.0.0.1:{port}/{NAME}/0", limits=Limits(login_time=0.1)):
            pass
    await listeners[0].aclose()


async def test_a_target_that_stops_is_obeyed():
    async with serving() as (target, portal), connect(f"iscsi://{portal}/{NAME}/0") as one:
        await target.stop(5)
        assert [message.async_event for message in one.messages] == [1]
        with pytest.raises(SessionLost):
            await one.ping()


async def test_a_session_that_is_lost_says_so():
    async with session() as one:
        one.core.connections[0].give_up("the test wants it")
        with pytest.raises(SessionLost):
            await one.read(0, 1)


async def test_an_error_in_the_callers_block_is_the_callers():
    async with serving() as (_, portal):
        with pytest.raises(ZeroDivisionError):
            async with connect(f"iscsi://{portal}/{NAME}/0"):
                raise ZeroDivisionError


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
    """A target at error recovery level 2 that answers a read by the second connection only."""

    def __init__(self) -> None:
        self.logins: list[LoginRequest] = []
        self.functions: list[int] = []

    async def talk(self, stream: trio.SocketStream) -> None:
        framer, numbers = Framer(2**24 - 1), {"exp_cmd_sn": 9, "max_cmd_sn": 40}
        connection = len(self.logins)
        async for data in stream:
            framer.receive(data)
            while (pdu := framer.next_pdu()) is not None:
                numbers["exp_cmd_sn"] = pdu.cmd_sn + (not pdu.immediate)
                for answer in self.answers(pdu, connection):
                    for name, value in numbers.items():
                        setattr(answer, name, value)
                    answer.stat_sn = self.stat_sn
                    self.stat_sn += 1
                    await stream.send_all(b"".join(map(bytes, encode(answer))))
                if isinstance(pdu, ScsiCommand) and not connection:
                    self.task = pdu.itt
                    return

    def answers(self, pdu: Any, connection: int) -> Any:
        match pdu:
            case LoginRequest():
                self.logins.append(pdu)
                self.stat_sn = 0
                text = b"ErrorRecoveryLevel=2\0DefaultTime2Wait=0\0" if pdu.tsih == 0 else b""
                fields = {"isid": pdu.isid, "tsih": 7, "itt": pdu.itt, "csg": pdu.csg}
                yield LoginResponse(transit=True, nsg=pdu.nsg, data=text, **fields)
            case TaskManagementRequest():
                self.functions.append(pdu.function)
                yield TaskManagementResponse(itt=pdu.itt)
                yield DataIn(itt=self.task, data=b"read", final=True, has_status=True)
            case LogoutRequest():
                yield LogoutResponse(itt=pdu.itt)


async def test_at_level_2_a_command_goes_on_by_a_new_connection():
    target = Loopback()
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, target.talk, listeners)
        options: dict[str, Any] = {"error_recovery_level": 2, "default_time2wait": 0}
        url = f"iscsi://127.0.0.1:{port}/{NAME}/0"
        first_stage = Stage.OPERATIONAL
        async with connect(url, recover=QUICK, first_stage=first_stage, **options) as one:
            assert (await one.command(bytes(6), expected_in=4)).data == b"read"
            assert (one.reconnections, one.recoveries) == (1, 0)
        assert [(login.tsih, login.cid) for login in target.logins] == [(0, 1), (7, 1)]
        assert target.functions == [TaskFunction.TASK_REASSIGN]
        nursery.cancel_scope.cancel()


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
