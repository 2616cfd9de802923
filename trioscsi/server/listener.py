"""Doors: listening sockets, and an accept loop that nothing brings down."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import TypeAlias

import trio

from trioscsi.digits import number_of
from trioscsi.errors import PortalError, UsageError, why_unreachable

log = logging.getLogger("trioscsi")

DEFAULT_PORT = 3260
Address: TypeAlias = tuple[str, int]
"""Host (a literal IP address, or a name) and port."""

_LAST_PORT = 65_535
_BACKLOG = 1024
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE = 0.1
"""Seconds to wait for resources to come back."""

Accepted: TypeAlias = Callable[[socket.socket, Address], None]


def parse_listen(text: str, default_port: int = DEFAULT_PORT) -> Address:
    """Host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``HOST``; raises UsageError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        host, colon, port = host if bracket else "", rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
    if not host or (colon and colon != ":") or (colon and not port.isdecimal()):
        raise UsageError(f"not HOST:PORT, nor [IPV6]:PORT: {text!r}")
    number = number_of(port, _LAST_PORT) if port else default_port
    if number is None:
        raise UsageError(f"there is no port {port}: {text!r}")
    return host, number


def format_address(address: Address) -> str:
    """``host:port``, with an IPv6 address in brackets (RFC 7143 section 13.8)."""
    host, port = address
    if not is_literal(host):
        return f"{host}:{port}"
    host = str(literal(host))
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """A literal address without the zone that says on which link it holds.

    An IPv4 peer of a socket that is for both comes with an address that wraps its own.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def is_literal(host: str) -> bool:
    """Whether this is an IP address, rather than a name."""
    try:
        literal(host)
    except ValueError:
        return False
    return True


def open_listeners(where: Address | socket.socket) -> list[socket.socket]:
    """Sockets that listen at an address, one for each address that its host name has.

    Raises PortalError if the name is unknown, or the address is not ours or is taken.
    """
    if isinstance(where, socket.socket):
        where.setblocking(False)
        return [where]
    host, port = where
    opened: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, at in dict.fromkeys(found):
            opened.append(_listen(family, at))
    except (OSError, UnicodeError) as error:
        for sock in opened:
            sock.close()
        reason = why_unreachable(error)
        raise PortalError(f"cannot listen at {format_address(where)}: {reason}") from None
    return opened


def _listen(family: int, where: object) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # 0.0.0.0 and [::] are two doors, each with an address of its own to show.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)  # type: ignore[arg-type]
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


async def accept_loop(listener: socket.socket, accepted: Accepted) -> None:
    """Hand over each connection that arrives, until cancelled.

    A peer that is gone before it is accepted is forgotten; when the machine is out of files or
    memory, the loop waits for better times.
    """
    complained = False
    while True:
        try:
            sock, peer = listener.accept()
        except BlockingIOError:
            await trio.lowlevel.wait_readable(listener)
            continue
        except OSError as error:
            if error.errno in _OUT_OF_RESOURCES:
                if not complained:
                    log.error("cannot accept connections: %s", error.strerror)
                    complained = True
                await trio.sleep(_PAUSE)
            else:
                log.info("a connection broke before it was accepted: %s", error.strerror)
                await trio.lowlevel.checkpoint()
            continue
        complained = False
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted(sock, (peer[0], peer[1]))
        await trio.lowlevel.checkpoint()
