from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias
from unittest.mock import Mock

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.requirements import requirement
from tests.scsi.copy.world import lid4
from tests.server.conftest import Build, House
from tests.server.disks import Held
from tests.server.peer import (
    BLOCK,
    OTHER_ISID,
    SYNCHRONIZE_CACHE,
    TEST_UNIT_READY,
    Answer,
    Peer,
    data_out,
    read10,
    write10,
)
from trioscsi import (
    BackendError,
    BlockDevice,
    Failing,
    MemoryDisk,
    PatternDisk,
    ReadOnly,
    Slow,
    Thin,
)
from trioscsi.pdu import DataOut, ReadyToTransfer, TaskFunction, TaskResult
from trioscsi.protocol import TasksAborted
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Met,
    Outcome,
    Plan,
    Procedure,
    Receive,
    Refusal,
    Refused,
    Reply,
    SenseKey,
    Status,
    Storage,
)
from trioscsi.scsi.complaints import WRITE_PROTECTED

IMMEDIATELY = b"\x35\x02" + bytes(8)
INQUIRY = bytes.fromhex("12 00 00 0060 00")
MEDIUM_ERROR, ABORTED_COMMAND, MISCOMPARE, UNIT_ATTENTION = 0x3, 0xB, 0xE, 0x6
DATA_PROTECT, HARDWARE_ERROR = 0x7, 0x4
ILLEGAL_REQUEST = 0x5


class Cached(MemoryDisk):
    """Has a cache: a flush ends when the test says so."""

    def __init__(self) -> None:
        super().__init__("1MiB")
        self.flushing, self.open = trio.Event(), trio.Event()

    async def flush(self) -> None:
        self.flushing.set()
        await self.open.wait()


class Unreadable(Cached):
    """Cannot be read at its beginning, and does not say where."""

    async def read(self, lba: int, blocks: int) -> memoryview:
        if lba == 1:
            raise BackendError("broken")
        return await super().read(lba, blocks)


def verify10(lba: int, blocks: int, *, bytchk: int = 0) -> bytes:
    return bytes([0x2F, bytchk << 1]) + lba.to_bytes(4) + b"\0" + blocks.to_bytes(2) + b"\0"


async def only_after_the_flush(disk: Cached, house: House, cdb: bytes, data: bytes = b"") -> None:
    peer = await house.log_in()
    command = peer.command(cdb, data)
    await peer.send(command)
    await disk.flushing.wait()
    with trio.move_on_after(20) as waiting:
        await peer.answer(command)
    assert waiting.cancelled_caught
    disk.open.set()
    assert (await peer.answer(command)).status == Status.GOOD


async def test_a_discovery_session_is_no_nexus(build: Build) -> None:
    house = build()
    house.target.performer.target.attach = Mock()  # type: ignore[method-assign]
    peer = house.connect()
    assert await peer.log_in(None) == 0
    await peer.log_out()
    house.target.performer.target.attach.assert_not_called()


async def test_synchronize_cache_is_answered_after_the_flush(
    build: Build, autojump_clock: MockClock
) -> None:
    disk = Cached()
    await only_after_the_flush(disk, build(disk), SYNCHRONIZE_CACHE)


async def test_synchronize_cache_that_need_not_wait_is_answered_before_the_flush(
    build: Build, nursery: trio.Nursery
) -> None:
    disk = Cached()
    house = build(disk)
    nursery.start_soon(house.target.jobs.run)
    peer = await house.log_in()
    assert (await peer.do(IMMEDIATELY)).status == Status.GOOD
    await disk.flushing.wait()


