"""What our own initiator does for each drive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

import attrs
import trio

from trioscsi.conformance.bench.play import PATTERN
from trioscsi.conformance.bench.scenario import Drive
from trioscsi.conformance.drivers.driver import Where
from trioscsi.conformance.drivers.partner import Partner
from trioscsi.errors import CommandFailed, LoginFailure, SessionLost
from trioscsi.initiator import commands
from trioscsi.initiator.client import Session
from trioscsi.initiator.recovery import Policy
from trioscsi.initiator.requests import Task
from trioscsi.limits import Limits
from trioscsi.pdu import TaskFunction

MUCH = 512
"""Blocks that are much: more than two bursts of any scenario."""
_SECONDS = 6.0
_LONG = 12.0
_LOGINS = 20
_DEPTH = 8
_CONNECTIONS = 2
"""Of one session, where the target agrees to so many."""
_PATIENCE = 2.0
_WITH_BOUNDS = Limits(ping_interval=0, management_time=3)
_WITH_PINGS = Limits(ping_interval=1, ping_time=2)


class WrongData(Exception):
    """What was read is not what was there."""


Do: TypeAlias = Callable[[Partner, Where], Awaitable[str | None]]
"""One drive; returns what is listed, if anything is."""


async def _log_in(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        await session.inquiry()


async def _log_in_twice(driver: Partner, where: Where) -> None:
    await _log_in(driver, where)
    await _log_in(driver, where)


async def _log_in_often(driver: Partner, where: Where) -> None:
    for _ in range(_LOGINS):
        try:
            await _log_in(driver, where)
        except* (LoginFailure, SessionLost):
            pass


async def _log_in_beside(driver: Partner, where: Where) -> None:
    """Two logins, of which none waits for the other; the sessions end together."""
    both: list[trio.Event] = [trio.Event(), trio.Event()]

    async def one(mine: trio.Event) -> None:
        async with driver.connect(where) as session:
            await session.inquiry()
            mine.set()
            for each in both:
                await each.wait()

    async with trio.open_nursery() as nursery:
        for mine in both:
            nursery.start_soon(one, mine)


async def _discover(driver: Partner, where: Where) -> str:
    found = await driver.discover(where)
    return "".join(f"{each.name} {' '.join(each.addresses)}\n" for each in found)


async def _discover_and_log_in(driver: Partner, where: Where) -> None:
    (found,) = await driver.discover(where)
    tag = int(found.addresses[0].rpartition(",")[2])
    async with driver.connect(where, portal_group=tag) as session:
        await session.inquiry()


async def _read(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        await read_pattern(session, 0, MUCH)


async def _write(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        await write_and_read(session, 0, MUCH)


async def _write_little(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        await write_and_read(session, 0, 1)


async def _read_in_parallel(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session, trio.open_nursery() as nursery:
        await session.read_capacity()
        for place in range(_DEPTH):
            nursery.start_soon(read_pattern, session, place * 16, 16)


async def _write_in_parallel(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session, trio.open_nursery() as nursery:
        await session.read_capacity()
        for place in range(_DEPTH):
            nursery.start_soon(write_and_read, session, place * 64, 64)


async def _mix(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        await session.read_capacity()
        end = trio.current_time() + _SECONDS
        async with trio.open_nursery() as nursery:
            for place in range(_DEPTH):
                nursery.start_soon(_keep_using, session, place * 64, end)


async def _keep_using(session: Session, lba: int, end: float) -> None:
    while trio.current_time() < end:
        try:
            await write_and_read(session, lba, 32)
        except SessionLost:
            if not any(connection.full_feature for connection in session.core.connections):
                raise
        await trio.sleep(0.5)


async def _idle(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        await session.read_capacity()
        await trio.sleep(12)
        await read_pattern(session, 0, 1)


async def _negotiate(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.negotiate)
            nursery.start_soon(session.negotiate)
        await write_and_read(session, 0, MUCH)


async def _ping(driver: Partner, where: Where) -> None:
    async with driver.connect(where, _WITH_PINGS) as session:
        if await session.ping(b"ping") != b"ping":
            raise WrongData("a ping came back with other data")
        await trio.sleep(12)
        await read_pattern(session, 0, 1)


async def _ask_for_too_much(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        answer = await session.command(commands.inquiry(), expected_in=1024)
        if len(answer.check()) + answer.residual != 1024:
            raise WrongData(f"{answer.residual} bytes are missing, and {len(answer.data)} came")


async def _scan(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        if not await session.report_luns():
            raise WrongData("there is no unit")


async def _write_and_read_at_once(driver: Partner, where: Where) -> None:
    """XDWRITEREAD (10) (SBC-3 section 5): what comes back are the bits that have changed."""
    async with driver.connect(where) as session:
        size = (await session.read_capacity()).block_size
        data = b"new!" * (size // 4)
        cdb = b"\x53" + bytes(7) + b"\1\0"
        answer = await session.command(cdb, data_out=data, expected_in=size)
        if answer.check() != bytes(PATTERN ^ byte for byte in data):
            raise WrongData("what came back is not what was there, changed by what was written")


async def _read_by_long_cdb(driver: Partner, where: Where) -> None:
    """READ (32) (SBC-3 section 5)."""
    async with driver.connect(where) as session:
        size = (await session.read_capacity()).block_size
        cdb = b"\x7f" + bytes(6) + b"\x18\0\x09" + bytes(18) + (1).to_bytes(4)
        data = (await session.command(cdb, expected_in=size)).check()
        if data != bytes([PATTERN]) * size:
            raise WrongData("block 0 is not what it was")


async def _abort(driver: Partner, where: Where) -> None:
    async with driver.connect(where, _WITH_BOUNDS) as session:
        await session.read_capacity()
        with suppress(SessionLost):
            await session.command(commands.read(0, 8), expected_in=4096, patience=_PATIENCE)
        await read_pattern(session, 0, 1)


async def _manage_while_writing(
    driver: Partner, where: Where, function: TaskFunction, recover: Policy | None = None
) -> None:
    async with driver.connect(where, _WITH_BOUNDS, recover=recover or False) as session:
        await session.read_capacity()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_write_in_vain, session)
            await trio.sleep(0.5)
            await session.manage(function)
        await read_pattern(session, MUCH, 1)


async def _write_in_vain(session: Session) -> None:
    with suppress(SessionLost, CommandFailed):
        await write_and_read(session, 0, MUCH)


async def _reset(driver: Partner, where: Where) -> None:
    await _manage_while_writing(driver, where, TaskFunction.LOGICAL_UNIT_RESET)


async def _abort_set(driver: Partner, where: Where) -> None:
    await _manage_while_writing(driver, where, TaskFunction.ABORT_TASK_SET)


async def _reset_target(driver: Partner, where: Where) -> None:
    policy = Policy(patience=30)
    await _manage_while_writing(driver, where, TaskFunction.TARGET_COLD_RESET, policy)


async def _abort_immediate(driver: Partner, where: Where) -> None:
    async with driver.connect(where, _WITH_BOUNDS) as session:
        await session.read_capacity()
        with suppress(SessionLost):
            read = commands.read(0, 8)
            await session.do(Task(cdb=read, expected_in=4096, immediate=True, patience=_PATIENCE))
        await read_pattern(session, 0, 1)


async def _query(driver: Partner, where: Where) -> None:
    async with driver.connect(where) as session:
        await session.read_capacity()
        task = Task(cdb=commands.read(0, 8), expected_in=4096)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.do, task)
            await trio.sleep(0.5)
            await session.manage(TaskFunction.QUERY_TASK, about=task)


async def _recover(driver: Partner, where: Where) -> None:
    async with driver.connect(where, _WITH_PINGS, recover=Policy(patience=60)) as session:
        await session.read_capacity()
        await _keep_using(session, 0, trio.current_time() + _LONG)


async def _use_connections(driver: Partner, where: Where) -> None:
    several = driver.connect(where, _WITH_PINGS, connections=_CONNECTIONS)
    async with several as session, trio.open_nursery() as nursery:
        await session.read_capacity()
        for place in range(_DEPTH):
            nursery.start_soon(write_and_read, session, place * 16, 16)


async def _renegotiate(driver: Partner, where: Where) -> None:
    """A read, and shorter segments for what of it comes later."""
    async with driver.connect(where) as session, trio.open_nursery() as nursery:
        await session.read_capacity()
        nursery.start_soon(read_pattern, session, 0, MUCH)
        await trio.sleep(0.2)
        core = session.core
        shorter = attrs.evolve(core.intent.offer, max_recv_data_segment_length=4096)
        core.intent = attrs.evolve(core.intent, offer=shorter)
        await session.negotiate()


DRIVES: Mapping[Drive, Do] = {
    Drive.LOGIN: _log_in,
    Drive.RELOGIN: _log_in_twice,
    Drive.LOGINS: _log_in_often,
    Drive.TWO_SESSIONS: _log_in_beside,
    Drive.DISCOVERY: _discover,
    Drive.DISCOVERY_LOGIN: _discover_and_log_in,
    Drive.READ: _read,
    Drive.SMALL_WRITE: _write_little,
    Drive.WRITE: _write,
    Drive.PARALLEL_READ: _read_in_parallel,
    Drive.PARALLEL_WRITE: _write_in_parallel,
    Drive.MIXED: _mix,
    Drive.IDLE: _idle,
    Drive.TEXT: _negotiate,
    Drive.RENEGOTIATE: _renegotiate,
    Drive.PING: _ping,
    Drive.ABORT_IMMEDIATE: _abort_immediate,
    Drive.ABORT_SET: _abort_set,
    Drive.QUERY: _query,
    Drive.RESET: _reset,
    Drive.TARGET_RESET: _reset_target,
    Drive.RECOVER: _recover,
    Drive.ABORT: _abort,
    Drive.SHORT_READ: _ask_for_too_much,
    Drive.SCAN: _scan,
    Drive.CONNECTIONS: _use_connections,
    Drive.BIDIRECTIONAL: _write_and_read_at_once,
    Drive.LONG_CDB: _read_by_long_cdb,
}


async def read_pattern(session: Session, lba: int, blocks: int) -> None:
    """Read what was never written."""
    data = await session.read(lba, blocks)
    if set(data) != {PATTERN}:
        raise WrongData(f"blocks {lba} to {lba + blocks} are not what they were")


async def write_and_read(session: Session, lba: int, blocks: int) -> None:
    """Write something, and read it again."""
    size = (await session.read_capacity()).block_size
    data = b"".join((lba + n + 1).to_bytes(4, "big") * (size // 4) for n in range(blocks))
    await session.write(lba, data)
    if await session.read(lba, blocks) != data:
        raise WrongData(f"blocks {lba} to {lba + blocks} are not what was written")
