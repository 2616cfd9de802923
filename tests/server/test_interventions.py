from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.server.conftest import Build
from tests.server.peer import (
    BLOCK,
    BLOCK_ERASE,
    OTHER_ISID,
    TEST_UNIT_READY,
    data_out,
    reserve_out,
    write10,
)
from trioscsi import MemoryDisk, Slow
from trioscsi.pdu import ReadyToTransfer
from trioscsi.scsi import SenseKey, Status


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
        assert (await loser.do(TEST_UNIT_READY)).sense_code == (SenseKey.UNIT_ATTENTION, code)
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
        assert (await peer.answer(write)).sense_code == (SenseKey.NOT_READY, 0x041B)
    assert await other.read(0, 4) == bytes(4 * BLOCK)
    await other.write(0, b"n" * BLOCK)
    assert await other.read(0, 1) == b"n" * BLOCK