async def test_a_flush_that_fails_after_its_answer_is_a_deferred_error_of_who_asked(
    build: Build, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    house = build(Failing(Cached(), flush=True))
    nursery.start_soon(house.target.jobs.run)
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    assert (await peer.do(IMMEDIATELY)).status == Status.GOOD
    await wait_all_tasks_blocked()
    assert "storage failed" in caplog.messages[0]
    assert (await other.do(TEST_UNIT_READY)).status == Status.GOOD
    answer = await peer.do(TEST_UNIT_READY)
    assert answer.sense[0] == 0x71
    assert answer.sense_code == (MEDIUM_ERROR, 0x0C00)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD


async def test_a_write_with_fua_is_answered_after_the_flush(
    build: Build, autojump_clock: MockClock
) -> None:
    disk = Cached()
    await only_after_the_flush(disk, build(disk), write10(0, 1, fua=True), bytes(BLOCK))


async def test_a_disk_without_a_cache_has_nothing_to_flush(build: Build) -> None:
    peer = await build().log_in()
    assert (await peer.do(SYNCHRONIZE_CACHE)).status == Status.GOOD
    assert (await peer.do(write10(0, 1, fua=True), bytes(BLOCK))).status == Status.GOOD


async def test_a_write_with_fua_waits_where_a_disk_is_slow(
    build: Build, autojump_clock: MockClock
) -> None:
    peer = await build(Slow(MemoryDisk("1MiB"), write_ms=100)).log_in()
    assert (await peer.do(write10(0, 1, fua=True), b"f" * BLOCK)).status == Status.GOOD
    assert await peer.read(0, 1) == b"f" * BLOCK


async def test_data_outlives_the_pdu_that_brought_it(
    build: Build, autojump_clock: MockClock
) -> None:
    peer = await build(Slow(MemoryDisk("1MiB"), write_ms=100)).log_in()
    commands = [peer.command(write10(lba, 1), bytes([lba]) * BLOCK) for lba in range(8)]
    for command in commands:  # each arrives in the same buffer
        await peer.send(command)
        await wait_all_tasks_blocked()
    assert [(await peer.receive()).status for _ in commands] == [Status.GOOD] * 8
    assert await peer.read(0, 8) == b"".join(bytes([lba]) * BLOCK for lba in range(8))


@pytest.mark.parametrize("cdb", [read10(0, 0), write10(0, 0), verify10(0, 0)])
async def test_no_blocks_are_no_trouble(build: Build, cdb: bytes) -> None:
    peer = await build().log_in()
    assert (await peer.do(cdb)).status == Status.GOOD


# VERIFY.


@pytest.mark.parametrize(
    ("bytchk", "data"),
    [(0, b""), (1, b"v" * 4 * BLOCK), (3, b"v" * BLOCK), (1, b"v" * 700), (3, b"v" * 100)],
)
async def test_verify_of_what_is_there_succeeds(build: Build, bytchk: int, data: bytes) -> None:
    peer = await build().log_in()
    await peer.write(8, b"v" * 4 * BLOCK)
    answer = await peer.do(verify10(8, 4, bytchk=bytchk), data)
    assert answer.status == Status.GOOD


@pytest.mark.parametrize(("bytchk", "blocks"), [(1, 4), (3, 1)])
async def test_verify_says_where_the_data_differ(build: Build, bytchk: int, blocks: int) -> None:
    peer = await build().log_in()
    await peer.write(8, b"v" * 1000 + b"w" + b"v" * 1047)
    answer = await peer.do(verify10(8, 4, bytchk=bytchk), b"v" * blocks * BLOCK)
    assert answer.status == Status.CHECK_CONDITION
    assert answer.sense_code == (MISCOMPARE, 0x1D00)
    assert int.from_bytes(answer.sense[3:7]) == 1000


# Procedures.


@attrs.define
class Step(Procedure):
    """Ends as the test says, having noted the data that came."""

    exact = True
    outcome: Plan | Exception = attrs.field(factory=Done)
    data: bytes = b""

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        self.data = bytes(data)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome  # type: ignore[return-value]


@pytest.fixture
def planned(build: Build, monkeypatch: pytest.MonkeyPatch) -> Callable[[Plan], Awaitable[Peer]]:
    """A peer whose commands are all performed by this plan."""

    async def planned(plan: Plan) -> Peer:
        house = build()
        peer = await house.log_in()
        monkeypatch.setattr(LogicalUnit, "execute", lambda *_: plan)
        return peer

    return planned


Planned: TypeAlias = Callable[[Plan], Awaitable[Peer]]


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (Done(), (Status.GOOD, b"", b"")),
        (Met(), (Status.CONDITION_MET, b"", b"")),
        (Refused(Status.RESERVATION_CONFLICT), (Status.RESERVATION_CONFLICT, b"", b"")),
        (Reply(b"told"), (Status.GOOD, b"told", b"")),
    ],
)
async def test_a_procedure_says_how_its_command_ends(
    planned: Planned, outcome: Outcome, answer: object
) -> None:
    peer = await planned(Step(outcome))
    assert await peer.do(TEST_UNIT_READY, reads=4 if isinstance(outcome, Reply) else 0) == answer


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Failed(WRITE_PROTECTED), (7, 0x2700)),
        (Refusal(WRITE_PROTECTED), (7, 0x2700)),
        (BackendError("broken"), (MEDIUM_ERROR, 0x0C00)),
    ],
)
async def test_a_procedure_may_fail_in_its_steps(
    planned: Planned, outcome: Plan | Exception, code: tuple[int, int]
) -> None:
    peer = await planned(Step(outcome))
    assert (await peer.do(TEST_UNIT_READY)).sense_code == code


async def test_a_procedure_gets_its_data(planned: Planned) -> None:
    step = Step(data_out=4)
    peer = await planned(step)
    answer = await peer.do(TEST_UNIT_READY, b"data")
    assert answer.status == Status.GOOD
    assert step.data == b"data"


@pytest.mark.parametrize("data", [b"", b"dat", b"data!"])
async def test_a_procedure_that_wants_an_exact_amount_refuses_others(
    planned: Planned, data: bytes
) -> None:
    peer = await planned(Step(data_out=4))
    # INVALID FIELD IN COMMAND INFORMATION UNIT
    assert (await peer.do(TEST_UNIT_READY, data)).sense_code == (5, 0x0E03)


