"""Our client and a small name server, over loopback sockets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

import attrs
import pytest
import trio
from trio.testing import MockClock

from trioscsi import Limits, MemoryDisk, Target
from trioscsi.isns import (
    Entity,
    Flag,
    Function,
    Message,
    Node,
    Reader,
    Status,
    Tag,
    decode_number,
    decode_text,
)
from trioscsi.isns.message import number, text
from trioscsi.server.name_service import NameService, refresh_interval

NAME = "iqn.2025-12.test:disk"
REGISTER, QUERY = Function.DEVICE_ATTRIBUTE_REGISTRATION, Function.DEVICE_ATTRIBUTE_QUERY
LIMITS = Limits(isns_time=5, isns_retry=30, isns_interval=60, isns_notices=4)


@pytest.fixture
def patient_clock() -> MockClock:
    """Jumps like trio's, but only after the kernel has had the time to hand bytes over."""
    return MockClock(autojump_threshold=0.05)


@attrs.define
class Server:
    """Takes every request down, and answers it as ``answer`` says."""

    asked: list[Message] = attrs.field(factory=list)
    answer: Callable[[Message], Message | None] = lambda message: message.answer()
    streams: list[trio.SocketStream] = attrs.field(factory=list)
    address: tuple[str, int] = ("", 0)
    more: trio.Event = attrs.field(factory=trio.Event)

    async def start(self, nursery: trio.Nursery) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.address = listeners[0].socket.getsockname()[:2]
        nursery.start_soon(trio.serve_listeners, self._converse, listeners)

    async def _converse(self, stream: trio.SocketStream) -> None:
        self.streams.append(stream)
        reader = Reader(2**20)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await stream.receive_some():
                for message in reader.receive(bytes(data)):
                    self.asked.append(message)
                    self.more.set()
                    answer = self.answer(message)
                    if answer is not None:
                        await stream.send_all(answer.encode())

    async def has_been_asked(self, *functions: int) -> None:
        """Wait until these were said, in this order, perhaps among others."""
        with trio.fail_after(1000):
            while not self._has_been_asked(*functions):
                self.more = trio.Event()
                await self.more.wait()

    def _has_been_asked(self, *functions: int) -> bool:
        said = [message.function for message in self.asked if message.function in functions]
        return said[: len(functions)] == list(functions)


def entity(own: tuple[str, int], port: int) -> Entity:
    return Entity("host:3260", (Node(NAME, None, ((own[0], 3260, 1),)),), 60, port)


@pytest.fixture
async def server(nursery: trio.Nursery) -> Server:
    server = Server()
    await server.start(nursery)
    return server


def client(server: Server, nursery: trio.Nursery) -> NameService:
    service = NameService(server.address, entity, LIMITS)
    nursery.start_soon(service.run)
    return service


