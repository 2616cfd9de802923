from __future__ import annotations

import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.server.peer import NAME, Peer, is_unharmed
from trioscsi import LivePage, MemoryDisk, PortalError, Server, Target
from trioscsi.server.listener import Address
from trioscsi.server.web import serving
from trioscsi.server.web.news import Events
from trioscsi.server.web.serving import Serving

HERE = "127.0.0.1:0"
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LAST_GET = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


async def greeting(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("good morning")(scope, receive, send)


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    async def stream() -> AsyncGenerator[str]:
        while True:
            yield "x" * (1 << 20)

    await Events(stream())(scope, receive, send)


async def connected(address: Address) -> trio.SocketStream:
    sock = trio.socket.socket()
    await sock.connect(address)
    return trio.SocketStream(sock)


async def rest_of(stream: trio.SocketStream) -> bytes:
    """All that comes until the other side closes the connection, or breaks it off."""
    said = b""
    async with stream:
        with trio.fail_after(10), suppress(trio.BrokenResourceError):
            async for data in stream:
                said += data
    return said


@asynccontextmanager
async def served(app: ASGIApp, *, patience: float = 10) -> AsyncIterator[Address]:
    """An application that is served at this address."""
    listener = socket.create_server(("127.0.0.1", 0))
    async with trio.open_nursery() as nursery:
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(listener))]
        nursery.start_soon(Serving(app, patience=patience).serve, listeners)
        yield listener.getsockname()
        nursery.cancel_scope.cancel()


async def test_requests_are_answered_one_after_the_other_on_one_connection() -> None:
    async with served(greeting) as address:
        stream = await connected(address)
        for _ in range(2):
            await stream.send_all(GET)
            said = b""
            with trio.fail_after(10):
                while not said.endswith(b"good morning"):
                    said += await stream.receive_some()
            assert said.startswith(b"HTTP/1.1 200")
            assert b"server:" not in said.lower()
        await stream.aclose()


async def test_what_is_no_http_is_refused() -> None:
    async with served(greeting) as address:
        stream = await connected(address)
        await stream.send_all(b"\x43\x87\0\0" + bytes(44) + b"\r\n\r\n")
        assert (await rest_of(stream)).startswith(b"HTTP/1.1 400")


async def test_one_who_does_not_read_is_cut_off() -> None:
    async with served(endless, patience=0.05) as address:
        stream = await connected(address)
        await stream.send_all(GET)
        # Nothing is read until the server has lost its patience.
        await trio.testing.wait_all_tasks_blocked(0.2)
        assert len(await rest_of(stream)) < 1 << 24


async def test_one_who_does_not_read_keeps_nothing_from_ending() -> None:
    with trio.fail_after(5):
        async with served(endless, patience=1e6) as address:
            stream = await connected(address)
            await stream.send_all(GET)
            await trio.testing.wait_all_tasks_blocked(0.1)
    await stream.aclose()


async def test_only_so_many_may_be_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_CONNECTIONS", 1)
    async with served(greeting) as address:
        async with await connected(address) as first:
            assert await rest_of(await connected(address)) == b""
            await first.send_all(GET)
            with trio.fail_after(10):
                assert (await first.receive_some()).startswith(b"HTTP/1.1 200")
        said = b""
        with trio.fail_after(10):
            while not said.startswith(b"HTTP/1.1 200"):
                stream = await connected(address)
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(LAST_GET)
                said = await rest_of(stream)


async def test_a_fault_of_ours_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    async with served(faulty) as address:
        for _ in range(2):
            stream = await connected(address)
            await stream.send_all(GET)
            assert (await rest_of(stream)).startswith(b"HTTP/1.1 500")
    assert "ZeroDivisionError" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.ERROR}


async def test_a_fault_in_the_protocol_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Faulty:
        def __init__(self, *_: object) -> None:
            raise ZeroDivisionError

    monkeypatch.setattr(serving, "TCPServer", Faulty)
    async with served(greeting) as address:
        for _ in range(2):
            assert await rest_of(await connected(address)) == b""
    assert caplog.messages == ["the page failed"] * 2


# The page of a server.


async def test_a_server_has_a_page_where_it_is_told_to(nursery: trio.Nursery) -> None:
    target = Target(NAME, MemoryDisk("1MiB"), listen=HERE, web=HERE)
    assert target.page_urls == []
    await nursery.start(target.serve)
    (url,) = target.page_urls
    host, port = url.removeprefix("http://").removesuffix("/").split(":")
    stream = await connected((host, int(port)))
    await stream.send_all(LAST_GET)
    assert b"<title>trioscsi</title>" in await rest_of(stream)


async def test_a_token_is_asked_for_where_there_is_one(nursery: trio.Nursery) -> None:
    page = LivePage(HERE, "a-token-of-some-length")
    server = Server([Target(NAME, MemoryDisk("1MiB"))], [HERE], web=page)
    await nursery.start(server.serve)
    port = int(server.page_urls[0].rsplit(":", 1)[1].strip("/"))
    for header, status in (
        (b"", b"401"),
        (b"\r\nAuthorization: Bearer a-token-of-some-length", b"200"),
    ):
        stream = await connected(("127.0.0.1", port))
        await stream.send_all(LAST_GET.replace(b"\r\nConn", header + b"\r\nConn"))
        assert (await rest_of(stream)).startswith(b"HTTP/1.1 " + status)


async def test_a_page_whose_port_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server([Target(NAME, MemoryDisk("1MiB"))], [HERE], web=f"127.0.0.1:{port}")
        with pytest.raises(PortalError, match=f"127.0.0.1:{port}: Address already in use"):
            await server.serve()


async def test_a_browser_that_does_not_read_does_not_hold_up_an_initiator(
    nursery: trio.Nursery,
) -> None:
    target = Target(NAME, MemoryDisk("1MiB"), listen=HERE, web=HERE)
    (address,) = await nursery.start(target.serve)
    port = int(target.page_urls[0].rsplit(":", 1)[1].strip("/"))
    browser = await connected(("127.0.0.1", port))
    await browser.send_all(b"GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n")
    sock = trio.socket.socket()
    await sock.connect(address)
    peer = Peer(sock)
    await peer.log_in()
    await peer.do(bytes(6))
    with trio.fail_after(30):
        for _ in range(300):
            await peer.do(bytes(6))
    assert await is_unharmed(peer)
    peer.close()
    await browser.aclose()