async def test_who_has_blocks_for_himself_is_waited_for(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build()
    peer = await house.log_in()
    (unit,) = house.target.performer.units
    await peer.write(0, b"o" * BLOCK)
    read, write = peer.command(read10(0, 1), reads=BLOCK), peer.command(write10(1, 1), bytes(BLOCK))
    async with unit.ranges.hold(0, 2, exclusive=True):
        await peer.send(read)
        await peer.send(write)
        assert await peer.read(2, 1) == bytes(BLOCK)
        await wait_all_tasks_blocked()
        await unit.disk.write(0, b"n" * BLOCK)
    assert [(await peer.receive()).status for _ in range(2)] == [Status.GOOD] * 2


# Storage that fails.


@pytest.mark.parametrize(
    ("cdb", "data", "code"),
    [
        (read10(5, 1), b"", 0x1100),
        (verify10(5, 1), b"", 0x1100),
        (write10(5, 1), bytes(BLOCK), 0x0C00),
        (SYNCHRONIZE_CACHE, b"", 0x0C00),
    ],
)
async def test_storage_that_fails_is_a_medium_error_and_a_line_in_the_log(
    build: Build, caplog: pytest.LogCaptureFixture, cdb: bytes, data: bytes, code: int
) -> None:
    everywhere = [range(2**63)]
    disk = Failing(Cached(), read=everywhere, write=everywhere, flush=True)
    peer = await build(disk).log_in()
    answer = await peer.do(cdb, data, reads=0 if data else BLOCK)
    assert answer.status == Status.CHECK_CONDITION
    assert answer.sense_code == (MEDIUM_ERROR, code)
    assert len(caplog.messages) == 1
    assert "storage failed" in caplog.messages[0]
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD


async def test_what_storage_fails_is_counted(build: Build) -> None:
    disk = Failing(Cached(), read=[range(2**63)])
    house = build(disk)
    peer = await house.log_in()
    await peer.do(read10(5, 1), reads=BLOCK)
    (unit,) = house.target.performer.units
    assert (unit.logical.counters.reads, unit.logical.counters.failed_reads) == (1, 1)


@pytest.mark.parametrize(
    ("command", "information"),
    [
        pytest.param(read10(9, 4), (0x80, 10), id="the first one that cannot be read"),
        pytest.param(read10(1, 1), (0x80, 1), id="the only one"),
        pytest.param(read10(1, 2), (0, 0), id="one of several"),
        pytest.param(SYNCHRONIZE_CACHE, (0, 0), id="none"),
    ],
)
async def test_the_block_that_failed_is_named_if_it_is_known(
    build: Build, command: bytes, information: tuple[int, int]
) -> None:
    disk = Failing(Unreadable(), read=[range(10, 11)], flush=True)
    peer = await build(disk).log_in()
    answer = await peer.do(command, reads=4 * BLOCK)
    assert answer.sense_code[0] == MEDIUM_ERROR
    assert (answer.sense[0] & 0x80, int.from_bytes(answer.sense[3:7])) == information


async def test_storage_may_fail_at_once(build: Build) -> None:
    class Broken(MemoryDisk):
        def read_now(self, lba: int, blocks: int) -> memoryview:
            raise BackendError("broken")

    peer = await build(Broken("1MiB")).log_in()
    answer = await peer.do(read10(5, 1), reads=BLOCK)
    assert answer.sense_code == (MEDIUM_ERROR, 0x1100)


async def test_a_disk_may_have_to_wait_only_now_and_then(build: Build) -> None:
    class Sometimes(Slow):
        def read_now(self, lba: int, blocks: int) -> None:
            return None

        def write_now(self, lba: int, data: object) -> bool:
            return False

    peer = await build(Sometimes(MemoryDisk("1MiB"))).log_in()
    await peer.write(5, b"s" * BLOCK)
    assert await peer.read(5, 1) == b"s" * BLOCK


class Mistaken(MemoryDisk):
    """Raises what a backend should not; it waits or it does not."""

    def __init__(self, error: Exception, *, waits: bool) -> None:
        super().__init__("1MiB")
        self.error, self.waits = error, waits

    async def read(self, lba: int, blocks: int) -> memoryview:
        raise self.error

    async def write(self, lba: int, data: object) -> None:
        raise self.error

    def read_now(self, lba: int, blocks: int) -> memoryview:
        return None if self.waits else self._fail()  # type: ignore[return-value]

    def write_now(self, lba: int, data: object) -> bool:
        return False if self.waits else self._fail()  # type: ignore[return-value]

    def window(self, lba: int, blocks: int) -> None:
        self._fail()

    def _fail(self) -> None:
        raise self.error


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    ("error", "read_code", "write_code"),
    [
        (OSError(5, "Input/output error"), (MEDIUM_ERROR, 0x1100), (MEDIUM_ERROR, 0x0C00)),
        (OSError(28, "No space left"), (DATA_PROTECT, 0x2707), (DATA_PROTECT, 0x2707)),
        (KeyError("oops"), (HARDWARE_ERROR, 0x4400), (HARDWARE_ERROR, 0x4400)),
    ],
)
async def test_whatever_a_backend_raises_fails_a_command_and_nothing_else(
    build: Build,
    caplog: pytest.LogCaptureFixture,
    waits: bool,
    error: Exception,
    read_code: tuple[int, int],
    write_code: tuple[int, int],
) -> None:
    peer = await build(Mistaken(error, waits=waits)).log_in()
    for _ in range(2):
        assert (await peer.do(read10(5, 1), reads=BLOCK)).sense_code == read_code
        assert (await peer.do(write10(5, 1), bytes(BLOCK))).sense_code == write_code
    large = peer.command(write10(0, 512), writes=512 * BLOCK)
    await peer.send(large)
    assert (await peer.answer(large, data=bytes(512 * BLOCK))).sense_code == write_code
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD
    failures = [line for line in caplog.messages if "storage failed: Mistaken." in line]
    assert len(failures) == 5
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == (0 if isinstance(error, OSError) else 3)  # and one of the window


