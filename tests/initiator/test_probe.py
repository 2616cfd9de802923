"""The report of a target over loopback sockets, with the server of this project."""

from __future__ import annotations

from typing import Any

import trio

from tests.initiator.served import NAME, serving
from trioscsi.errors import CommandFailed
from trioscsi.initiator.client import Session, connect
from trioscsi.initiator.probe import Report, probe
from trioscsi.initiator.results import Answer


def section(report: Report, title: str) -> dict[str, str]:
    (found,) = [each for each in report.sections if each.title == title]
    return dict(found.rows)


async def test_a_unit_is_reported():
    async with serving() as (_, portal), connect(f"iscsi://{portal}/{NAME}/0") as session:
        with trio.fail_after(30):
            report = await probe(session)
    keys = {row.name: row for row in report.keys}
    assert (keys["InitialR2T"].initiator, keys["InitialR2T"].target) == ("No", "No")
    assert keys["MaxBurstLength"].result == "1048576"
    assert (keys["ImmediateData"].result, keys["HeaderDigest"].result) == ("Yes", "None")
    assert keys["MaxRecvDataSegmentLength"].result == "262144, 262144"
    assert section(report, "units") == {"LUN 0": "0" * 16}
    assert section(report, "INQUIRY")["vendor"] == "TRIOSCSI"
    assert section(report, "capacity")["bytes"] == str(4 * 2**20)
    assert section(report, "commands")["28"] == "READ(10)"
    assert "unknown here" not in section(report, "commands").values()
    listed = section(report, "VPD page 00h, supported VPD pages")
    assert "unknown" not in listed.values()
    assert sum(each.title.startswith("VPD page") for each in report.sections) == len(listed)


async def test_digests_are_reported_as_they_were_answered():
    async with (
        serving() as (_, portal),
        connect(f"iscsi://{portal}/{NAME}/0", header_digests=("CRC32C", "None")) as session,
    ):
        report = await probe(session)
    results = {row.name: row.result for row in report.keys}
    assert (results["HeaderDigest"], results["DataDigest"]) == ("CRC32C", "None")


async def test_discovery_is_reported():
    async with serving() as (_, portal), connect(f"iscsi://{portal}") as session:
        report = await probe(session)
    assert section(report, "targets") == {NAME: f"{portal},1"}


async def test_a_unit_that_is_not_there_is_reported():
    async with serving() as (_, portal), connect(f"iscsi://{portal}/{NAME}/5") as session:
        report = await probe(session)
    assert section(report, "INQUIRY")["type"] == "none"
    assert section(report, "capacity") == {"refused": "ILLEGAL REQUEST, LOGICAL UNIT NOT SUPPORTED"}


async def test_what_is_refused_is_told(monkeypatch: Any):
    ask = Session.command

    async def refuse(session: Session, cdb: bytes, **more: Any) -> Answer:
        if cdb[0] == 0x12 and cdb[1]:
            raise CommandFailed(2, bytes([0x70, 0, 5]) + bytes(9) + b"\x24\0")
        return await ask(session, cdb, **more)

    monkeypatch.setattr(Session, "command", refuse)
    async with serving() as (_, portal), connect(f"iscsi://{portal}/{NAME}/0") as session:
        report = await probe(session)
    assert section(report, "VPD pages") == {"refused": "ILLEGAL REQUEST, INVALID FIELD IN CDB"}
