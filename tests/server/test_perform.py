from __future__ import annotations

from unittest.mock import Mock

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.requirements import requirement
from tests.server.conftest import Build, Planned, Step
from tests.server.disks import Held
from tests.server.peer import BLOCK, OTHER_ISID, TEST_UNIT_READY, read10, verify10, write10
from trioscsi import MemoryDisk, Slow
from trioscsi.errors import BackendError
from trioscsi.pdu import DataOut, TaskFunction, TaskResult
from trioscsi.protocol import TasksAborted
from trioscsi.scsi import LogicalUnit, Receive, Reply, SenseKey, Status


async def test_a_discovery_session_is_no_nexus(build: Build) -> None:
    house = build()
    house.target.performer.target.attach = Mock()  # type: ignore[method-assign]
    peer = house.connect()
    assert await peer.log_in(None) == 0
    await peer.log_out()
    house.target.performer.target.attach.assert_not_called()


# Plans that are done at once, or handed over.


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


async def test_a_write_takes_the_blocks_that_came_whole(build: Build) -> None:
    peer = await build().log_in()
    assert (await peer.do(write10(0, 2), b"p" * 700)).status == Status.GOOD
    assert await peer.read(0, 2) == b"p" * BLOCK + bytes(BLOCK)


@pytest.mark.parametrize("expected", [0, 100, 3 * BLOCK])
async def test_what_an_initiator_expects_is_no_measure_of_what_a_backend_reads(
    build: Build, expected: int
) -> None:
    peer = await build().log_in()
    answer = await peer.do(read10(5, 2), reads=expected)
    assert (answer.status, len(answer.data)) == (Status.GOOD, min(expected, 2 * BLOCK))


async def test_a_disk_may_have_to_wait_only_now_and_then(build: Build) -> None:
    class Sometimes(Slow):
        def read_now(self, lba: int, blocks: int) -> None:
            return None

        def write_now(self, lba: int, data: object) -> bool:
            return False

    peer = await build(Sometimes(MemoryDisk("1MiB"))).log_in()
    await peer.write(5, b"s" * BLOCK)
    assert await peer.read(5, 1) == b"s" * BLOCK


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


async def test_a_list_that_tells_its_own_length_is_taken_as_it_is_sent(build: Build) -> None:
    peer = await build().log_in()
    reassign = b"\x07" + bytes(5)
    command = peer.command(reassign, bytes.fromhex("0000 0004 00000007"))
    await peer.send(command)
    answer = await peer.receive()
    assert (answer.status, answer.residual_count) == (Status.GOOD, 0)


@pytest.mark.parametrize("data", [b"", b"dat", b"data!"])
async def test_a_procedure_that_wants_an_exact_amount_refuses_others(
    planned: Planned, data: bytes
) -> None:
    peer = await planned(Step(data_out=4))
    # INVALID FIELD IN COMMAND INFORMATION UNIT
    assert (await peer.do(TEST_UNIT_READY, data)).sense_code == (5, 0x0E03)


# Storage that fails at once.


async def test_storage_may_fail_at_once(build: Build) -> None:
    class Broken(MemoryDisk):
        def read_now(self, lba: int, blocks: int) -> memoryview:
            raise BackendError("broken")

    peer = await build(Broken("1MiB")).log_in()
    answer = await peer.do(read10(5, 1), reads=BLOCK)
    assert answer.sense_code == (SenseKey.MEDIUM_ERROR, 0x1100)


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
        (
            OSError(5, "Input/output error"),
            (SenseKey.MEDIUM_ERROR, 0x1100),
            (SenseKey.MEDIUM_ERROR, 0x0C00),
        ),
        (
            OSError(28, "No space left"),
            (SenseKey.DATA_PROTECT, 0x2707),
            (SenseKey.DATA_PROTECT, 0x2707),
        ),
        (KeyError("oops"), (SenseKey.HARDWARE_ERROR, 0x4400), (SenseKey.HARDWARE_ERROR, 0x4400)),
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
        assert answer.sense_code == (SenseKey.MEDIUM_ERROR, 0x1100)
        assert f"{name} returned {length} bytes instead of {2 * BLOCK}" in caplog.messages[-1]


# Data that comes later.


async def test_data_at_the_wrong_place_fails_the_command(build: Build) -> None:
    peer = await build().log_in()
    command = peer.command(write10(0, 512), writes=1 << 18)
    await peer.send(command)
    r2t = await peer.receive()
    await peer.send(
        DataOut(final=True, itt=r2t.itt, ttt=r2t.ttt, lun=r2t.lun, buffer_offset=512, data=b"x")
    )
    answer = await peer.answer(command)
    assert answer.sense_code == (SenseKey.ABORTED_COMMAND, 0x0C0D)
    assert await peer.read(0, 512) == bytes(1 << 18)


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


# Nexuses.


async def test_a_target_reset_is_a_reset_of_every_unit(build: Build) -> None:
    house = build(MemoryDisk("1MiB"), MemoryDisk("1MiB"))
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    await peer.send(peer.task_management(TaskFunction.TARGET_WARM_RESET))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    for unit in (0, 1):
        answer = await other.do(TEST_UNIT_READY, unit=unit)
        assert answer.sense_code == (SenseKey.UNIT_ATTENTION, 0x2903)


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
    assert (await other.do(TEST_UNIT_READY)).sense_code == (SenseKey.UNIT_ATTENTION, 0x2F00)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD


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
    assert (await new.do(TEST_UNIT_READY)).sense_code == (SenseKey.UNIT_ATTENTION, 0x477F)
    assert (await new.do(TEST_UNIT_READY)).status == Status.GOOD


async def test_a_logout_ends_the_nexus(build: Build) -> None:
    house = build()
    peer = await house.log_in()
    await peer.log_out()
    again = house.connect()
    assert await again.log_in() == 0
    assert (await again.do(TEST_UNIT_READY)).sense_code == (SenseKey.UNIT_ATTENTION, 0x2900)


async def test_a_task_without_an_executor_is_let_go(build: Build) -> None:
    kept, gone = Mock(in_hand=True), Mock(in_hand=False)
    build().target.performer.handle([TasksAborted([kept, gone])])
    kept.connection.release.assert_called_once_with(kept)
    gone.connection.release.assert_not_called()