@pytest.mark.parametrize("length", [0, BLOCK, 3 * BLOCK, 2 * BLOCK - 1])
async def test_a_backend_that_reads_too_much_or_too_little_has_failed(
    build: Build, caplog: pytest.LogCaptureFixture, length: int
) -> None:
    class Inexact(Held):
        async def read(self, lba: int, blocks: int) -> bytes:
            return bytes(length)

    class InexactNow(Inexact):
        def read_now(self, lba: int, blocks: int) -> bytes:
            return bytes(length)

    for disk, name in [(Inexact(), "Inexact.read"), (InexactNow(), "InexactNow.read_now")]:
        peer = await build(disk).log_in()
        answer = await peer.do(read10(5, 2), reads=2 * BLOCK)
        assert answer.sense_code == (MEDIUM_ERROR, 0x1100)
        assert f"{name} returned {length} bytes instead of {2 * BLOCK}" in caplog.messages[-1]


@pytest.mark.parametrize("expected", [0, 100, 3 * BLOCK])
async def test_what_an_initiator_expects_is_no_measure_of_what_a_backend_reads(
    build: Build, expected: int
) -> None:
    peer = await build().log_in()
    answer = await peer.do(read10(5, 2), reads=expected)
    assert (answer.status, len(answer.data)) == (Status.GOOD, min(expected, 2 * BLOCK))


# Plans that need no storage.


async def test_the_device_server_may_refuse(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build()
    peer = await house.log_in()
    monkeypatch.setattr(LogicalUnit, "execute", lambda *_: Refused(Status.BUSY))
    assert await peer.do(TEST_UNIT_READY) == (Status.BUSY, b"", b"")


async def test_a_plan_can_depend_on_a_parameter_list(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build()
    peer = await house.log_in()
    taken: list[bytes] = []

    def then(data: bytes) -> Reply:
        taken.append(data)
        return Reply(b"")

    monkeypatch.setattr(LogicalUnit, "execute", lambda *_: Receive(4, then))
    assert (await peer.do(TEST_UNIT_READY, b"list")).status == Status.GOOD
    assert taken == [b"list"]


async def test_a_command_that_cannot_be_is_refused(build: Build) -> None:
    peer = await build().log_in()
    assert (await peer.do(b"\xff" + bytes(15))).sense_code == (5, 0x2000)
    assert (await peer.do(read10(1 << 31, 1), reads=BLOCK)).sense_code == (5, 0x2100)


async def test_sense_data_have_the_format_that_the_initiators_want(build: Build) -> None:
    peer = await build().log_in()
    assert (await peer.do(b"\xff" + bytes(15))).sense[0] == 0x70
    control = bytes.fromhex("0a0a 0610 0000 0000 ffff 0000")
    select = bytes((0x15, 0x10, 0, 0, 4 + len(control), 0))
    assert (await peer.do(select, bytes(4) + control)).status == Status.GOOD
    assert (await peer.do(b"\xff" + bytes(15))).sense[0] == 0x72


async def test_saved_mode_parameters_are_found_by_the_next_target(
    build: Build, tmp_path: Path
) -> None:
    house = build(state=tmp_path)
    peer = await house.log_in()
    control = bytes.fromhex("0a0a 0610 0000 0000 ffff 0000")
    select = bytes((0x15, 0x11, 0, 0, 4 + len(control), 0))
    assert (await peer.do(select, bytes(4) + control)).status == Status.GOOD
    await house.target.close()
    peer = await build(state=tmp_path).log_in()
    sense = await peer.do(bytes((0x1A, 0x08, 0x0A, 0, 16, 0)), reads=16)
    assert sense.data[4:] == b"\x8a" + control[1:]
    assert (await peer.do(b"\xff" + bytes(15))).sense[0] == 0x72


async def test_a_write_takes_the_blocks_that_came_whole(build: Build) -> None:
    peer = await build().log_in()
    assert (await peer.do(write10(0, 2), b"p" * 700)).status == Status.GOOD
    assert await peer.read(0, 2) == b"p" * BLOCK + bytes(BLOCK)


async def test_data_at_the_wrong_place_fails_the_command(build: Build) -> None:
    peer = await build().log_in()
    command = peer.command(write10(0, 512), writes=1 << 18)
    await peer.send(command)
    r2t = await peer.receive()
    await peer.send(
        DataOut(final=True, itt=r2t.itt, ttt=r2t.ttt, lun=r2t.lun, buffer_offset=512, data=b"x")
    )
    answer = await peer.answer(command)
    assert answer.sense_code == (ABORTED_COMMAND, 0x0C0D)
    assert await peer.read(0, 512) == bytes(1 << 18)


# Nexuses.


async def test_a_target_reset_is_a_reset_of_every_unit(build: Build) -> None:
    house = build(MemoryDisk("1MiB"), MemoryDisk("1MiB"))
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    await peer.send(peer.task_management(TaskFunction.TARGET_WARM_RESET))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    for unit in (0, 1):
        answer = await other.do(TEST_UNIT_READY, unit=unit)
        assert answer.sense_code == (UNIT_ATTENTION, 0x2903)


@requirement("7143-4.2.3.6-1")
async def test_a_session_hears_that_another_one_cleared_its_commands(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), read_ms=5000))
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    ended, cleared = other.command(TEST_UNIT_READY), other.command(read10(0, 1), reads=BLOCK)
    await other.send(ended, cleared)
    await wait_all_tasks_blocked()
    await peer.send(peer.task_management(TaskFunction.CLEAR_TASK_SET))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    # What has ended before is told before.
    assert (await other.answer(ended)).status == Status.GOOD
    assert (await other.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, 0x2F00)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD


