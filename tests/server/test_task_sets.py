from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.requirements import requirement
from tests.server.conftest import Build, House
from tests.server.disks import Hanging
from tests.server.peer import (
    BLOCK,
    INQUIRY,
    OTHER_ISID,
    TEST_UNIT_READY,
    Peer,
    data_out,
    read10,
    write10,
)
from trioscsi import Limits, MemoryDisk, Slow
from trioscsi.backends.base import Buffer
from trioscsi.pdu import NO_TASK, ScsiCommand, TaskAttribute, TaskFunction, TaskResult
from trioscsi.scsi import AdditionalSense, LogicalUnit, Status

ORDERED, HEAD, ACA = TaskAttribute.ORDERED, TaskAttribute.HEAD_OF_QUEUE, TaskAttribute.ACA
ILLEGAL_REQUEST, UNIT_ATTENTION = 5, 6
NACA = 0x04
BAD = b"\xff" + bytes(15)
"""A command that there is not."""
BAD_WITH_NACA = read10(1 << 31, 1)[:9] + bytes([NACA])


def slow(**milliseconds: float) -> Slow:
    return Slow(MemoryDisk("1MiB"), **(milliseconds or {"read_ms": 1000}))


async def two(build: Build, *disks: Any, **settings: Any) -> tuple[House, Peer, Peer]:
    house = build(*disks, **settings)
    return house, await house.log_in(), await house.log_in(OTHER_ISID)


def modes(house: House) -> Any:
    (unit,) = house.target.performer.units
    return unit.logical.modes


def watched(house: House) -> int:
    return len(house.target.performer.task_sets.watched)


async def ends(peer: Peer, *commands: ScsiCommand) -> None:
    """These commands get their status, in this order and before anything else."""
    for command in commands:
        pdu = await peer.receive()
        assert pdu.itt == command.itt
        assert pdu.status == Status.GOOD


async def is_silent(peer: Peer) -> bool:
    with trio.move_on_after(5) as waiting:
        await peer.receive()
    return waiting.cancelled_caught


# Attributes.


async def test_simple_commands_are_not_looked_at(build: Build) -> None:
    house, peer, _ = await two(build)
    await peer.write(0, bytes(BLOCK))
    command = peer.command(TEST_UNIT_READY, attributes=TaskAttribute.SIMPLE)
    await peer.send(command)
    await ends(peer, command)
    assert not watched(house)


async def test_an_ordered_command_waits_for_those_of_all_sessions_before_it(
    build: Build, autojump_clock: MockClock
) -> None:
    house, peer, other = await two(build, slow())
    old = other.command(read10(0, 1), reads=BLOCK)
    await other.send(old)
    await wait_all_tasks_blocked()
    ordered = peer.command(TEST_UNIT_READY, attributes=ORDERED)
    later = peer.command(TEST_UNIT_READY)
    urgent = peer.command(TEST_UNIT_READY, attributes=HEAD)
    await peer.send(ordered, later, urgent)
    begin = trio.current_time()
    await ends(peer, urgent)
    assert trio.current_time() == begin
    assert watched(house)
    await ends(peer, ordered, later)
    assert trio.current_time() == begin + 1
    await ends(other, old)
    assert not watched(house)


