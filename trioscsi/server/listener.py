"""Doors: listening sockets, and an accept loop that nothing brings down."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterable
from typing import TypeAlias

import trio

from trioscsi.errors import PortalError, UsageError
from trioscsi.server.access import Address, format_address

log = logging.getLogger("trioscsi")

DEFAULT_PORT = 3260
_BACKLOG = 1024
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE = 0.1
"""Seconds to wait for resources to come back."""

Portal: TypeAlias = str | Address | socket.socket
"""``HOST:PORT`` as a user writes it, the same in two parts, or a socket that listens already."""

Accepted: TypeAlias = Callable[[socket.socket, Address], None]


def parse_listen(text: str) -> Address:
    """Host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``HOST``; raises UsageError."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
    if not host or (colon and colon != ":") or (colon and not port.isdecimal()):
        raise UsageError(f"not HOST:PORT, nor [IPV6]:PORT: {text!r}")
    number = int(port) if port else DEFAULT_PORT
    if number > 65_535:
        raise UsageError(f"there is no port {number}: {text!r}")
    return host, number


def parse_portals(portals: Iterable[Portal]) -> list[Address | socket.socket]:
    """Portals with what users wrote taken apart; raises UsageError."""
    return [parse_listen(portal) if isinstance(portal, str) else portal for portal in portals]


def open_listeners(portal: Address | socket.socket) -> list[socket.socket]:
    """Sockets that listen at a portal, one for each address that its host name has.

    Raises PortalError if the name is unknown, or the address is not ours or is taken.
    """
    if isinstance(portal, socket.socket):
        portal.setblocking(False)
        return [portal]
    host, port = portal
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return [_listen(family, where) for family, _, _, _, where in dict.fromkeys(found)]
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortalError(f"cannot listen at {format_address(portal)}: {reason}") from None


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