@pytest.mark.parametrize(
    ("keys", "descriptor"),
    [({}, 0x0961), ({"iSCSIProtocolLevel": "0"}, 0x0960), ({"iSCSIProtocolLevel": "2"}, 0x0962)],
)
@requirement("7144-4.2-1")
@requirement("7144-7.1.1-1")
async def test_the_level_of_the_protocol_is_in_the_inquiry_data(
    build: Build, keys: dict[str, str], descriptor: int
) -> None:
    peer = await build().log_in(**keys)
    assert (await peer.do(INQUIRY, reads=96)).data[60:62] == descriptor.to_bytes(2)


@pytest.mark.parametrize(("allocated", "expected", "missing"), [(36, 36, 0), (36, 255, 219)])
@requirement("7143-11.4.5.3-2")
async def test_what_the_allocation_length_has_cut_is_no_overflow(
    build: Build, allocated: int, expected: int, missing: int
) -> None:
    peer = await build().log_in()
    inquiry = bytes((0x12, 0, 0, 0, allocated, 0))
    await peer.send(peer.command(inquiry, reads=expected))
    answer = await peer.receive()
    assert len(answer.data) == allocated
    assert answer.data[4] + 5 > allocated, "there would be more"
    assert (answer.overflow, answer.underflow) == (False, bool(missing))
    assert answer.residual_count == missing


async def test_a_unit_attention_can_be_asked_for(build: Build) -> None:
    house = build()
    peer = await house.log_in(iSCSIProtocolLevel="2")
    assert (await peer.do(INQUIRY, reads=96)).data[60:62] == bytes.fromhex("0962")
    query = peer.task_management(TaskFunction.QUERY_ASYNCHRONOUS_EVENT)
    await peer.send(query)
    assert (await peer.receive()).response == TaskResult.COMPLETE
    target = house.target.performer.target
    for more, information in [(False, 0x162900), (True, 0x262900)]:
        target.announce(0, AdditionalSense.POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED)
        if more:
            target.announce(0, AdditionalSense.CAPACITY_DATA_HAS_CHANGED)
        await peer.send(query)
        answer = await peer.receive()
        assert answer.response == TaskResult.SUCCEEDED
        assert answer.additional_response_information == information


def reserve_out(action: int, key: int, new_key: int, *, kind: int = 0) -> tuple[bytes, bytes]:
    """PERSISTENT RESERVE OUT and its parameter list."""
    cdb = bytes((0x5F, action, kind, 0, 0, 0, 0, 0, 24, 0))
    return cdb, key.to_bytes(8) + new_key.to_bytes(8) + bytes(8)


async def test_preempt_and_abort_ends_the_commands_of_the_loser_at_this_unit_alone(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), write_ms=5000), Slow(MemoryDisk("1MiB"), write_ms=5000))
    winner, loser = await house.log_in(), await house.log_in(OTHER_ISID)
    third = await house.log_in(b"\x80thrd\0")
    for key, peer in enumerate((winner, loser), 1):
        assert (await peer.do(*reserve_out(6, 0, key))).status == Status.GOOD
    block = b"x" * BLOCK
    written, waiting, elsewhere, theirs = (
        loser.command(write10(0, 1), block),
        loser.command(write10(1, 1), writes=BLOCK),
        loser.command(write10(2, 1), block, unit=1),
        third.command(write10(3, 1), block),
    )
    await loser.send(written, waiting, elsewhere)
    r2t = await loser.receive()
    assert r2t.itt == waiting.itt
    await third.send(theirs)
    await wait_all_tasks_blocked()
    assert (await winner.do(*reserve_out(5, 1, 2, kind=3))).status == Status.GOOD
    # Data that is still under way is dropped, and nothing but the other unit's write is answered.
    await loser.send(data_out(r2t, block))
    assert (await loser.answer(elsewhere)).status == Status.GOOD
    assert (await third.answer(theirs)).status == Status.GOOD
    for code in (0x2A05, 0x2F00):
        assert (await loser.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, code)
    assert await winner.read(0, 4) == bytes(3 * BLOCK) + block


