"""The client over loopback sockets, against the server of this project."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.initiator.served import DATA, NAME, serving, session
from trioscsi.errors import CommandFailed, LoginFailure, SessionLost, UsageError
from trioscsi.initiator.client import connect, discover
from trioscsi.initiator.results import Capacity
from trioscsi.initiator.url import Url
from trioscsi.limits import Limits
from trioscsi.pdu import (
    LoginResponse,
    TaskFunction,
    TaskResult,
    encode,
)
from trioscsi.server.access import Moved, Redirect

SECRET, OTHER = b"secret of the initiator", b"secret of the target"


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


async def test_a_redirection_to_what_no_host_can_be_called_is_a_failure():
    async with serving(redirect=Moved("a..b:3260")) as (_, portal):
        with pytest.raises(LoginFailure, match=r"^a\.\.b:3260 cannot be reached: no host has"):
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
