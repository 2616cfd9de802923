from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trioscsi import PortalError, UsageError
from trioscsi.server.listener import accept_loop, format_address, open_listeners, parse_listen


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:3260", ("0.0.0.0", 3260)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("storage.example", ("storage.example", 3260)),
        ("[::]:13260", ("::", 13_260)),
        ("[2001:db8::1]", ("2001:db8::1", 3260)),
    ],
)
def test_a_portal_is_a_host_and_perhaps_a_port(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", ":3260", "host:", "host:x", "host:-1", "host:65536", "::1", "[::1]3260", "[]:1"),
        *("[::1:1", "host:²"),
        pytest.param("host:" + "9" * 5000, id="5,000 digits"),
    ],
)
def test_what_is_no_portal_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"HOST:PORT|no port"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("192.0.2.7", "192.0.2.7:3260"),
        ("2001:db8::7", "[2001:db8::7]:3260"),
        ("fe80::1%eth0", "[fe80::1]:3260"),
        ("::ffff:192.0.2.7", "192.0.2.7:3260"),
        ("storage.example", "storage.example:3260"),
    ],
)
def test_an_address_is_written_as_the_rfc_wants_it(host: str, text: str) -> None:
    assert format_address((host, 3260)) == text


def test_other_services_have_other_ports() -> None:
    assert parse_listen("names.example", default_port=3205) == ("names.example", 3205)
    assert parse_listen("names.example:1", default_port=3205) == ("names.example", 1)


def opened(portal: Any) -> socket.socket:
    (listener,) = open_listeners(portal)
    return listener


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_port_0_picks_one(host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 here")
    with opened((host, 0)) as listener:
        assert listener.getsockname()[1] > 0
        assert not listener.getblocking()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_a_socket_that_listens_already_is_used_as_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert opened(sock) is sock
        assert not sock.getblocking()


def test_an_address_that_is_taken_is_an_error_of_one_line() -> None:
    with opened(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with pytest.raises(PortalError, match=f"127.0.0.1:{address[1]}: Address already in use"):
            open_listeners(address)


def test_of_a_name_with_several_addresses_all_are_listened_at_or_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        family = socket.AF_INET, socket.SOCK_STREAM, 0, ""
        found = [(*family, (host, port)) for host in ("127.0.0.1", "127.0.0.2")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with pytest.raises(PortalError) as raised:
            open_listeners(("storage.example", port))
        assert raised.value.__context__ is not None  # which keeps all that was opened
        monkeypatch.undo()
        opened(("127.0.0.1", port)).close()


def test_an_address_of_another_machine_is_an_error_of_one_line() -> None:
    with pytest.raises(PortalError, match=r"cannot listen at 192\.0\.2\.1:3260: "):
        open_listeners(("192.0.2.1", 3260))


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example", "\udcff"])
def test_what_can_be_no_name_of_a_host_is_an_error_of_one_line(host: str) -> None:
    with pytest.raises(PortalError, match=r":3260: no host has such a name$"):
        open_listeners((host, 3260))


class Troubled:
    """A listener whose first attempts to accept fail."""

    def __init__(self, listener: socket.socket, *errors: int) -> None:
        self._listener, self._errors = listener, list(errors)
        self.fileno = listener.fileno

    def accept(self) -> Any:
        if self._errors:
            raise OSError(self._errors.pop(0), "as the test wants it")
        return self._listener.accept()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with opened(("127.0.0.1", 0)) as listener:
        yield listener


async def first_accepted(listener: Any, address: Any) -> socket.socket:
    """The first connection that the loop hands over."""
    accepted: list[socket.socket] = []
    with socket.create_connection(address) as client, trio.CancelScope() as scope:

        def take(sock: socket.socket, peer: tuple[str, int]) -> None:
            assert peer == client.getsockname()
            accepted.append(sock)
            scope.cancel()

        await accept_loop(listener, take)
    return accepted[0]


async def test_a_connection_is_handed_over_ready_for_use(listener: socket.socket) -> None:
    with await first_accepted(listener, listener.getsockname()) as sock:
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_the_loop_waits_for_connections(listener: socket.socket, nursery: Any) -> None:
    came = trio.Event()

    def take(sock: socket.socket, _: object) -> None:
        sock.close()
        came.set()

    nursery.start_soon(accept_loop, listener, take)
    await trio.testing.wait_all_tasks_blocked()
    socket.create_connection(listener.getsockname()).close()
    with trio.fail_after(10):
        await came.wait()


async def test_the_loop_survives_when_files_run_out(
    listener: socket.socket, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    troubled = Troubled(listener, errno.EMFILE, errno.EMFILE, errno.ENOBUFS)
    (await first_accepted(troubled, listener.getsockname())).close()
    assert trio.current_time() == pytest.approx(0.3)
    assert len(caplog.messages) == 1
    assert "cannot accept connections" in caplog.messages[0]


async def test_the_loop_forgets_a_peer_that_is_gone(
    listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "trioscsi")
    troubled = Troubled(listener, errno.ECONNABORTED)
    (await first_accepted(troubled, listener.getsockname())).close()
    assert caplog.messages == ["a connection broke before it was accepted: as the test wants it"]