async def test_who_preempts_its_own_commands_is_answered_all_the_same(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), write_ms=5000))
    peer = await house.log_in()
    await peer.do(*reserve_out(6, 0, 1))
    await peer.send(peer.command(write10(0, 1), b"x" * BLOCK))
    await wait_all_tasks_blocked()
    assert (await peer.do(*reserve_out(5, 1, 1))).status == Status.GOOD
    assert await peer.read(0, 1) == bytes(BLOCK)


@requirement("7143-11.14.5-1")
async def test_commands_that_a_new_connection_ends_leave_a_unit_attention(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), read_ms=5000))
    old = await house.log_in()
    await old.send(old.command(read10(0, 1), reads=BLOCK))
    await wait_all_tasks_blocked()
    new = house.connect()
    new.cmd_sn = old.cmd_sn
    assert await new.log_in(tsih=old.tsih) == 0
    assert await old.receive() is None
    # SOME COMMANDS CLEARED BY ISCSI PROTOCOL EVENT
    assert (await new.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, 0x477F)
    assert (await new.do(TEST_UNIT_READY)).status == Status.GOOD


async def test_a_logout_ends_the_nexus(build: Build) -> None:
    house = build()
    peer = await house.log_in()
    await peer.log_out()
    again = house.connect()
    assert await again.log_in() == 0
    assert (await again.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, 0x2900)


async def test_a_task_without_an_executor_is_let_go(build: Build) -> None:
    kept, gone = Mock(in_hand=True), Mock(in_hand=False)
    build().target.performer.handle([TasksAborted([kept, gone])])
    kept.connection.release.assert_called_once_with(kept)
    gone.connection.release.assert_not_called()


async def test_a_window_that_is_not_there_leaves_the_write_to_be_done(build: Build) -> None:
    class Closed(MemoryDisk):
        def window(self, lba: int, blocks: int) -> memoryview:
            raise BackendError("no window today")

    peer = await build(Closed("1MiB")).log_in()
    command = peer.command(write10(0, 512), writes=512 * BLOCK)
    await peer.send(command)
    assert (await peer.answer(command, data=b"w" * 512 * BLOCK)).status == Status.GOOD
    assert await peer.read(0, 512) == b"w" * 512 * BLOCK


async def test_less_data_than_a_write_takes_gets_no_window(build: Build) -> None:
    peer = await build().log_in()
    await peer.write(0, b"o" * 4 * BLOCK)
    command = peer.command(write10(0, 4), writes=3 * BLOCK + 7)
    await peer.send(command)
    assert (await peer.answer(command, data=b"n" * 4 * BLOCK)).status == Status.GOOD
    assert await peer.read(0, 4) == b"n" * 3 * BLOCK + b"o" * BLOCK


# Thin disks.


async def test_a_write_that_finds_no_room_is_told_so_and_an_unmap_makes_room(build: Build) -> None:
    peer = await build(Thin(MemoryDisk("1TiB"), pool=Thin.SLICE)).log_in()
    whole = Thin.SLICE // BLOCK
    await peer.write(0, b"w" * Thin.SLICE)
    answer = await peer.do(write10(whole, 1), b"w" * BLOCK)
    assert (answer.status, answer.sense_code) == (Status.CHECK_CONDITION, (DATA_PROTECT, 0x2707))
    await peer.write(0, b"v" * BLOCK)
    parameters = bytes.fromhex("0016 0010 00000000 0000000000000000") + whole.to_bytes(4) + bytes(4)
    assert (await peer.do(b"\x42" + bytes(7) + b"\x18\0", parameters)).status == Status.GOOD
    await peer.write(whole, b"w" * BLOCK)
    assert await peer.read(0, 1) == bytes(BLOCK)


@pytest.mark.parametrize(
    ("disk", "thin"),
    [
        (MemoryDisk("1MiB"), True),
        (ReadOnly(MemoryDisk("1MiB")), True),
        (PatternDisk("1MiB"), False),
    ],
)
async def test_a_unit_is_thin_if_its_disk_is(build: Build, disk: BlockDevice, thin: bool) -> None:
    peer = await build(disk).log_in()
    capacity = await peer.do(bytes.fromhex("9e10 0000000000000000 00000020 0000"), reads=32)
    assert capacity.data[14] == (0xC0 if thin else 0)


# Third-party copies.


