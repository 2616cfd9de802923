"""Initiators that behave badly, each for a moment: what an hour of load needs besides load."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from typing import Any

from tests.performance.cells import MIB
from tests.performance.conversation import read, write
from trioscsi.lun import encode as encode_lun
from trioscsi.pdu import (
    Framer,
    LoginRequest,
    LoginResponse,
    ReadyToTransfer,
    ScsiCommand,
    ScsiResponse,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
    encode,
)

COMMANDS = 8
_PATIENCE = 30.0
"""Seconds that an answer may take."""


class Rude:
    """An initiator on a blocking socket that leaves without a word; use it in a ``with``."""

    def __init__(self, port: int, target: str, unit: int, number: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self._framer = Framer(MIB)
        self._cmd_sn = 1
        self._unit = encode_lun(unit)
        text = (
            f"InitiatorName=iqn.2025-12.local:rude.{number}\0TargetName={target}\0"
            "SessionType=Normal\0InitialR2T=Yes\0ImmediateData=No\0MaxOutstandingR2T=1\0"
            "DefaultTime2Wait=0\0DefaultTime2Retain=0\0"
        )
        login = LoginRequest(transit=True, csg=1, nsg=3, cmd_sn=1, data=text.encode())
        self._send(login)
        answer = self._receive(LoginResponse)
        assert (answer.status_class, answer.transit) == (0, True), answer
        # TEST UNIT READY takes the unit attention of a new nexus away.
        self._send(self._command(ScsiCommand(itt=1, cmd_sn=self._cmd_sn)))
        self._receive(ScsiResponse)

    def __enter__(self) -> Rude:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def abort_writes(self) -> None:
        """Begin writes, and abort each when the target asks for its data."""
        for _ in range(COMMANDS):
            command = self._command(write(self._cmd_sn, self._cmd_sn, 0, bytes(MIB)))
            command.data = b""
            self._send(command)
            self._receive(ReadyToTransfer)
            self._abort(TaskFunction.ABORT_TASK, command.itt)

    def abort_reads(self) -> None:
        """Ask for more than a socket holds, and abort all of it at once."""
        for _ in range(COMMANDS):
            self._send(self._command(read(self._cmd_sn, self._cmd_sn, 0, MIB)))
        self._abort(TaskFunction.ABORT_TASK_SET)

    def read_nothing(self) -> None:
        """Ask for much and leave while it comes."""
        for _ in range(COMMANDS):
            self._send(self._command(read(self._cmd_sn, self._cmd_sn, 0, MIB)))
        self._socket.recv(1)

    def babble(self) -> None:
        """Send what is no PDU."""
        self._socket.sendall(random.Random(1).randbytes(4096))

    def _command(self, command: ScsiCommand) -> ScsiCommand:
        command.lun = self._unit
        self._cmd_sn += 1
        return command

    def _abort(self, function: TaskFunction, itt: int = 0xFFFFFFFF) -> None:
        request = TaskManagementRequest(
            immediate=True,
            function=function,
            lun=self._unit,
            itt=0x10000 + self._cmd_sn,
            referenced_task_tag=itt,
            cmd_sn=self._cmd_sn,
            ref_cmd_sn=self._cmd_sn - 1,
        )
        self._send(request)
        answer = self._receive(TaskManagementResponse)
        assert answer.response == TaskResult.COMPLETE, answer

    def _receive(self, kind: type) -> Any:
        """The next PDU of a kind; others are passed over."""
        while True:
            pdu = self._framer.next_pdu()
            if isinstance(pdu, kind):
                return pdu
            if pdu is None:
                data = self._socket.recv(1 << 16)
                assert data, "the target closed the connection"
                self._framer.receive(data)

    def _send(self, pdu: Any) -> None:
        self._socket.sendall(b"".join(map(bytes, encode(pdu))))


MANNERS: tuple[Callable[[Rude], None], ...] = (
    Rude.abort_writes,
    Rude.abort_reads,
    Rude.read_nothing,
    Rude.babble,
)


def leave_in_login(port: int) -> None:
    """Connect, begin a login and go."""
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as sock:
        sock.sendall(encode(LoginRequest(csg=1, data=b"InitiatorName=iqn."))[0][:20])
