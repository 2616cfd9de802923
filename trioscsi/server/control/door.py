"""A Unix socket that listens, and that only its owner can open."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trioscsi.errors import PortalError

MOST_PATH = 107
"""Bytes of the path of a Unix socket on Linux, which end with a zero."""

_OWNER_ALONE = 0o177
_BACKLOG = 16


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket that listens at a path, with mode 0600; the path is removed at the end.

    One that was left there by somebody who is gone gives way.  Raises PortalError if somebody
    listens there, if something else is there, or if nothing can be made there.
    """
    if len(os.fsencode(path)) > MOST_PATH:
        raise PortalError(f"the path of a socket has {MOST_PATH} bytes at most: {path}")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            ours = _bind(sock, path)
        except OSError as error:
            raise PortalError(f"cannot listen at {path}: {error.strerror}") from None
        try:
            yield sock
        finally:
            _remove(path, ours)
    finally:
        sock.close()


def _bind(sock: socket.socket, path: Path) -> os.stat_result:
    """Make the socket; whoever else does the same in this folder waits for the end of it."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        _make_way(path)
        # The mode is there from the beginning: nobody slips in before it is changed.
        before = os.umask(_OWNER_ALONE)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        sock.listen(_BACKLOG)
        return path.lstat()
    finally:
        os.close(folder)


def _make_way(path: Path) -> None:
    """Remove a socket at which nobody listens."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise PortalError(f"cannot listen at {path}: there is something that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                path.unlink()
                return
            if error.errno != errno.EAGAIN:  # its backlog is full: somebody is there
                raise
    raise PortalError(f"cannot listen at {path}: another server does")


def _remove(path: Path, ours: os.stat_result) -> None:
    """Remove the socket, unless somebody has put another one in its place."""
    with suppress(FileNotFoundError):
        found = path.lstat()
        if (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino):
            path.unlink()
