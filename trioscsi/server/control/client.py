"""The other side of the control socket, for programs that wait by themselves."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trioscsi.errors import ControlError
from trioscsi.server.control.caller import VERSION
from trioscsi.teaching.live import Message

_PATIENCE = 5.0
"""Seconds for a server to say who it is."""

_MOST_LINE = 64 * 2**20
"""Bytes of one message: a snapshot of thousands of connections is a large one."""


class Client:
    """A connection to the control socket of a server.

    Raises ControlError if nobody answers there, or somebody who speaks another protocol.
    """

    def __init__(self, path: str | Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._file = self._socket.makefile("rb")
        self._ids = 0
        try:
            self._socket.settimeout(_PATIENCE)
            self._socket.connect(str(path))
            welcome = self.receive()
            self._socket.settimeout(None)
        except OSError as error:
            self.close()
            reason = error.strerror or str(error)
            raise ControlError(
                f"no server answers at {path}: {reason}; start one with"
                f" trioscsi serve --control {path}"
            ) from None
        except ControlError:
            self.close()
            raise
        if welcome is None or welcome.get("type") != "welcome":
            self.close()
            raise ControlError(f"what answers at {path} is no trioscsi")
        if welcome.get("version") != VERSION:
            self.close()
            raise ControlError(
                f"{welcome.get('program')} speaks version {welcome.get('version')} of the control"
                f" protocol, this is for version {VERSION}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave; whoever waits for a message gets None."""
        with suppress(OSError):  # the server may have gone before
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._file.close()

    def send(self, name: str, **arguments: Any) -> int:
        """Ask for something; returns the id that the answer will have."""
        self._ids += 1
        request = {"id": self._ids, "request": name, **arguments}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise ControlError(f"the server is gone: {error.strerror}") from None
        return self._ids

    def receive(self) -> Message | None:
        """The next message, whatever it is; None if the server is gone."""
        line = self._file.readline(_MOST_LINE)
        if not line.endswith(b"\n"):
            return None
        try:
            message = json.loads(line)
        except ValueError:
            raise ControlError("what answers there is no trioscsi") from None
        if not isinstance(message, dict):
            raise ControlError("what answers there is no trioscsi")
        return message

    def ask(self, name: str, **arguments: Any) -> Message:
        """Ask for something and wait for the answer; messages before it are lost.

        Raises ControlError if the server refuses, or is gone.
        """
        request = self.send(name, **arguments)
        for message in self.messages():
            if message.get("id") == request and message["type"] in ("answer", "error"):
                if message["type"] == "error":
                    raise ControlError(str(message.get("error")))
                return message
        raise ControlError("the server is gone")

    def messages(self) -> Iterator[Message]:
        """All messages, until the server is gone."""
        while True:
            try:
                message = self.receive()
            except (OSError, ValueError):  # somebody has closed this end
                return
            if message is None:
                return
            yield message
