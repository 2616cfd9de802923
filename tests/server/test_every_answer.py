"""Every status, reason, response and event of RFC 7143 has a situation in which it is sent.

The tables below are complete: a code without a row fails. Rows say what a real initiator does, and
the answer is what it gets over a socket from a `Server`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.requirements import requirement
from tests.server.disks import Held
from tests.server.peer import (
    BLOCK,
    INITIATOR,
    NAME,
    OTHER_ISID,
    TEST_UNIT_READY,
    Peer,
    read10,
    write10,
)
from trioscsi import Limits, MemoryDisk, Moved, Portal, Redirect, Server, Target, View
from trioscsi.pdu import (
    AsyncEvent,
    AsyncMessage,
    DataIn,
    DataOut,
    LoginRequest,
    LoginStatus,
    NopOut,
    Reject,
    RejectReason,
    SnackRequest,
    SnackType,
    TaskFunction,
    TaskManagementRequest,
    TaskResult,
    TextRequest,
    encode,
)
from trioscsi.text import encode as encode_text

FRIEND = "iqn.2025-12.test:friend"
TARGETS: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "chap": {"chap": ("alice", "a secret of some length")},
    "friends": {"allow": [FRIEND]},
    "away": {"redirect": "192.0.2.9"},
    "moved": {"redirect": Moved("192.0.2.9", permanent=True)},
    "lost": {"redirect": Redirect(lambda *_: 1 / 0)},  # type: ignore[arg-type, return-value]
    "full": {"limits": Limits(sessions=1)},
    "two": {"max_connections": 2},
    "view": {"views": {"*": View([0])}},
    "fast": {"task_reporting": ("FastAbort", "ResponseFence", "RFC3720")},
    "held": {},
}
LIMITS = Limits(immediate_tasks=1, texts=1, ping_interval=0)


def name(target: str) -> str:
    return f"{NAME}.{target}"


@attrs.define
class World:
    """A server with all of these targets, behind two portal groups."""

    server: Server
    targets: dict[str, Target]
    held: Held
    addresses: list[Any] = attrs.field(factory=list)
    peers: list[Peer] = attrs.field(factory=list)

    async def connect(self, group: int = 0) -> Peer:
        sock = trio.socket.socket()
        await sock.connect(self.addresses[group])
        self.peers.append(Peer(sock, patience=1e6))
        return self.peers[-1]

    async def log_in(self, target: str | None = "plain", **settings: Any) -> int:
        """The status of one login of a new connection."""
        peer = await self.connect(settings.pop("group", 0))
        return await peer.log_in(None if target is None else name(target), **settings)

    async def logged_in(self, target: str = "plain", **settings: Any) -> Peer:
        peer = await self.connect()
        assert await peer.log_in(name(target), **settings) == 0
        await peer.do(TEST_UNIT_READY)
        return peer


@pytest.fixture
def patient_clock() -> MockClock:
    """Jumps like trio's, but only after the kernel has had the time to hand bytes over.

    It is the clock of the tests that ask for it themselves.
    """
    return MockClock(autojump_threshold=0.05)


@pytest.fixture
async def world(nursery: trio.Nursery) -> AsyncIterator[World]:
    held = Held()
    targets = {
        each: Target(
            name(each),
            held if each == "held" else MemoryDisk("1MiB"),
            **{"limits": LIMITS, **settings},
        )
        for each, settings in TARGETS.items()
    }
    portals = [Portal("127.0.0.1:0", group=1), Portal("127.0.0.1:0", group=2)]
    server = Server(targets.values(), portals, limits=LIMITS)
    world = World(server, targets, held)
    world.addresses = await nursery.start(server.serve)
    yield world
    held.open.set()
    for peer in world.peers:
        peer.close()


Situation: TypeAlias = Callable[[World], Awaitable[Any]]


# Login (section 11.13.5): each situation gives a status.


async def joined_elsewhere(world: World) -> int:
    peer = await world.logged_in("two")
    return await world.log_in("two", tsih=peer.tsih, group=1)


async def one_connection_too_many(world: World) -> int:
    peer = await world.logged_in()
    other = await world.connect()
    keys = {"InitiatorName": INITIATOR, "TargetName": name("plain")}
    return await first_status(other, keys, tsih=peer.tsih, cid=7)


async def first_status(peer: Peer, keys: Mapping[str, str], **fields: Any) -> int:
    request = LoginRequest(
        **{"transit": True, "csg": 1, "nsg": 3, "isid": b"\x80test\0", **fields},
        data=encode_text(keys.items()),
    )
    await peer.send(request)
    response = await peer.receive()
    return int(response.status_class << 8 | response.status_detail)


async def another_version(world: World) -> int:
    return await first_status(await world.connect(), {}, version_min=1, version_max=1)


async def nobody_said_who(world: World) -> int:
    return await first_status(await world.connect(), {"TargetName": name("plain")})


async def pinged_in_the_login(world: World) -> int:
    peer = await world.connect()
    keys = {"InitiatorName": INITIATOR, "TargetName": name("plain")}
    assert await first_status(peer, keys, transit=False, nsg=0) == 0
    await peer.send(NopOut(itt=1, immediate=True))
    response = await peer.receive()
    return int(response.status_class << 8 | response.status_detail)


async def one_session_too_many(world: World) -> int:
    await world.logged_in("full")
    return await world.log_in("full", isid=OTHER_ISID)


async def a_target_that_was_removed(world: World) -> int:
    await world.server.remove(name("plain"))
    return await world.log_in()


async def a_target_that_is_being_removed(world: World) -> int:
    peer = await world.connect()
    world.targets["plain"].node.closing = True
    return await peer.log_in(name("plain"))


async def a_server_without_discovery(world: World) -> int:
    world.server._has_discovery = False
    return await world.log_in(None)


LOGINS: Mapping[LoginStatus, Situation] = {
    LoginStatus.SUCCESS: lambda world: world.log_in(),
    LoginStatus.TARGET_MOVED_TEMPORARILY: lambda world: world.log_in("away"),
    LoginStatus.TARGET_MOVED_PERMANENTLY: lambda world: world.log_in("moved"),
    LoginStatus.INITIATOR_ERROR: lambda world: world.log_in(MaxBurstLength="1", SessionType="?"),
    LoginStatus.AUTHENTICATION_FAILURE: lambda world: world.log_in("chap"),
    LoginStatus.AUTHORIZATION_FAILURE: lambda world: world.log_in("friends"),
    LoginStatus.NOT_FOUND: lambda world: world.log_in("nowhere"),
    LoginStatus.TARGET_REMOVED: a_target_that_was_removed,
    LoginStatus.UNSUPPORTED_VERSION: another_version,
    LoginStatus.TOO_MANY_CONNECTIONS: one_connection_too_many,
    LoginStatus.MISSING_PARAMETER: nobody_said_who,
    LoginStatus.CANNOT_INCLUDE_IN_SESSION: joined_elsewhere,
    LoginStatus.SESSION_TYPE_NOT_SUPPORTED: a_server_without_discovery,
    LoginStatus.SESSION_DOES_NOT_EXIST: lambda world: world.log_in(tsih=99),
    LoginStatus.INVALID_DURING_LOGIN: pinged_in_the_login,
    LoginStatus.TARGET_ERROR: lambda world: world.log_in("lost"),
    LoginStatus.SERVICE_UNAVAILABLE: a_target_that_is_being_removed,
    LoginStatus.OUT_OF_RESOURCES: one_session_too_many,
}


@pytest.mark.parametrize("status", LoginStatus, ids=lambda status: status.name)
@requirement("7143-11.13.5-8")
async def test_every_login_status_has_its_situation(world: World, status: LoginStatus) -> None:
    assert LoginStatus(await LOGINS[status](world)) is status


# Reject (section 11.17.1): each situation gives a Reject.


async def rejected(peer: Peer, *pdus: Any) -> Reject:
    await peer.send(*pdus)
    while not isinstance(answer := await peer.receive(), Reject):
        assert answer is not None
    return answer


async def damaged_data(world: World) -> Reject:
    peer = await world.connect()
    assert await peer.log_in(name("plain"), DataDigest="CRC32C") == 0
    await peer.send_bytes(b"".join(bytes(part) for part in _damaged(peer)))
    answer = await peer.receive()
    assert isinstance(answer, Reject)
    return answer


def _damaged(peer: Peer) -> list[Any]:
    command = peer.command(write10(0, 1), bytes(BLOCK))
    header, data, digest = encode(command, data_digest=True)
    return [header, data, bytes(byte ^ 0xFF for byte in digest)]


async def a_snack(world: World) -> Reject:
    return await rejected(await world.logged_in(), SnackRequest(itt=1))


async def an_acknowledgement_of_data(world: World) -> Reject:
    peer = await world.logged_in()
    return await rejected(peer, SnackRequest(type=SnackType.DATA_ACK, ttt=5))


async def a_command_in_discovery(world: World) -> Reject:
    peer = await world.connect()
    assert await peer.log_in(None) == 0
    return await rejected(peer, peer.command(TEST_UNIT_READY))


async def a_pdu_of_a_target(world: World) -> Reject:
    peer = await world.logged_in()
    return await rejected(peer, DataIn(itt=1))


async def two_immediate_commands(world: World) -> Reject:
    peer = await world.logged_in("held")
    pdus = [peer.command(write10(0, 1), bytes(BLOCK)) for _ in range(2)]
    return await rejected(peer, *(attrs.evolve(pdu, immediate=True) for pdu in pdus))


async def a_tag_twice(world: World) -> Reject:
    peer = await world.logged_in("held")
    command = peer.command(write10(0, 1), bytes(BLOCK))
    again = peer.command(read10(0, 1), reads=BLOCK)
    again.itt = command.itt
    return await rejected(peer, command, again)


async def data_that_nobody_asked_for(world: World) -> Reject:
    peer = await world.logged_in("held")
    command = peer.command(write10(0, 1), bytes(BLOCK))
    return await rejected(peer, command, DataOut(final=True, itt=command.itt, ttt=9, data=b"x"))


async def one_long_text_too_many(world: World) -> Reject:
    first = await world.logged_in()
    second = await world.logged_in(isid=OTHER_ISID)
    await first.send(TextRequest(itt=7, immediate=True, final=False, cmd_sn=first.cmd_sn))
    assert not (await first.receive()).final
    text = TextRequest(itt=7, immediate=True, final=False, cmd_sn=second.cmd_sn)
    return await rejected(second, text)


async def a_command_late_in_a_logout(world: World) -> Reject:
    peer = await world.logged_in()
    for conversation in world.server.conversations:
        conversation.ask_for_logout()
    assert isinstance(await peer.receive(), AsyncMessage)
    await trio.sleep(LIMITS.logout_time * 0.75)
    return await rejected(peer, peer.command(TEST_UNIT_READY))


REJECTS: Mapping[RejectReason, Situation] = {
    RejectReason.DATA_DIGEST_ERROR: damaged_data,
    RejectReason.SNACK_REJECT: a_snack,
    RejectReason.PROTOCOL_ERROR: a_command_in_discovery,
    RejectReason.COMMAND_NOT_SUPPORTED: a_pdu_of_a_target,
    RejectReason.IMMEDIATE_COMMAND_REJECT: two_immediate_commands,
    RejectReason.TASK_IN_PROGRESS: a_tag_twice,
    RejectReason.INVALID_DATA_ACK: an_acknowledgement_of_data,
    RejectReason.INVALID_PDU_FIELD: data_that_nobody_asked_for,
    RejectReason.LONG_OPERATION_REJECT: one_long_text_too_many,
    RejectReason.WAITING_FOR_LOGOUT: a_command_late_in_a_logout,
}


@pytest.mark.parametrize("reason", RejectReason, ids=lambda reason: reason.name)
async def test_every_reason_to_reject_has_its_situation(
    world: World, patient_clock: MockClock, reason: RejectReason
) -> None:
    reject = await REJECTS[reason](world)
    assert RejectReason(reject.reason) is reason


# Task management (section 11.6.1, RFC 7144): each situation gives a response.

LEVEL_2 = {"iSCSIProtocolLevel": "2"}


async def answer_to(peer: Peer, function: int, **fields: Any) -> int:
    request = TaskManagementRequest(
        **{"immediate": True, "function": function, "itt": 9999, "cmd_sn": peer.cmd_sn, **fields}
    )
    await peer.send(request)
    while not hasattr(answer := await peer.receive(), "additional_response_information"):
        assert answer is not None
    return int(answer.response)


async def about_a_command(world: World, function: int) -> int:
    """A function about a command that storage keeps for itself."""
    peer = await world.logged_in("held", **LEVEL_2)
    command = peer.command(write10(0, 1), bytes(BLOCK))
    await peer.send(command)
    await world.held.entered.wait()
    return await answer_to(peer, function, referenced_task_tag=command.itt)


async def about_itself(world: World) -> int:
    peer = await world.logged_in(**LEVEL_2)
    return await answer_to(peer, TaskFunction.QUERY_TASK, referenced_task_tag=9999)


async def reset_by_who_sees_a_part(world: World) -> int:
    return await answer_to(await world.logged_in("view"), TaskFunction.TARGET_WARM_RESET)


async def function(world: World, number: int, **fields: Any) -> int:
    return await answer_to(await world.logged_in(), number, **fields)


RESPONSES: Mapping[TaskResult, Situation] = {
    TaskResult.COMPLETE: lambda world: function(world, TaskFunction.LOGICAL_UNIT_RESET),
    TaskResult.NO_TASK: lambda world: function(
        world, TaskFunction.ABORT_TASK, referenced_task_tag=77
    ),
    TaskResult.NO_LUN: lambda world: function(world, TaskFunction.LOGICAL_UNIT_RESET, lun=5 << 48),
    TaskResult.REASSIGNMENT_NOT_SUPPORTED: lambda world: function(
        world, TaskFunction.TASK_REASSIGN, referenced_task_tag=77
    ),
    TaskResult.NOT_SUPPORTED: lambda world: function(world, 99),
    TaskResult.NOT_AUTHORIZED: reset_by_who_sees_a_part,
    TaskResult.SUCCEEDED: lambda world: about_a_command(world, TaskFunction.QUERY_TASK),
    TaskResult.REJECTED: about_itself,
}


NEVER_SENT = {TaskResult.STILL_ALLEGIANT}
"""Section 7.2.2: a target that reassigns no tasks says that, whatever there is."""


@pytest.mark.parametrize("result", RESPONSES, ids=lambda result: result.name)
@requirement("7143-11.5.1-5")
async def test_every_response_to_a_function_has_its_situation(
    world: World, result: TaskResult
) -> None:
    assert TaskResult(await RESPONSES[result](world)) is result


# Asynchronous messages (section 11.9.1): each situation gives an event.


async def resized(world: World) -> Peer:
    peer = await world.logged_in()
    await world.targets["plain"].resize(0, "2MiB")
    return peer


async def asked_to_leave(world: World) -> Peer:
    peer = await world.logged_in()
    world.server.conversations[-1].ask_for_logout()
    return peer


async def stayed_too_long(world: World) -> Peer:
    peer = await asked_to_leave(world)
    assert (await peer.receive()).async_event == AsyncEvent.LOGOUT_REQUEST
    return peer


async def restarted(world: World) -> Peer:
    peer = await world.logged_in()
    other = await world.logged_in(isid=OTHER_ISID)
    await answer_to(other, TaskFunction.TARGET_COLD_RESET)
    return peer


async def renegotiated(world: World) -> Peer:
    peer = await world.logged_in()
    world.targets["plain"].renegotiate(alias="new")
    return peer


async def cleared_by_another(world: World) -> Peer:
    peer = await world.logged_in("held", TaskReporting="FastAbort")
    other = await world.logged_in("held", isid=OTHER_ISID)
    await peer.send(peer.command(write10(0, 1), bytes(BLOCK)))
    await world.held.entered.wait()
    await answer_to(other, TaskFunction.LOGICAL_UNIT_RESET)
    return peer


EVENTS: Mapping[AsyncEvent, Situation] = {
    AsyncEvent.SCSI_EVENT: resized,
    AsyncEvent.LOGOUT_REQUEST: asked_to_leave,
    AsyncEvent.CONNECTION_DROP: stayed_too_long,
    AsyncEvent.SESSION_DROP: restarted,
    AsyncEvent.NEGOTIATION_REQUEST: renegotiated,
    AsyncEvent.TASK_TERMINATION: cleared_by_another,
}


@pytest.mark.parametrize("event", AsyncEvent, ids=lambda event: event.name)
async def test_every_event_has_its_situation(
    world: World, patient_clock: MockClock, event: AsyncEvent
) -> None:
    peer = await EVENTS[event](world)
    message = await peer.receive()
    assert isinstance(message, AsyncMessage)
    assert AsyncEvent(message.async_event) is event


def test_the_tables_are_complete() -> None:
    assert LOGINS.keys() == set(LoginStatus)
    assert REJECTS.keys() == set(RejectReason)
    assert RESPONSES.keys() == set(TaskResult) - NEVER_SENT
    assert EVENTS.keys() == set(AsyncEvent)
