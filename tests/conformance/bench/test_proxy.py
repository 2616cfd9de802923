from __future__ import annotations

import io
import socket
import struct
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from tests.conformance.memory import Memory
from trioscsi.capture import Trace, read_capture
from trioscsi.conformance import Verdict
from trioscsi.conformance.bench.clock import QUIET
from trioscsi.conformance.bench.proxy import Proxy
from trioscsi.conformance.bench.run import IQN, filled_disk
from trioscsi.conformance.bench.scenario import Drive
from trioscsi.conformance.drivers.driver import Ending, How, Where
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.server.target import Target


async def between(mutant: str | None, *, serve: bool = True) -> tuple[Proxy, Ending, Memory, list]:
    """An initiator that talks to a target through the proxy."""
    memory, said = Memory(), []
    async with trio.open_nursery() as nursery:
        target = Target(IQN, filled_disk(), listen="127.0.0.1:0", first_burst_length=4096)
        ((host, port),) = await nursery.start(target.serve)
        if not serve:
            with trio.socket.socket() as closed:
                await closed.bind(("127.0.0.1", 0))
                port = closed.getsockname()[1]
        proxy = Proxy(host, port, trace=Trace(memory), say=said.append)
        (listener,) = await nursery.start(
            partial(trio.serve_tcp, proxy.converse, 0, host="127.0.0.1")
        )
        own = listener.socket.getsockname()[1]
        driver = InHouse(None if mutant is None else MUTANTS[mutant])
        ending = await driver.drive(Drive.WRITE, Where(host="127.0.0.1", port=own, iqn=IQN))
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    return proxy, ending, memory, said


def stood_between(mutant: str | None = None, **options: bool) -> tuple:
    clock = MockClock(autojump_threshold=QUIET)
    return trio.run(partial(between, mutant, **options), clock=clock)


def test_bytes_pass_unchanged_and_both_sides_are_judged():
    proxy, ending, memory, said = stood_between()
    assert ending.how is How.DONE
    verdicts = {name: result.verdict for name, result in proxy.judge.end().items()}
    assert verdicts["M-01"] is verdicts["T-06"] is Verdict.PASS
    assert Verdict.FAIL not in verdicts.values()
    assert [line.split(" from")[0] for line in said] == ["connection 0", "connection 0 is over"]
    assert sum(1 for _ in read_capture(io.BytesIO(memory.data.getvalue()))) > 10


def test_a_fault_of_the_initiator_is_found():
    proxy, *_ = stood_between("data-sn")
    assert proxy.judge.end()["M-15"].verdict is Verdict.FAIL


def test_a_target_that_is_not_there_is_told():
    _, ending, _, said = stood_between(serve=False)
    assert ending.how is How.FAILED
    assert "cannot be reached" in said[0]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("::1", "[::1]:1 cannot be reached: "),
        ("a..b", "a..b:1 cannot be reached: no host has such"),
    ],
)
def test_addresses_are_told_as_they_are_written(host: str, told: str):
    async def main() -> list[str]:
        said: list[str] = []
        proxy = Proxy(host, 1, say=said.append)
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener, await trio.open_tcp_stream(*listener.socket.getsockname()):
            await proxy.converse(await listener.accept())
        return said

    assert trio.run(main)[0].startswith(told)


def test_who_breaks_a_connection_off_at_once_does_no_harm():
    async def main() -> list[str]:
        said: list[str] = []
        async with trio.open_nursery() as nursery:
            target = Target(IQN, filled_disk(), listen="127.0.0.1:0")
            ((host, port),) = await nursery.start(target.serve)
            proxy = Proxy(host, port, say=said.append)
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            for _ in range(3):
                # Accepted only when it is broken off already, so that nobody is at the other end.
                rude = await trio.open_tcp_stream(*listener.socket.getsockname())
                rude.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                rude.socket.close()
                await proxy.converse(await listener.accept())
            await listener.aclose()
            nursery.cancel_scope.cancel()
        return said

    said = trio.run(main)
    assert said[-2:] == ["connection 2 from 0.0.0.0:0", "connection 2 is over"]
