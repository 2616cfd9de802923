"""Our initiator against somebody else's target: Debian's tgt."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from tests.interop.tgt import LOCKED, NAME, SECRET, Tgt, serving
from tests.interop.tools import run
from trioscsi.errors import CommandFailed, LoginFailure
from trioscsi.initiator.client import connect, discover
from trioscsi.initiator.probe import probe
from trioscsi.initiator.recovery import Policy
from trioscsi.pdu import TaskFunction, TaskResult


@pytest.fixture(scope="module")
def tgt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tgt]:
    with serving(tmp_path_factory.mktemp("tgt")) as tgt:
        yield tgt


OFFERS: list[dict[str, Any]] = [
    {},
    {"header_digests": ("CRC32C", "None"), "data_digests": ("CRC32C", "None")},
    {"initial_r2t": True, "immediate_data": False},
    {"initial_r2t": True, "immediate_data": True, "max_recv_data_segment_length": 8192},
    {"max_burst_length": 8192, "first_burst_length": 4096, "max_outstanding_r2t": 1},
]


@pytest.mark.parametrize("offer", OFFERS, ids=str)
async def test_what_is_written_is_read(tgt: Tgt, offer: dict[str, Any]):
    data = bytes(range(256)) * 2 * 700
    with trio.fail_after(60):
        async with connect(tgt.url(), **offer) as session:
            await session.write(11, data)
            assert await session.read(11, 700) == data


async def test_many_commands_at_once(tgt: Tgt):
    with trio.fail_after(60):
        async with connect(tgt.url()) as session, trio.open_nursery() as nursery:

            async def work(place: int) -> None:
                await session.write(place * 8, bytes([place]) * 4096)
                assert await session.read(place * 8, 8) == bytes([place]) * 4096

            for place in range(60):
                nursery.start_soon(work, place)


async def test_other_requests(tgt: Tgt):
    with trio.fail_after(60):
        async with connect(tgt.url()) as session:
            assert await session.ping(b"hello") in (b"hello", b"")
            assert len(await session.report_luns()) == 2
            assert (await session.inquiry())[8:11] == b"IET"
            assert await session.manage(TaskFunction.LOGICAL_UNIT_RESET) is TaskResult.COMPLETE
            await session.wait_ready()
            with pytest.raises(CommandFailed):
                await session.read(2**31, 1)


async def test_a_session_that_is_lost_comes_back(tgt: Tgt):
    policy = Policy(delay=0.1, patience=20)
    with trio.fail_after(60):
        async with connect(tgt.url(), recover=policy, default_time2wait=0) as session:
            await session.write(0, bytes(512))
            session.core.drop("the test wants it")
            assert await session.read(0, 1) == bytes(512)
            assert session.recoveries == 1


async def test_discovery(tgt: Tgt):
    with trio.fail_after(60):
        found = await discover(f"iscsi://{tgt.portal}")
    assert {each.name for each in found} == {NAME, LOCKED}
    assert found[0].addresses == (f"{tgt.portal},1",)


async def test_chap_both_ways(tgt: Tgt):
    with trio.fail_after(60):
        async with connect(tgt.locked) as session:
            assert len(await session.read(0, 1)) == 512
        with pytest.raises(LoginFailure):
            async with connect(tgt.url(LOCKED)):
                pass
        with pytest.raises(LoginFailure):
            async with connect(tgt.locked.replace("secret-of-target", "another-secret")):
                pass


async def test_a_report_of_all_that_it_says(tgt: Tgt):
    with trio.fail_after(60):
        async with connect(tgt.url()) as session:
            report = await probe(session)
    sections = {section.title: dict(section.rows) for section in report.sections}
    assert sections["INQUIRY"]["product"] == "VIRTUAL-DISK"
    assert sections["capacity"]["bytes"] == str(16 * 2**20)
    assert sections["commands"]["28"] == "READ(10)"
    assert "VPD page 83h, device identification" in sections


def test_the_command_prints_a_report(tgt: Tgt):
    output = run(sys.executable, "-m", "trioscsi", "probe", "--digests", tgt.locked)
    assert "AuthMethod" in output
    assert "28     READ(10)" in output
    assert SECRET not in output
