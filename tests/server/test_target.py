from __future__ import annotations

import errno
import logging
import resource
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.requirements import requirement
from tests.server.conftest import Build
from tests.server.peer import (
    BLOCK,
    INITIATOR,
    NAME,
    OTHER_ISID,
    SYNCHRONIZE_CACHE,
    TEST_UNIT_READY,
    Peer,
    read10,
    write10,
)
from trioscsi import (
    CdRom,
    FileDisk,
    Limits,
    MemoryDisk,
    NullDisk,
    Portal,
    PortalError,
    Server,
    Slow,
    Target,
    UsageError,
    View,
)
from trioscsi.backends import Buffer
from trioscsi.pdu import (
    AsyncEvent,
    AsyncMessage,
    LoginStatus,
    TextRequest,
    TextResponse,
)
from trioscsi.scsi import AdditionalSense, LogicalUnit, Nexus, Plan
from trioscsi.scsi.modes.pages import LOGICAL_BLOCK_PROVISIONING
from trioscsi.server.listener import format_address
from trioscsi.server.storage import UnitStorage

HERE = "127.0.0.1:0"
SEVEN = {7: "active/optimized"}
Connect = Callable[[Any], Awaitable[Peer]]


@pytest.fixture
def patient_clock() -> MockClock:
    """Jumps like trio's, but only after the kernel has had the time to hand bytes over."""
    return MockClock(autojump_threshold=0.05)


