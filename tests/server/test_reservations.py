"""Reservations, from the initiators' side of the wire."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.server.conftest import Build
from tests.server.peer import BLOCK, OTHER_ISID, Peer, read10, reserve_out, write10
from trioscsi import MemoryDisk, UsageError
from trioscsi.scsi import Status
from trioscsi.scsi.reservations import transport_id

REGISTER, RESERVE, IGNORE, REPLACE_LOST = 0, 1, 6, 8
EXCLUSIVE_ACCESS = 3
LOST = 0x7, 0x4401
"""DATA PROTECT, PERSISTENT RESERVATION INFORMATION LOST."""


async def order(
    peer: Peer, action: int, key: int = 0, new_key: int = 0, *, kind: int = 0, flags: int = 0
) -> int:
    """The status of PERSISTENT RESERVE OUT."""
    return (await peer.do(*reserve_out(action, key, new_key, kind=kind, flags=flags))).status


async def full_status(peer: Peer) -> bytes:
    """What READ FULL STATUS tells, less its generation."""
    answer = await peer.do(bytes((0x5E, 3, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0)), reads=0xFFFF)
    assert answer.status == Status.GOOD
    return answer.data[4:]


async def can_use(peer: Peer) -> bool:
    read = await peer.do(read10(0, 1), reads=BLOCK)
    written = await peer.do(write10(0, 1), bytes(BLOCK))
    assert {read.status, written.status} in ({Status.GOOD}, {Status.RESERVATION_CONFLICT})
    return read.status == Status.GOOD


def files(folder: Path) -> list[Path]:
    """Those that keep something."""
    return sorted(path for path in folder.iterdir() if path.suffix != ".lock")


async def test_a_session_is_registered_as_the_initiator_port_that_it_is(build: Build) -> None:
    peer = await build().log_in()
    assert await order(peer, REGISTER, 0, 7) == Status.GOOD
    named = "iqn.2025-12.test:peer,i,0x807465737400"
    assert transport_id.encode(named) in await full_status(peer)


@pytest.mark.parametrize("by_name", [False, True])
async def test_an_initiator_that_comes_back_with_another_isid(build: Build, by_name: bool) -> None:
    house = build(registrations_by_name=by_name)
    peer = await house.log_in()
    await order(peer, REGISTER, 0, 7)
    await order(peer, RESERVE, 7, kind=EXCLUSIVE_ACCESS)
    await peer.log_out()
    assert await can_use(await house.log_in(OTHER_ISID)) is by_name
    assert await can_use(await house.log_in())


@pytest.mark.parametrize("flags", [0, 1])
async def test_what_is_to_survive_a_restart_does(build: Build, tmp_path: Path, flags: int) -> None:
    house = build(state=tmp_path)
    before = await house.log_in()
    await order(before, REGISTER, 0, 7, flags=flags)
    await order(before, RESERVE, 7, kind=EXCLUSIVE_ACCESS)
    status = await full_status(before)
    await house.target.close()
    house = build(state=tmp_path)
    assert await can_use(await house.log_in(OTHER_ISID)) is not bool(flags)
    again = await house.log_in()
    assert (await full_status(again) == status) is bool(flags)


@pytest.mark.parametrize("damage", [b"", b"?" * 100, None])
async def test_a_disk_whose_reservations_are_damaged_waits_for_them_to_be_replaced(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes | None
) -> None:
    house = build(state=tmp_path)
    before = await house.log_in()
    await order(before, REGISTER, 0, 7, flags=1)
    await house.target.close()
    (kept,) = files(tmp_path)
    if damage is None:  # whole, but not what a unit saves
        damage = hashlib.sha256(b"{}").digest() + b"{}"
    kept.write_bytes(damage)
    house = build(MemoryDisk("1MiB"), MemoryDisk("1MiB"), state=tmp_path)
    assert str(kept) in caplog.text
    assert "REPLACE LOST RESERVATION" in caplog.text
    peer = await house.log_in()
    answer = await peer.do(read10(0, 1), reads=BLOCK)
    assert (answer.status, answer.sense_code) == (Status.CHECK_CONDITION, LOST)
    assert (await peer.do(read10(0, 1), reads=BLOCK, unit=1)).status == Status.GOOD
    assert kept.read_bytes() == damage
    assert await order(peer, REPLACE_LOST, 0, 8, kind=EXCLUSIVE_ACCESS, flags=1) == Status.GOOD
    assert await can_use(peer)
    await house.target.close()
    caplog.clear()
    again = build(state=tmp_path)
    assert await can_use(await again.log_in())
    assert not await can_use(await again.log_in(OTHER_ISID))
    assert not caplog.text
    assert [path.read_bytes() for path in files(tmp_path) if path != kept] == [damage]


async def test_what_else_is_damaged_keeps_a_target_from_starting(
    build: Build, tmp_path: Path
) -> None:
    house = build(state=tmp_path)
    peer = await house.log_in()
    await order(peer, REGISTER, 0, 7, flags=1)
    await house.target.close()
    (kept,) = files(tmp_path)
    modes = kept.rename(kept.with_suffix(".modes"))
    modes.write_bytes(b"?")
    with pytest.raises(UsageError, match=re.escape(f"{modes}: it is damaged")):
        build(state=tmp_path)


async def test_without_a_place_for_it_nothing_can_survive(build: Build) -> None:
    peer = await build().log_in()
    assert await order(peer, REGISTER, 0, 7, flags=1) == Status.CHECK_CONDITION
    assert await order(peer, REGISTER, 0, 7) == Status.GOOD


async def test_a_session_that_is_lost_has_reserved_nothing(build: Build) -> None:
    house = build()
    peer, other = await house.log_in(), await house.log_in(OTHER_ISID)
    assert (await peer.do(b"\x16" + bytes(5))).status == Status.GOOD
    assert not await can_use(other)
    await peer.log_out()
    assert await can_use(other)