async def test_a_fault_at_the_turn_of_a_command_ends_its_own_connection(
    build: Build, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, peer, other = await two(build, slow())
    old = other.command(read10(0, 1), reads=BLOCK)
    await other.send(old)
    await wait_all_tasks_blocked()
    await peer.send(peer.command(TEST_UNIT_READY, attributes=ORDERED))
    await wait_all_tasks_blocked()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    faults: list[Exception] = []
    monkeypatch.setattr(house.conversations[0], "fail", faults.append)
    monkeypatch.setattr(LogicalUnit, "execute", fail)
    await ends(other, old)
    assert [type(fault) for fault in faults] == [ZeroDivisionError]


async def test_writes_of_the_same_blocks_keep_their_order_if_they_are_ordered(
    build: Build, autojump_clock: MockClock
) -> None:
    class Slower(Slow):
        """The lower the bytes, the longer a write takes."""

        def around(self, name: str, method: Any) -> Any:
            async def write(lba: int, data: Buffer) -> None:
                await trio.sleep(8 - data[0])
                await method(lba, data)

            return write if name == "write" else super().around(name, method)

    peer = await build(Slower(MemoryDisk("1MiB"))).log_in()
    writes = [
        peer.command(write10(0, 2), bytes([n]) * 2 * BLOCK, attributes=ORDERED) for n in range(4)
    ]
    await peer.send(*writes)
    await ends(peer, *writes)
    assert await peer.read(0, 2) == b"\3" * 2 * BLOCK
    # Without attributes, the first ends last: nothing else was promised.
    simple = [peer.command(write10(0, 1), bytes([n]) * BLOCK) for n in range(4)]
    await peer.send(*simple)
    await ends(peer, *reversed(simple))


async def test_a_write_that_waits_keeps_the_data_that_came_with_it(
    build: Build, autojump_clock: MockClock
) -> None:
    peer = await build(slow(read_ms=1000)).log_in()
    old = peer.command(read10(0, 1), reads=BLOCK)
    await peer.send(old)
    writes = []
    for n in range(3):  # each arrives in the same buffer
        writes.append(peer.command(write10(n, 1), bytes([n]) * BLOCK, attributes=ORDERED))
        await peer.send(writes[-1])
        await wait_all_tasks_blocked()
    asked = peer.command(write10(3, 1), writes=BLOCK, attributes=ORDERED)
    await peer.send(asked)
    await ends(peer, old, *writes)
    assert (await peer.answer(asked, data=b"\3" * BLOCK)).status == Status.GOOD
    assert await peer.read(0, 4) == b"".join(bytes([n]) * BLOCK for n in range(4))


async def test_an_absent_unit_has_no_task_set(build: Build) -> None:
    house, peer, _ = await two(build)
    answer = await peer.do(TEST_UNIT_READY, unit=7, attributes=ORDERED)
    assert answer.sense_code == (ILLEGAL_REQUEST, 0x2500)
    assert (await peer.do(BAD_WITH_NACA, unit=7)).sense_code == (ILLEGAL_REQUEST, 0x2500)
    assert not watched(house)


@pytest.mark.parametrize(("attributes", "code"), [(5, 0x0E03), (7, 0x0E03), (ACA, 0x4900)])
async def test_an_attribute_that_cannot_be_is_refused(
    build: Build, attributes: int, code: int
) -> None:
    house, peer, _ = await two(build)
    answer = await peer.do(TEST_UNIT_READY, attributes=attributes)
    assert answer.sense_code == (ILLEGAL_REQUEST, code)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD
    assert not watched(house)


async def test_a_waiting_command_can_be_aborted(build: Build, autojump_clock: MockClock) -> None:
    peer = await build(slow()).log_in()
    old = peer.command(read10(0, 1), reads=BLOCK)
    ordered = peer.command(TEST_UNIT_READY, attributes=ORDERED)
    later = peer.command(TEST_UNIT_READY)
    await peer.send(old, ordered, later)
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, ordered))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    await ends(peer, later, old)


async def test_the_commands_of_a_lost_session_hold_nobody_up(
    build: Build, autojump_clock: MockClock
) -> None:
    house, peer, other = await two(build, slow(read_ms=5000))
    old = other.command(read10(0, 1), reads=BLOCK)
    await other.send(old, other.command(TEST_UNIT_READY, attributes=ORDERED))
    await wait_all_tasks_blocked()
    later = peer.command(TEST_UNIT_READY)
    await peer.send(later)
    await wait_all_tasks_blocked()
    other.close()
    begin = trio.current_time()
    await ends(peer, later)
    assert trio.current_time() == begin
    assert not watched(house)


# Allegiances.


@requirement("7143-10.2-1")
async def test_a_failed_command_with_naca_leaves_an_allegiance_until_it_is_cleared(
    build: Build,
) -> None:
    house, peer, other = await two(build)
    assert (await peer.do(BAD_WITH_NACA, reads=BLOCK)).sense_code == (ILLEGAL_REQUEST, 0x2100)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.ACA_ACTIVE
    assert (await other.do(TEST_UNIT_READY)).status == Status.BUSY
    assert (await other.do(bytes(5) + bytes([NACA]))).status == Status.ACA_ACTIVE
    assert (await peer.do(TEST_UNIT_READY, attributes=ACA)).status == Status.GOOD
    for initiator in (other, peer):
        await initiator.send(initiator.task_management(TaskFunction.CLEAR_ACA))
        assert (await initiator.receive()).response == TaskResult.COMPLETE
        status = Status.BUSY if initiator is other else Status.GOOD
        assert (await other.do(TEST_UNIT_READY)).status == status
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD
    assert not watched(house)


