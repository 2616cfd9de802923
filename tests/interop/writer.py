"""A small initiator on a blocking socket."""

from __future__ import annotations

import socket
from typing import Any, Self

from tests.interop.serving import NAME
from trioscsi.pdu import Framer, LoginRequest, LoginResponse, ScsiCommand, ScsiResponse, encode

BLOCK = 512


class Writer:
    """An initiator that knows three commands and reads answers only when it wants to."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._framer = Framer(1 << 18)
        self._cmd_sn = 1
        text = (
            f"InitiatorName=iqn.2025-12.test:writer\0TargetName={NAME}\0SessionType=Normal\0"
            "InitialR2T=No\0ImmediateData=Yes\0FirstBurstLength=65536\0"
        )
        login = LoginRequest(transit=True, csg=1, nsg=3, cmd_sn=1, data=text.encode())
        self._send(login)
        response = self.receive()
        assert isinstance(response, LoginResponse)
        assert (response.status_class, response.transit) == (0, True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def write(self, lba: int, data: bytes) -> None:
        """Send a WRITE (10)."""
        cdb = b"\x2a\0" + lba.to_bytes(4) + b"\0" + (len(data) // BLOCK).to_bytes(2) + b"\0"
        self.command(cdb, data)

    def write_atomically(self, lba: int, data: bytes) -> None:
        """Send a WRITE ATOMIC (16)."""
        blocks = len(data) // BLOCK
        cdb = b"\x9c\0" + lba.to_bytes(8) + bytes(2) + blocks.to_bytes(2) + bytes(2)
        self.command(cdb, data)

    def synchronize(self) -> None:
        """Send a SYNCHRONIZE CACHE (10) of the whole disk."""
        self.command(b"\x35" + bytes(9))

    def command(self, cdb: bytes, data: bytes = b"", *, reads: int = 0) -> None:
        """Send any command that sends data, or receives so many bytes, or neither."""
        self._send(
            ScsiCommand(
                read=bool(reads),
                write=bool(data),
                itt=self._cmd_sn,
                cmd_sn=self._cmd_sn,
                expected_data_transfer_length=len(data) or reads,
                cdb=cdb,
                data=data,
            )
        )
        self._cmd_sn += 1

    def wait_for_good_status(self, commands: int) -> None:
        """Receive so many responses, and no bad one."""
        for _ in range(commands):
            response = self.receive()
            assert isinstance(response, ScsiResponse)
            assert response.status == 0, bytes(response.data)

    def receive(self) -> Any:
        """The next PDU."""
        while (pdu := self._framer.next_pdu()) is None:
            data = self._socket.recv(1 << 16)
            assert data, "the server closed the connection"
            self._framer.receive(data)
        return pdu

    def _send(self, pdu: Any) -> None:
        self._socket.sendall(b"".join(encode(pdu)))
