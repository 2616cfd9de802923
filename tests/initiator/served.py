"""A target of this project on loopback, for tests of the client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from trioscsi import MemoryDisk, Target
from trioscsi.initiator.client import Session, connect

NAME = "iqn.2025-12.test:disk"
DATA = bytes(range(256)) * 2


@asynccontextmanager
async def serving(*disks: Any, **options: Any) -> AsyncIterator[tuple[Target, str]]:
    """A target, and the address of its portal."""
    target = Target(NAME, *(disks or [MemoryDisk("4MiB")]), listen="127.0.0.1:0", **options)
    async with trio.open_nursery() as nursery:
        ((host, port),) = await nursery.start(target.serve)
        try:
            yield target, f"{host}:{port}"
        finally:
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def session(**options: Any) -> AsyncIterator[Session]:
    async with serving() as (_, portal), connect(f"iscsi://{portal}/{NAME}/0", **options) as one:
        yield one