async def test_an_aca_command_that_fails_ends_the_allegiance_or_begins_another(
    build: Build,
) -> None:
    _, peer, other = await two(build)
    await peer.do(BAD_WITH_NACA, reads=BLOCK)
    await peer.do(BAD_WITH_NACA, reads=BLOCK, attributes=ACA)
    assert (await other.do(TEST_UNIT_READY)).status == Status.BUSY
    await peer.do(BAD, attributes=ACA)
    assert (await other.do(TEST_UNIT_READY)).status == Status.GOOD


async def test_with_a_task_set_each_an_allegiance_is_nobody_elses_business(build: Build) -> None:
    house, peer, other = await two(build)
    modes(house).tst = 1
    await peer.do(BAD_WITH_NACA, reads=BLOCK)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.ACA_ACTIVE
    assert (await other.do(TEST_UNIT_READY)).status == Status.GOOD
    answer = await other.do(TEST_UNIT_READY, attributes=ACA)
    assert answer.sense_code == (ILLEGAL_REQUEST, 0x4900)


async def test_a_reset_ends_an_allegiance(build: Build) -> None:
    house, peer, other = await two(build)
    await peer.do(BAD_WITH_NACA, reads=BLOCK)
    await other.send(other.task_management(TaskFunction.LOGICAL_UNIT_RESET))
    assert (await other.receive()).response == TaskResult.COMPLETE
    assert (await peer.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, 0x2903)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD
    assert not watched(house)


async def test_the_end_of_a_nexus_ends_its_allegiance(build: Build) -> None:
    house, peer, other = await two(build)
    await peer.do(BAD_WITH_NACA, reads=BLOCK)
    await peer.log_out()
    assert (await other.do(TEST_UNIT_READY)).status == Status.GOOD
    assert not watched(house)


async def test_what_was_begun_before_an_allegiance_ends_after_it(
    build: Build, autojump_clock: MockClock
) -> None:
    _, peer, other = await two(build, slow())
    read = other.command(read10(0, 1), reads=BLOCK)
    write = other.command(write10(8, 1), writes=BLOCK)
    await other.send(read, write)
    r2t = await other.receive()
    await peer.do(BAD_WITH_NACA, reads=BLOCK)
    await other.send(data_out(r2t, b"w" * BLOCK))
    assert await is_silent(other)
    await peer.send(peer.task_management(TaskFunction.CLEAR_ACA))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    answers = {(await other.receive()).itt for _ in range(2)}
    assert answers == {read.itt, write.itt}
    assert await other.read(8, 1) == b"w" * BLOCK


# QERR, TAS.


async def test_a_check_condition_may_abort_the_commands_of_all(
    build: Build, autojump_clock: MockClock
) -> None:
    house, peer, other = await two(build, slow(read_ms=5000))
    modes(house).qerr = 1
    for initiator in (peer, other):
        await initiator.send(initiator.command(read10(0, 1), reads=BLOCK))
    await wait_all_tasks_blocked()
    await peer.do(BAD)
    assert await is_silent(peer)
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD
    assert (await other.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, 0x2F00)


@pytest.mark.parametrize(("qerr", "tst"), [(3, 0), (1, 1)])
async def test_a_check_condition_may_abort_the_commands_of_its_nexus(
    build: Build, autojump_clock: MockClock, qerr: int, tst: int
) -> None:
    house, peer, other = await two(build, slow())
    modes(house).qerr, modes(house).tst = qerr, tst
    theirs = other.command(read10(0, 1), reads=BLOCK)
    await other.send(theirs)
    await peer.send(peer.command(read10(0, 1), reads=BLOCK))
    await wait_all_tasks_blocked()
    await peer.do(BAD)
    await ends(other, theirs)
    assert await is_silent(peer)


async def test_commands_that_others_aborted_may_get_a_status(
    build: Build, autojump_clock: MockClock
) -> None:
    house, peer, other = await two(build, slow(read_ms=5000))
    modes(house).qerr, modes(house).tas = 1, 1
    theirs = other.command(read10(0, 1), reads=BLOCK)
    await other.send(theirs)
    await wait_all_tasks_blocked()
    await peer.do(BAD)
    assert (await other.answer(theirs)).status == Status.TASK_ABORTED
    assert (await other.do(TEST_UNIT_READY)).status == Status.GOOD


async def test_a_task_set_of_its_own_is_cleared_alone(
    build: Build, autojump_clock: MockClock
) -> None:
    house, peer, other = await two(build, slow())
    modes(house).tst = 1
    theirs = other.command(read10(0, 1), reads=BLOCK)
    await other.send(theirs)
    await wait_all_tasks_blocked()
    await peer.send(peer.task_management(TaskFunction.CLEAR_TASK_SET))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    await ends(other, theirs)


