from __future__ import annotations

import pytest

from tests.requirements import requirement
from tests.scsi.copy.world import lid4
from tests.server.conftest import Build, Planned, Step
from tests.server.disks import Cached
from tests.server.peer import (
    BLOCK,
    OTHER_ISID,
    SYNCHRONIZE_CACHE,
    TEST_UNIT_READY,
    read10,
    verify10,
    write10,
)
from trioscsi import Failing
from trioscsi.errors import BackendError
from trioscsi.scsi import Done, LogicalUnit, Met, Outcome, Refused, Reply, SenseKey, Status


class Unreadable(Cached):
    """Cannot be read at its beginning, and does not say where."""

    async def read(self, lba: int, blocks: int) -> memoryview:
        if lba == 1:
            raise BackendError("broken")
        return await super().read(lba, blocks)


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


async def test_the_device_server_may_refuse(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build()
    peer = await house.log_in()
    monkeypatch.setattr(LogicalUnit, "execute", lambda *_: Refused(Status.BUSY))
    assert await peer.do(TEST_UNIT_READY) == (Status.BUSY, b"", b"")


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
    assert answer.sense_code == (SenseKey.MEDIUM_ERROR, code)
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
    assert answer.sense_code[0] == SenseKey.MEDIUM_ERROR
    assert (answer.sense[0] & 0x80, int.from_bytes(answer.sense[3:7])) == information