async def test_a_target_registers_asks_for_notices_and_is_kept_alive(
    server: Server, nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    service = client(server, nursery)
    await server.has_been_asked(REGISTER, Function.SCN_REGISTRATION, QUERY, QUERY)
    assert service.registered
    assert trio.current_time() >= 120
    assert server.asked[0].first(Tag.PORTAL_IP_ADDRESS) is not None


async def test_a_shorter_period_of_the_server_counts(
    server: Server, nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    server.answer = lambda message: message.answer(number(Tag.REGISTRATION_PERIOD, 20))
    client(server, nursery)
    await server.has_been_asked(QUERY, QUERY)
    assert trio.current_time() < 60


def test_the_interval_is_half_of_what_is_granted() -> None:
    registered = Message(REGISTER, 1).answer(number(Tag.REGISTRATION_PERIOD, 40))
    assert refresh_interval(entity(("192.0.2.1", 1), 2), registered) == 20
    assert refresh_interval(entity(("192.0.2.1", 1), 2), Message(REGISTER, 1).answer()) == 60


async def test_inquiries_and_notices_are_answered_where_they_are_to_come(
    server: Server, nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    client(server, nursery)
    await server.has_been_asked(REGISTER)
    port = server.asked[0].first(Tag.ESI_PORT)
    assert port is not None
    assert port == server.asked[0].first(Tag.SCN_PORT)
    stream = await trio.open_tcp_stream("127.0.0.1", decode_number(port))
    reader = Reader(2**20)
    asks = [
        Message(Function.ENTITY_STATUS_INQUIRY, 1, (text(Tag.ENTITY_IDENTIFIER, "host:3260"),)),
        Message(
            Function.STATE_CHANGE_NOTIFICATION,
            2,
            (text(Tag.ISCSI_NAME, NAME), text(Tag.ISCSI_NAME, "iqn.2025-12.test:new")),
        ),
        Message(Function.DEVICE_DEREGISTRATION, 3),
    ]
    answers: list[Message] = []
    async with stream:
        for ask in asks:
            await stream.send_all(attrs.evolve(ask, flags=Flag.SERVER).encode())
        with trio.fail_after(1000):
            while len(answers) < 3:
                answers += reader.receive(bytes(await stream.receive_some()))
    assert [answer.function for answer in answers] == [0x800D, 0x8008, 0x8004]
    assert answers[0].attributes == asks[0].attributes
    assert decode_text(answers[1].attributes[0][1]) == NAME
    assert [answer.status for answer in answers] == [0, 0, Status.MESSAGE_NOT_SUPPORTED]


async def test_who_opens_connections_and_says_nothing_gives_way(
    server: Server, nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    client(server, nursery)
    await server.has_been_asked(REGISTER)
    port = server.asked[0].first(Tag.ESI_PORT)
    assert port is not None
    async with AsyncExitStack() as stack:
        silent = [
            await stack.enter_async_context(
                await trio.open_tcp_stream("127.0.0.1", decode_number(port))
            )
            for _ in range(LIMITS.isns_notices + 1)
        ]
        with trio.fail_after(1000):
            assert await silent[0].receive_some() == b""
        inquiry = Message(Function.ENTITY_STATUS_INQUIRY, 1, flags=Flag.SERVER)
        await silent[-1].send_all(inquiry.encode())
        assert await silent[-1].receive_some()


async def test_inquiries_may_come_on_the_connection_that_is_there(
    server: Server, nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    service = client(server, nursery)
    await server.has_been_asked(Function.SCN_REGISTRATION)
    await trio.sleep(1)
    assert service.registered
    inquiry = Message(Function.ENTITY_STATUS_INQUIRY, 9, flags=Flag.SERVER)
    server.answer = lambda message: None if message.is_response else message.answer()
    await server.streams[0].send_all(inquiry.encode())
    await server.has_been_asked(0x800D)
    assert server.asked[-1].transaction == 9


async def test_a_server_that_has_forgotten_us_is_told_again(
    server: Server,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
    patient_clock: MockClock,
) -> None:
    def answer(message: Message) -> Message:
        forgotten = message.function == QUERY
        return message.answer(status=Status.NO_SUCH_ENTRY if forgotten else Status.SUCCESSFUL)

    server.answer = answer
    client(server, nursery)
    await server.has_been_asked(REGISTER, QUERY, REGISTER)
    assert "DEVICE_ATTRIBUTE_QUERY was refused with status 9" in caplog.text


async def test_a_server_that_goes_away_is_found_again(
    server: Server,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
    patient_clock: MockClock,
) -> None:
    service = client(server, nursery)
    await server.has_been_asked(Function.SCN_REGISTRATION)
    await server.streams[0].aclose()
    await server.has_been_asked(REGISTER, REGISTER)
    assert "is of no use: the connection was closed" in caplog.text
    await server.has_been_asked(Function.SCN_REGISTRATION, Function.SCN_REGISTRATION)
    await trio.sleep(1)
    assert service.registered


@pytest.mark.parametrize("noise", [b"\0\2" + bytes(20), None])
async def test_a_server_that_makes_no_sense_or_says_nothing_is_complained_of_once(
    server: Server,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
    patient_clock: MockClock,
    noise: bytes | None,
) -> None:
    def answer(message: Message) -> Message | None:
        if noise is not None:
            nursery.start_soon(server.streams[-1].send_all, noise)
        return None

    server.answer = answer
    service = client(server, nursery)
    await server.has_been_asked(REGISTER, REGISTER, REGISTER)
    assert not service.registered
    assert caplog.text.count("is of no use") == 1


async def test_a_target_that_is_added_later_is_registered_then(
    server: Server, nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    nodes: list[Node] = []
    service = NameService(
        server.address,
        lambda own, port: attrs.evolve(entity(own, port), nodes=tuple(nodes)),
        LIMITS,
    )
    nursery.start_soon(service.run)
    await trio.sleep(LIMITS.isns_retry + 1)
    assert server.asked == []
    nodes.append(Node(NAME, None, (("127.0.0.1", 3260, 1),)))
    await server.has_been_asked(REGISTER)


async def test_a_server_that_is_not_there_is_no_fault_of_the_target(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, patient_clock: MockClock
) -> None:
    with trio.socket.socket() as closed:
        await closed.bind(("127.0.0.1", 0))
        host, port = closed.getsockname()
    target = Target(
        NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0", name_server=f"{host}:{port}", limits=LIMITS
    )
    await nursery.start(target.serve)
    await trio.sleep(100)
    assert caplog.text.count("is of no use: Connection refused") == 1
    await target.stop()


async def test_a_server_of_a_name_that_no_host_has_is_no_fault_of_the_target(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, patient_clock: MockClock
) -> None:
    target = Target(
        NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0", name_server="a..b:3205", limits=LIMITS
    )
    await nursery.start(target.serve)
    await trio.sleep(100)
    assert caplog.text.count("a..b:3205 is of no use: no host has such a name") == 1
    await target.stop()


async def test_a_target_that_stops_takes_its_entry_out(
    server: Server, nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    host, port = server.address
    target = Target(
        NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0", name_server=f"{host}:{port}", alias="a disk"
    )
    ((_, own_port),) = await nursery.start(target.serve)
    await server.has_been_asked(Function.SCN_REGISTRATION)
    registration = server.asked[0]
    assert registration.first(Tag.ISCSI_ALIAS) == b"a disk\0\0"
    assert registration.first(Tag.PORTAL_PORT) == own_port.to_bytes(4)
    assert registration.first(Tag.PG_TAG) == b"\0\0\0\1"
    await target.stop()
    await server.has_been_asked(Function.DEVICE_DEREGISTRATION)