@pytest.fixture
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Connects to an address."""
    patience = 1e6 if "patient_clock" in request.fixturenames else 20
    peers: list[Peer] = []

    async def connect(address: Any) -> Peer:
        sock = trio.socket.socket()
        await sock.connect(address)
        peers.append(Peer(sock, patience=patience))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.close()


def disk() -> MemoryDisk:
    return MemoryDisk("1MiB")


async def discovered(peer: Peer) -> list[str]:
    """The answer to SendTargets=All, a line for each key."""
    assert await peer.log_in(None) == 0
    await peer.send(TextRequest(itt=9, cmd_sn=peer.cmd_sn, data=b"SendTargets=All\0"))
    response = await peer.receive()
    assert isinstance(response, TextResponse)
    return bytes(response.data).decode().rstrip("\0").split("\0")


# What can be built.


def test_a_disk_that_cannot_work_is_refused() -> None:
    class Plain:
        block_size, blocks = BLOCK, 8

        async def read(self, lba: int, blocks: int) -> bytes:
            return bytes(blocks * BLOCK)

    plain: Any = Plain()
    target = Target(NAME, disk())
    for refused in (lambda: Target(NAME, plain), lambda: target.add_lun(1, plain)):
        with pytest.raises(UsageError, match="Plain has no method write"):
            refused()
    target.add_lun(1, plain, read_only=True)
    Target(NAME, plain, read_only=True)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"name": "disk"}, "iqn"),
        ({"listen": "nowhere:x"}, "HOST:PORT"),
        ({"luns": {0: disk()}}, "LUN 0 is given twice"),
        ({"luns": {99_999: disk()}}, "99999"),
        ({"colour": "red", "size": 5}, "no setting colour, size"),
        ({"max_burst_length": 5}, "max_burst_length"),
        ({"mutual_chap": ("disk", "a secret of the disk")}, "mutual CHAP needs CHAP"),
    ],
)
def test_a_target_that_cannot_be_is_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Target(settings.pop("name", NAME), disk(), **settings)


async def test_units_may_have_numbers_of_their_own(build: Build) -> None:
    house = build(disk(), luns={7: disk(), 300: disk()})
    peer = await house.log_in()
    for unit in (0, 7, 300):
        assert await peer.read(0, 1, unit=unit) == bytes(BLOCK)


async def test_a_read_only_target_refuses_writes(build: Build) -> None:
    peer = await build(disk(), read_only=True).log_in()
    answer = await peer.do(b"\x2a" + bytes(7) + b"\1\0", bytes(BLOCK))
    assert answer.sense_code == (7, 0x2700)  # WRITE PROTECTED


# Doors.


async def test_a_target_is_found_and_used(nursery: trio.Nursery, connect: Connect) -> None:
    addresses = await nursery.start(Target(NAME, disk(), listen=HERE).serve)
    host, port = addresses[0]
    assert await discovered(await connect(addresses[0])) == [
        f"TargetName={NAME}",
        f"TargetAddress={host}:{port},1",
    ]
    peer = await connect(addresses[0])
    assert await peer.log_in() == 0
    await peer.do(TEST_UNIT_READY)
    await peer.write(5, b"t" * BLOCK)
    assert await peer.read(5, 1) == b"t" * BLOCK
    await peer.log_out()


@requirement("7143-C-5")
@requirement("7143-C-10")
async def test_several_targets_share_several_portals(
    nursery: trio.Nursery, connect: Connect
) -> None:
    targets = [Target(f"{NAME}{n}", disk()) for n in range(2)]
    hidden = Target(f"{NAME}2", disk(), allow=["iqn.2025-12.test:friend"])
    addresses = await nursery.start(Server([*targets, hidden], [HERE, HERE]).serve)
    assert len(addresses) == 2
    for own, other in (addresses, addresses[::-1]):
        where = [f"TargetAddress={host}:{port},1" for host, port in (own, other)]
        lines = await discovered(await connect(own))
        assert lines == [f"TargetName={NAME}0", *where, f"TargetName={NAME}1", *where]
    for n, status in enumerate([0, 0, 0x0202, 0x0203]):
        peer = await connect(addresses[0])
        assert await peer.log_in(f"{NAME}{n}") == status
        if not status:
            await peer.do(TEST_UNIT_READY)
            assert await peer.read(0, 1) == bytes(BLOCK)
            await peer.write(0, b"w" * BLOCK)  # each has a disk of its own


def test_no_two_targets_have_one_name() -> None:
    with pytest.raises(UsageError, match="two targets"):
        Server([Target(NAME, disk()), Target(NAME.upper(), disk())])


async def test_initiators_can_be_sent_elsewhere(nursery: trio.Nursery, connect: Connect) -> None:
    target = Target(NAME, disk(), listen=HERE, redirect="192.0.2.9:13260")
    (address,) = await nursery.start(target.serve)
    peer = await connect(address)
    assert await peer.log_in() == LoginStatus.TARGET_MOVED_TEMPORARILY
    assert peer.keys == {"TargetAddress": "192.0.2.9:13260"}


async def test_an_advertised_address_is_what_initiators_are_told(
    nursery: trio.Nursery, connect: Connect
) -> None:
    portal = Portal(HERE, advertise="san.example:860")
    (address,) = await nursery.start(Target(NAME, disk(), listen=portal).serve)
    lines = await discovered(await connect(address))
    assert lines == [f"TargetName={NAME}", "TargetAddress=san.example:860,1"]


async def test_a_host_that_comes_too_fast_is_turned_away(
    nursery: trio.Nursery, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    target = Target(NAME, disk(), listen=HERE, limits=Limits(connections_per_address=1))
    (address,) = await nursery.start(target.serve)
    peer = await connect(address)
    assert await peer.log_in() == 0
    late = await connect(address)
    assert await late.receive() is None
    assert caplog.messages[-1].endswith("refused: 127.0.0.1 has 1 connections already")
    await peer.log_out()
    peer.close()


async def test_a_port_that_is_taken_is_an_error(nursery: trio.Nursery) -> None:
    ((host, port),) = await nursery.start(Target(NAME, disk(), listen=HERE).serve)
    with pytest.RaisesGroup(PortalError, flatten_subgroups=True, allow_unwrapped=True):
        await Target(NAME, disk(), listen=f"{host}:{port}").serve()


async def test_protected_mode_tells_the_log_how_to_open_the_target(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    peer = house.connect(("192.0.2.7", 40_000))
    assert await peer.log_in() == LoginStatus.AUTHORIZATION_FAILURE
    assert await peer.receive() is None
    (line,) = caplog.messages
    assert line.startswith(f"192.0.2.7:40000: protected mode: {INITIATOR} at 192.0.2.7 is not on")
    assert "(RFC 7143 section 11.13.5, answered AUTHORIZATION_FAILURE);" in line
    assert await discovered(house.connect(("192.0.2.7", 40_001))) == [""]


# The end.


class Stopping:
    """A target that serves, and when it has ended."""

    def __init__(self) -> None:
        self.target = Target(NAME, Slow(disk(), read_ms=10_000), listen=HERE)
        self.ended = trio.Event()

    async def start(self, nursery: trio.Nursery) -> Any:
        (address,) = await nursery.start(self._serve)
        return address

    async def _serve(self, task_status: Any) -> None:
        await self.target.serve(task_status)
        self.ended.set()


async def test_to_stop_a_target_that_does_not_serve_is_no_error() -> None:
    await Target(NAME, disk()).stop()


async def test_a_target_without_initiators_stops_at_once(
    nursery: trio.Nursery, patient_clock: MockClock
) -> None:
    stopping = Stopping()
    address = await stopping.start(nursery)
    await stopping.target.stop()
    await stopping.ended.wait()
    assert trio.current_time() == 0
    with socket.socket() as sock:
        assert sock.connect_ex(address) == errno.ECONNREFUSED


@requirement("7143-4.2.6-1")
async def test_a_target_stops_when_its_initiators_have_logged_out(
    nursery: trio.Nursery, connect: Connect, patient_clock: MockClock
) -> None:
    stopping = Stopping()
    address = await stopping.start(nursery)
    peer, silent = await connect(address), await connect(address)
    assert await peer.log_in() == 0
    nursery.start_soon(stopping.target.stop)
    message = await peer.receive()
    assert isinstance(message, AsyncMessage)
    assert message.async_event == AsyncEvent.LOGOUT_REQUEST
    assert await silent.receive() is None
    assert not stopping.ended.is_set()
    await peer.log_out()
    await stopping.ended.wait()
    assert trio.current_time() == 0


async def test_a_target_does_not_wait_for_ever_for_a_logout(
    nursery: trio.Nursery, connect: Connect, patient_clock: MockClock
) -> None:
    stopping = Stopping()
    peer = await connect(await stopping.start(nursery))
    assert await peer.log_in() == 0
    await peer.send(peer.command(read10(0, 1), reads=BLOCK))
    await stopping.target.stop(grace=3)
    await stopping.ended.wait()
    assert trio.current_time() == pytest.approx(3)
    while await peer.receive() is not None:
        pass


async def test_a_cancelled_target_lets_go_of_everything(
    nursery: trio.Nursery, connect: Connect
) -> None:
    async with trio.open_nursery() as serving:
        (address,) = await serving.start(Target(NAME, disk(), listen=HERE).serve)
        peer = await connect(address)
        assert await peer.log_in() == 0
        serving.cancel_scope.cancel()
    assert await peer.receive() is None
    with socket.socket() as sock:
        assert sock.connect_ex(address) == errno.ECONNREFUSED


# Faults and crowds.


async def test_a_fault_ends_one_conversation_alone(
    nursery: trio.Nursery,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execute = LogicalUnit.execute

    def faulty(unit: LogicalUnit, cdb: bytes, nexus: Nexus) -> Plan:
        if bytes(cdb[:10]) == read10(13, 1):
            raise ZeroDivisionError
        return execute(unit, cdb, nexus)

    monkeypatch.setattr(LogicalUnit, "execute", faulty)
    (address,) = await nursery.start(Target(NAME, disk(), listen=HERE).serve)
    peer, other = await connect(address), await connect(address)
    for each, isid in ((peer, b"\x80test\0"), (other, OTHER_ISID)):
        assert await each.log_in(isid=isid) == 0
        await each.do(TEST_UNIT_READY)
    # Both at once, and the innocent one first: what they ask for is done in its turn.
    innocent = other.command(read10(12, 1), reads=BLOCK)
    guilty = peer.command(read10(13, 1), reads=BLOCK)
    other.send_now(innocent)
    peer.send_now(guilty)
    assert (await other.answer(innocent)).status == 0
    assert await peer.receive() is None
    assert await other.read(12, 1) == bytes(BLOCK)
    (record,) = caplog.records
    assert "ended by a fault of ours" in record.getMessage()
    assert record.exc_info is not None


async def test_a_fault_of_a_command_that_waits_ends_one_conversation_alone(
    nursery: trio.Nursery,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = UnitStorage.read

    async def faulty(storage: UnitStorage, lba: int, blocks: int) -> Buffer:
        data = await read(storage, lba, blocks)
        if lba == 13:
            raise ZeroDivisionError
        return data

    monkeypatch.setattr(UnitStorage, "read", faulty)
    (address,) = await nursery.start(Target(NAME, Slow(disk()), listen=HERE).serve)
    peer, other = await connect(address), await connect(address)
    for each, isid in ((peer, b"\x80test\0"), (other, OTHER_ISID)):
        assert await each.log_in(isid=isid) == 0
        await each.do(TEST_UNIT_READY)
    await peer.send(peer.command(read10(13, 1), reads=BLOCK))
    assert await peer.receive() is None
    assert await other.read(12, 1) == bytes(BLOCK)
    (record,) = caplog.records
    assert "ended by a fault of ours" in record.getMessage()


async def test_a_connection_that_is_reset_before_its_first_word_is_no_fault(
    nursery: trio.Nursery, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "trioscsi")
    (address,) = await nursery.start(Target(NAME, disk(), listen=HERE).serve)
    with socket.create_connection(address) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer = await connect(address)
    assert await peer.log_in() == 0
    await wait_all_tasks_blocked(0.05)
    (line,) = (line for line in caplog.messages if "logged in" not in line)
    assert "the connection broke: [Errno 104]" in line


async def test_a_session_that_lost_its_connection_is_forgotten_in_time(
    nursery: trio.Nursery, connect: Connect, patient_clock: MockClock
) -> None:
    target = Target(NAME, disk(), listen=HERE)
    (address,) = await nursery.start(target.serve)
    peer = await connect(address)
    assert await peer.log_in() == 0
    peer.close()
    await trio.sleep(1)
    assert [session.state for session in target.node.sessions] == ["FAILED"]
    await trio.sleep(120)
    assert target.node.sessions == []


async def test_the_oldest_that_has_not_logged_in_gives_way(
    nursery: trio.Nursery, connect: Connect
) -> None:
    target = Target(NAME, disk(), listen=HERE, limits=Limits(logins=2))
    (address,) = await nursery.start(target.serve)
    first, second = [await connect(address) for _ in range(2)]
    await wait_all_tasks_blocked(0.05)
    third = await connect(address)
    assert await first.receive() is None
    for number, peer in enumerate((second, third)):
        assert await peer.log_in(isid=bytes([number]) * 6) == 0


async def test_there_are_never_more_connections_than_allowed(
    nursery: trio.Nursery, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    target = Target(NAME, disk(), listen=HERE, limits=Limits(connections=2))
    (address,) = await nursery.start(target.serve)
    peers = [await connect(address) for _ in range(2)]
    for number, peer in enumerate(peers):
        assert await peer.log_in(isid=bytes([number]) * 6) == 0
    late = await connect(address)
    assert await late.receive() is None
    assert "there is no room for another connection" in caplog.messages[-1]
    await peers[0].do(TEST_UNIT_READY)
    assert await peers[0].read(0, 1) == bytes(BLOCK)


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many files as a crowd needs, at both ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip(f"a process may have {hard} open files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_silent_crowd_does_not_keep_others_from_working(
    nursery: trio.Nursery, connect: Connect, many_files: None
) -> None:
    target = Target(NAME, disk(), listen=HERE, limits=Limits(connection_rate=10_000))
    (address,) = await nursery.start(target.serve)
    peer = await connect(address)
    assert await peer.log_in() == 0
    await peer.do(TEST_UNIT_READY)
    with trio.fail_after(60):
        for number in range(700):
            await connect(address)
            if number % 100 == 0:
                await peer.write(1, number.to_bytes(4) * 128)
                assert await peer.read(1, 1) == number.to_bytes(4) * 128
        late = await connect(address)
        assert await late.log_in(isid=OTHER_ISID) == 0


async def test_closing_a_target_closes_the_disks_that_can_be_closed(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path / "disk.img", size="1MiB")
    await Target(NAME, MemoryDisk("1MiB"), NullDisk("1MiB"), disk).close()
    # The lock is gone with the descriptor.
    await Target(NAME, FileDisk(tmp_path / "disk.img")).close()


# Views.

REPORT_LUNS = bytes.fromhex("a00000000000000000ff0000")


async def test_an_initiator_may_see_other_numbers_and_fewer_units(build: Build) -> None:
    house = build(disk(), disk(), disk(), views={"*:peer": View({0: 2, 9: 1}, read_only=[1])})
    await list(house.target.performer.units)[2].disk.write(0, b"2" * BLOCK)
    peer = await house.log_in()
    listed = (await peer.do(REPORT_LUNS, reads=255)).data
    assert listed.hex() == "0000001000000000" + "0000000000000000" + "0009000000000000"
    assert await peer.read(0, 1) == b"2" * BLOCK
    assert (await peer.do(TEST_UNIT_READY, unit=1)).sense_code == (0x5, 0x2500)


async def test_an_initiator_may_be_kept_from_writing(build: Build) -> None:
    house = build(disk(), views={INITIATOR: View(read_only=True)})
    peer, other = house.connect(), house.connect()
    assert await peer.log_in() == 0
    assert await other.log_in(name="iqn.2025-12.test:other", isid=OTHER_ISID) == 0
    for each in (peer, other):
        await each.do(TEST_UNIT_READY)
    await other.write(0, b"o" * BLOCK)
    answer = await peer.do(write10(0, 1), bytes(BLOCK))
    assert answer.sense_code == (0x7, 0x2700)
    assert await peer.read(0, 1) == b"o" * BLOCK
    assert (await peer.do(SYNCHRONIZE_CACHE)).status == 0
    sense = bytes.fromhex("1a083f00ff00")
    assert [(await each.do(sense, reads=255)).data[2] >> 7 for each in (peer, other)] == [1, 0]
    await peer.log_out()
    await wait_all_tasks_blocked()
    assert not house.target.performer.target.units[0].guards


# Negotiation anew.


async def test_initiators_are_told_of_what_may_change_in_a_session(build: Build) -> None:
    house = build()
    peer = await house.log_in()
    house.target.renegotiate(alias="new", max_recv_data_segment_length=4096)
    assert (await peer.receive()).async_event == AsyncEvent.NEGOTIATION_REQUEST
    await peer.send(TextRequest(itt=9, immediate=True, cmd_sn=peer.cmd_sn))
    response = await peer.receive()
    assert bytes(response.data) == b"TargetAlias=new\0MaxRecvDataSegmentLength=4096\0"
    with pytest.raises(UsageError, match="max_recv_data_segment_length"):
        house.target.renegotiate(max_recv_data_segment_length=5)


# Access states.


async def test_the_way_in_has_the_access_state_that_it_is_given(build: Build) -> None:
    house = build(port_groups={1: "standby", 2: "active/optimized"})
    peer = await house.log_in()
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (0x2, 0x040B)
    house.target.set_access_state(1, "active/non-optimized")
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (0x6, 0x2A06)
    assert (await peer.do(TEST_UNIT_READY)).status == 0
    house.target.access_state_transition_failed()
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (0x6, 0x2A07)


async def test_each_portal_group_is_a_way_in(nursery: trio.Nursery, connect: Connect) -> None:
    portals = [Portal(HERE, group=1), Portal(HERE, group=7)]
    open_to_all, one_way = Target(NAME, disk()), Target(f"{NAME}2", disk(), port_groups=SEVEN)
    addresses = await nursery.start(Server([open_to_all, one_way], portals).serve)
    for address, group in zip(addresses, (1, 7), strict=True):
        peer = await connect(address)
        assert await peer.log_in() == 0
        await peer.do(TEST_UNIT_READY)
        groups = (await peer.do(bytes.fromhex("a30a00000000000000ff0000"), reads=255)).data
        assert groups[4:].hex() == "008f00010000000100000001" + "008f00070000000100000007"
        assert peer.keys["TargetPortalGroupTag"] == str(group)
        other = await connect(address)
        assert await other.log_in(one_way.name) == (0 if group == 7 else 0x0203)
    lines = await discovered(await connect(addresses[0]))
    shown = [
        f"{format_address(address)},{tag}" for address, tag in zip(addresses, (1, 7), strict=True)
    ]
    assert lines == [
        f"TargetName={NAME}",
        *(f"TargetAddress={each}" for each in shown),
        f"TargetName={one_way.name}",
        f"TargetAddress={shown[1]}",
    ]


def test_an_access_state_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="'asleep' is no access state"):
        Target(NAME, disk(), port_groups={1: "asleep"})
    with pytest.raises(UsageError, match="no target port group 2"):
        Target(NAME, disk()).set_access_state(2, "standby")


async def test_initiators_see_a_cd_rom_where_a_disk_is_to_be_one(build: Build) -> None:
    peer = await build(CdRom(MemoryDisk("1MiB", block_size=2048)), disk()).log_in()
    inquiry = bytes.fromhex("12 00 00 0060 00")
    assert (await peer.do(inquiry, reads=96)).data[:2] == bytes((5, 0x80))
    assert (await peer.do(inquiry, reads=96, unit=1)).data[:2] == bytes((0, 0))
    assert (await peer.do(bytes((0x2A, *bytes(7), 1, 0)), bytes(2048))).sense_code == (5, 0x2000)


async def test_a_disk_that_was_added_has_its_room_watched(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    target = Target(NAME, listen="127.0.0.1:0")
    nursery.start_soon(target.watch.run)
    await trio.sleep(1000)
    disk = MemoryDisk("1GiB")
    target.add_lun(3, disk)
    unit = target.performer.target.units[3]
    told: list[AdditionalSense] = []
    unit.announce = lambda code, *, but_not_to=None: told.append(code)
    values = {"used_enabled": 1, "used_threshold_count": 1}
    unit.modes.change({LOGICAL_BLOCK_PROVISIONING.key: values})
    await disk.write(0, bytes(2**20))
    await trio.sleep(11)
    assert told == [AdditionalSense.THIN_PROVISIONING_SOFT_THRESHOLD_REACHED]
