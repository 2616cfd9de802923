from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from trioscsi.conformance.bench.doors import Doors

HOST = "127.0.0.1"


async def test_who_connects_is_waited_for_until_it_is_on_the_stage(nursery: trio.Nursery):
    on_stage: list[trio.SocketStream] = []
    let_on = trio.Event()

    async def come(stream: trio.SocketStream, entered: Callable[[], None]) -> None:
        await let_on.wait()
        on_stage.append(stream)
        entered()

    doors = Doors(nursery, come)
    ports = [await doors.open(HOST, 0) for _ in range(2)]
    await doors.are_clear()
    visitors = [await trio.open_tcp_stream(HOST, port) for port in ports]
    waiting = trio.Event()

    async def wait() -> None:
        await doors.are_clear()
        assert len(on_stage) == 2
        waiting.set()

    nursery.start_soon(wait)
    for _ in range(100):
        await trio.lowlevel.checkpoint()
    assert not waiting.is_set()
    let_on.set()
    await waiting.wait()
    for stream in [*visitors, *on_stage]:
        await stream.aclose()


async def test_a_door_that_others_have_opened_cannot_be(nursery: trio.Nursery):
    async def come(stream: trio.SocketStream, entered: Callable[[], None]) -> None:
        entered()
        await stream.aclose()

    doors = Doors(nursery, come)
    port = await doors.open(HOST, 0)
    with pytest.raises(OSError, match="in use"):
        await doors.open(HOST, port)
    await doors.are_clear()