def parameters(*numbers: tuple[int, int]) -> bytes:
    """Numbers in so many bytes each, one after another."""
    return b"".join(number.to_bytes(width, "big") for number, width in numbers)


async def token_of(peer: Peer, lba: int, blocks: int) -> bytes:
    """A token that stands for these blocks of LUN 0."""
    data = parameters((30, 2), (0, 12), (16, 2), (lba, 8), (blocks, 4), (0, 4))
    populate = parameters((0x8310, 2), (0, 4), (1, 4), (len(data), 4), (0, 2))
    assert (await peer.do(populate, data)).status == Status.GOOD
    receive = parameters((0x8407, 2), (1, 4), (0, 4), (4096, 4), (0, 2))
    return (await peer.do(receive, reads=4096)).data[-512:]


async def use(peer: Peer, token: bytes, lba: int, blocks: int, *, unit: int = 0) -> Answer:
    """WRITE USING TOKEN."""
    ranges = parameters((lba, 8), (blocks, 4), (0, 4))
    data = parameters((550, 2), (0, 14)) + token + parameters((0, 6), (16, 2)) + ranges
    cdb = parameters((0x8311, 2), (0, 4), (2, 4), (len(data), 4), (0, 2))
    return await peer.do(cdb, data, unit=unit)


async def test_a_copy_is_made_between_disks(build: Build) -> None:
    peer = await build(MemoryDisk("1MiB"), MemoryDisk("1MiB", block_size=4096)).log_in()
    await peer.do(TEST_UNIT_READY, unit=1)
    await peer.write(8, b"c" * 4096)
    token = await token_of(peer, 8, 8)
    assert (await use(peer, token, 100, 1, unit=1)).status == Status.GOOD
    assert (await peer.do(read10(100, 1), reads=4096, unit=1)).data == b"c" * 4096


async def test_a_write_at_once_revokes_a_token(build: Build) -> None:
    peer = await build(MemoryDisk("1MiB")).log_in()
    tokens = [await token_of(peer, 8, 8) for _ in range(2)]
    assert tokens[0] != tokens[1]
    await peer.write(16, b"n" * BLOCK)
    assert (await use(peer, tokens[0], 100, 8)).status == Status.GOOD
    await peer.write(15, b"n" * BLOCK)
    for token in tokens:
        assert (await use(peer, token, 100, 8)).sense_code == (ILLEGAL_REQUEST, 0x2306)


async def test_the_log_says_which_storage_failed_in_a_copy(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await build(Failing(MemoryDisk("1MiB"), read=[range(8, 9)])).log_in()
    token = await token_of(peer, 8, 8)
    answer = await use(peer, token, 100, 8)
    assert answer.sense_code == (MEDIUM_ERROR, 0x1100)
    assert "storage failed: extents fails, as it was told to" in caplog.text


async def test_a_list_that_tells_its_own_length_is_taken_as_it_is_sent(build: Build) -> None:
    peer = await build().log_in()
    reassign = b"\x07" + bytes(5)
    command = peer.command(reassign, bytes.fromhex("0000 0004 00000007"))
    await peer.send(command)
    answer = await peer.receive()
    assert (answer.status, answer.residual_count) == (Status.GOOD, 0)


# Formatting and sanitizing.

BLOCK_ERASE, IMMED = b"\x48\x02" + bytes(8), 0x80
NOT_READY = 0x2


async def test_sanitizing_goes_on_when_its_command_is_aborted(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    disk = MemoryDisk("1MiB")
    house = build(Slow(disk, write_ms=5000))
    nursery.start_soon(house.target.jobs.run)
    peer = await house.log_in()
    await disk.write(0, b"s" * BLOCK)
    command = peer.command(BLOCK_ERASE)
    await peer.send(command)
    await wait_all_tasks_blocked()
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (NOT_READY, 0x041B)
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, command))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (NOT_READY, 0x041B)
    await trio.sleep(6)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD
    assert await peer.read(0, 1) == bytes(BLOCK)


FORMAT = b"\x04\x10" + bytes(4), bytes.fromhex("00 88 0000 00 01 0001 66")
OVERWRITE = bytes.fromhex("48 01 0000000000 0005 00"), bytes.fromhex("01 00 0001 6f")