# Bounds.


async def test_whoever_knows_it_is_told_when_to_come_again(
    build: Build, autojump_clock: MockClock
) -> None:
    house = build(slow(), limits=Limits(task_set=1))
    peer = await house.log_in(iSCSIProtocolLevel="2")
    await peer.send(*(peer.command(read10(0, 1), reads=BLOCK) for _ in range(2)))
    refusal = await peer.receive()
    assert (refusal.status, refusal.status_qualifier) == (Status.TASK_SET_FULL, 1)


async def test_too_many_commands_that_wait_are_too_many(
    build: Build, autojump_clock: MockClock
) -> None:
    house, peer, other = await two(build, slow(), limits=Limits(task_set=2))
    reads = [peer.command(read10(0, 1), reads=BLOCK) for _ in range(2)]
    await peer.send(*reads)
    await wait_all_tasks_blocked()
    assert await peer.do(read10(0, 1), reads=BLOCK) == (Status.TASK_SET_FULL, b"", b"")
    assert await peer.do(TEST_UNIT_READY, attributes=ORDERED) == (Status.TASK_SET_FULL, b"", b"")
    assert await other.do(read10(0, 1), reads=BLOCK) == (Status.BUSY, b"", b"")
    assert (await other.do(TEST_UNIT_READY)).status == Status.GOOD
    assert {(await peer.receive()).itt for _ in reads} == {read.itt for read in reads}
    assert await peer.read(0, 1) == bytes(BLOCK)
    assert not watched(house)


async def test_commands_that_were_aborted_wait_no_longer(
    build: Build, autojump_clock: MockClock
) -> None:
    peer = await build(slow(), limits=Limits(task_set=1)).log_in()
    read = peer.command(read10(0, 1), reads=BLOCK)
    await peer.send(read)
    await wait_all_tasks_blocked()
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, read))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert await peer.read(0, 1) == bytes(BLOCK)


async def test_commands_that_storage_does_not_let_go_of_count_although_they_were_aborted(
    build: Build,
) -> None:
    disk = Hanging(lba=0)
    peer = await build(disk, limits=Limits(task_set=1)).log_in()
    write = peer.command(write10(0, 1), bytes(BLOCK))
    await peer.send(write)
    await disk.entered.wait()
    await peer.send(peer.task_management(TaskFunction.ABORT_TASK, write))
    assert (await peer.receive()).response == TaskResult.COMPLETE
    assert (await peer.do(read10(5, 1), reads=BLOCK)).status == Status.BUSY
    disk.open.set()
    await disk.left.wait()
    await wait_all_tasks_blocked()
    assert (await peer.do(read10(5, 1), reads=BLOCK)).status == Status.GOOD


async def test_what_kept_a_command_out_may_be_told_again(
    build: Build, autojump_clock: MockClock
) -> None:
    house, peer, _ = await two(build, slow(), limits=Limits(task_set=1))
    modes(house).ua_intlck_ctrl = 3
    read = peer.command(read10(0, 1), reads=BLOCK)
    await peer.send(read)
    await wait_all_tasks_blocked()
    assert (await peer.do(read10(0, 1), reads=BLOCK)).status == Status.TASK_SET_FULL
    for _ in range(2):
        assert (await peer.do(TEST_UNIT_READY)).sense_code == (UNIT_ATTENTION, 0x2C08)
    sense = await peer.do(bytes.fromhex("03 00 00 00 12 00"), reads=18)
    assert sense.data[12:14] == bytes.fromhex("2c08")
    assert (await peer.do(TEST_UNIT_READY)).status == Status.GOOD
    await ends(peer, read)


async def test_the_tag_of_a_command_that_waits_names_it_alone(
    build: Build, autojump_clock: MockClock
) -> None:
    peer = await build(slow()).log_in()
    old = peer.command(read10(0, 1), reads=BLOCK)
    waiting = peer.command(TEST_UNIT_READY, attributes=ORDERED)
    again = peer.command(TEST_UNIT_READY)
    again.itt = waiting.itt
    await peer.send(old, waiting, again)
    reject = await peer.receive()
    assert reject.reason == 0x07  # TASK IN PROGRESS
    assert again.itt != NO_TASK
    await ends(peer, old, waiting)


# Unit attentions.


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
