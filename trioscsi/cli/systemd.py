"""What systemd passes to a service, and wants to hear from it (sd_listen_fds(3), sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

_FIRST_FD = 3


def inherited_sockets(environ: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """The sockets of a socket unit, which listen already; none if there is no such unit."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=fd) for fd in range(_FIRST_FD, _FIRST_FD + count)]


def notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Tell systemd of a state such as ``READY=1``; without systemd, nobody listens."""
    where = environ.get("NOTIFY_SOCKET")
    if not where:
        return
    if where.startswith("@"):
        where = "\0" + where[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), where)