async def test_sanitizing_and_formatting_share_the_rate_that_they_are_given(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    disks = [MemoryDisk("1MiB"), MemoryDisk("1MiB")]
    house = build(*disks, overhaul_rate="128KiB")
    nursery.start_soon(house.target.jobs.run)
    peer = await house.log_in()
    sanitize = peer.command(*OVERWRITE)
    format_unit = peer.command(*FORMAT, unit=1)
    await peer.send(sanitize, format_unit)
    # A quarter is done in four seconds, and both have begun as many pieces by then.
    for time, progress in ((3.9, 16_384), (7.9, 32_768), (11.9, 49_152)):
        await trio.sleep(time - trio.current_time())
        sense = (await peer.do(b"\x03\0\0\0\x12\0", reads=18)).data
        assert (sense[12:14], sense[15]) == (b"\x04\x1b", 0x80)
        assert int.from_bytes(sense[16:18]) == progress
    answers = [await peer.receive(), await peer.receive()]
    assert [answer.status for answer in answers] == [Status.GOOD] * 2
    assert trio.current_time() == pytest.approx(15.75)  # when the last of 64 pieces begins
    for disk, filled in zip(disks, (b"o", b"f"), strict=True):
        assert await disk.read(0, 2048) == filled * 2048 * BLOCK


@pytest.mark.parametrize(("rate", "seconds"), [(None, 0), ("128KiB", 16)])
async def test_initiators_are_told_how_long_formatting_may_take_at_that_rate(
    build: Build, rate: str | None, seconds: int
) -> None:
    house = build(MemoryDisk("1MiB"), MemoryDisk("1MiB"), overhaul_rate=rate)
    peer = await house.log_in()
    report = (await peer.do(bytes.fromhex("a30c8104 0000 00000100 0000"), reads=256)).data
    assert int.from_bytes(report[-4:]) == 86_400 + seconds


async def test_no_slow_sanitizing_keeps_a_target_from_stopping(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(MemoryDisk("1MiB"), overhaul_rate=1)
    async with trio.open_nursery() as serving:
        serving.start_soon(house.target.jobs.run)
        peer = await house.log_in()
        sanitize = peer.command(*OVERWRITE)
        await peer.send(sanitize)
        await trio.sleep(5)
        serving.cancel_scope.cancel()
    assert trio.current_time() == 5
    assert (await peer.answer(sanitize)).sense_code == (MEDIUM_ERROR, 0x3103)


async def test_writes_that_wait_for_their_data_do_not_come_after_sanitizing(
    build: Build, nursery: trio.Nursery
) -> None:
    house = build(MemoryDisk("1MiB"))
    nursery.start_soon(house.target.jobs.run)
    peer, other = await house.log_in(ImmediateData="No"), await house.log_in(OTHER_ISID)
    writes = [
        peer.command(write10(0, 4), writes=4 * BLOCK),
        peer.command(bytes.fromhex("2e 00 00000000 00 0004 00"), writes=4 * BLOCK),
    ]
    await peer.send(*writes)
    r2ts = [await peer.receive() for _ in writes]
    assert all(isinstance(r2t, ReadyToTransfer) for r2t in r2ts)
    assert (await other.do(BLOCK_ERASE)).status == Status.GOOD
    for r2t in r2ts:
        await peer.send(data_out(r2t, b"s" * 4 * BLOCK))
    for write in writes:
        assert (await peer.answer(write)).sense_code == (NOT_READY, 0x041B)
    assert await other.read(0, 4) == bytes(4 * BLOCK)
    await other.write(0, b"n" * BLOCK)
    assert await other.read(0, 1) == b"n" * BLOCK


async def test_a_command_of_many_steps_does_not_go_on_after_sanitizing(
    build: Build, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    disk = MemoryDisk("8MiB")
    house = build(Slow(disk, write_ms=5000))
    nursery.start_soon(house.target.jobs.run)
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    fill = peer.command(bytes.fromhex("41 00 00000000 00 4000 00"), b"s" * BLOCK)
    await peer.send(fill)
    await trio.sleep(7)
    assert (await other.do(BLOCK_ERASE)).status == Status.GOOD
    assert (await peer.answer(fill)).sense_code == (NOT_READY, 0x041B)
    assert not any(await disk.read(0, disk.blocks))


async def test_sanitizing_that_is_cut_off_by_a_restart_has_failed(
    build: Build, tmp_path: Path, autojump_clock: MockClock
) -> None:
    house = build(Slow(MemoryDisk("1MiB"), write_ms=5000), state=tmp_path)
    async with trio.open_nursery() as serving:
        serving.start_soon(house.target.jobs.run)
        peer = await house.log_in()
        assert (await peer.do(bytes((0x48, 0x02 | IMMED)) + bytes(8))).status == Status.GOOD
        await trio.sleep(1)
        serving.cancel_scope.cancel()
    await house.target.close()
    again = await build(MemoryDisk("1MiB"), state=tmp_path).log_in()
    assert (await again.do(read10(0, 1))).sense_code == (MEDIUM_ERROR, 0x3103)


async def test_sense_data_may_come_with_good_status_to_who_knows_that(build: Build) -> None:
    data = lid4(b"", b"", g_sense=1)
    cdb = bytes((0x83, 0x01)) + bytes(8) + len(data).to_bytes(4) + bytes(2)
    house = build()
    newer = await house.log_in(iSCSIProtocolLevel="2")
    answer = await newer.do(cdb, data)
    assert (answer.status, answer.sense_code) == (Status.GOOD, (SenseKey.COMPLETED, 0x0020))
    assert await newer.do(TEST_UNIT_READY) == (Status.GOOD, b"", b"")
    older = await house.log_in(OTHER_ISID)
    assert (await older.do(cdb, data)).sense_code == (SenseKey.ILLEGAL_REQUEST, 0x2600)
