"""Conversations in which every PDU of RFC 7143 has its part, by our own initiator."""

from __future__ import annotations

import signal

import pytest
import trio
import trio.testing

from tests.interop.serving import NAME, Serving
from trioscsi.errors import SessionLost
from trioscsi.initiator.client import Session, connect, discover
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.pdu import TaskFunction


async def everything(portal: str, server: Serving, digest: str) -> None:
    """Say it all to a server with two disks, the second of which never answers; then stop it."""
    digests = {"header_digests": (digest,), "data_digests": (digest,)}
    url, data = f"{portal}/{NAME}/0", bytes(range(256)) * 800
    await discover(portal, **digests)
    by_r2t = {"initial_r2t": True, "immediate_data": False, "max_burst_length": 65_536}
    async with connect(url, **digests, **by_r2t, first_burst_length=65_536) as session:
        await session.inquiry(0x83)
        await session.report_luns()
        await session.write(0, data)
        assert await session.read(0, len(data) // 512) == data
        assert await session.ping(b"well?") == b"well?"
        await session.text(("SendTargets", ""))
    # Where there are digests, tshark loses count behind a Reject: it looks for one in the middle.
    async with connect(url, deviation=MUTANTS["snack-at-level-0"]) as session:
        await session.wait_ready()
        assert session.rejects
    async with connect(url, **digests) as session:
        await session.write(0, data)
        await session.read_capacity(lun=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read_in_vain, session)
            await trio.testing.wait_all_tasks_blocked()
            (task,) = session.core.requests.values()
            await session.manage(TaskFunction.ABORT_TASK, about=task, lun=1)
        server.signal(signal.SIGTERM)
        with trio.fail_after(10):
            while session.core.connections:  # it logs out when it is asked to
                await trio.testing.wait_all_tasks_blocked(0.01)
        assert session.messages


async def _read_in_vain(session: Session) -> None:
    with pytest.raises(SessionLost):
        await session.read(0, 1, lun=1)
