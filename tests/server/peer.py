"""An initiator for tests: it does what it is told, and sees what comes."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import attrs
import trio

from tests.conformance.witness import Witness
from trioscsi.lun import encode as encode_lun
from trioscsi.pdu import (
    NO_TASK,
    DataIn,
    DataOut,
    Framer,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    Pdu,
    ReadyToTransfer,
    ScsiCommand,
    ScsiResponse,
    TaskManagementRequest,
    encode,
)
from trioscsi.text import decode

NAME = "iqn.2025-12.test:disk"
INITIATOR = "iqn.2025-12.test:peer"
OTHER_ISID = b"\x80othr\0"
BLOCK = 512

TEST_UNIT_READY = bytes(6)
SYNCHRONIZE_CACHE = b"\x35" + bytes(9)
INQUIRY = bytes.fromhex("12 00 00 0060 00")
BLOCK_ERASE = b"\x48\x02" + bytes(8)
"""SANITIZE."""


def read10(lba: int, blocks: int) -> bytes:
    return b"\x28\0" + lba.to_bytes(4) + b"\0" + blocks.to_bytes(2) + b"\0"


def write10(lba: int, blocks: int, *, fua: bool = False) -> bytes:
    return bytes([0x2A, fua << 3]) + lba.to_bytes(4) + b"\0" + blocks.to_bytes(2) + b"\0"


def verify10(lba: int, blocks: int, *, bytchk: int = 0) -> bytes:
    return bytes([0x2F, bytchk << 1]) + lba.to_bytes(4) + b"\0" + blocks.to_bytes(2) + b"\0"


def reserve_out(
    action: int, key: int, new_key: int, *, kind: int = 0, flags: int = 0
) -> tuple[bytes, bytes]:
    """PERSISTENT RESERVE OUT and its parameter list."""
    cdb = bytes((0x5F, action, kind, 0, 0, 0, 0, 0, 24, 0))
    return cdb, key.to_bytes(8) + new_key.to_bytes(8) + bytes((0, 0, 0, 0, flags, 0, 0, 0))


class Answer(NamedTuple):
    """How a command ended."""

    status: int
    data: bytes = b""
    sense: bytes = b""

    @property
    def sense_code(self) -> tuple[int, int]:
        """The sense key, and the additional sense code with its qualifier."""
        return self.sense[2] & 0xF, self.sense[12] << 8 | self.sense[13]


class Peer:
    """One connection of an initiator; nothing is sent or received by itself."""

    def __init__(
        self,
        sock: trio.socket.SocketType,
        *,
        patience: float = 10,
        witness: Witness | None = None,
    ) -> None:
        self.socket = sock
        self._wire = (witness or Witness()).open()
        self._patience = patience
        self._framer = Framer(1 << 24)
        self.tsih = 0
        self.keys: dict[str, str] = {}
        """What the target said in the login."""
        self.cmd_sn = 1
        self.itt = 0

    # PDUs.

    async def send(self, *pdus: Pdu) -> None:
        await self.send_bytes(b"".join(b"".join(encode(pdu)) for pdu in pdus))

    async def send_bytes(self, data: bytes) -> None:
        self._wire.sent(data)
        view = memoryview(data)
        with trio.fail_after(self._patience):
            while view:
                view = view[await self.socket.send(view) :]

    def send_now(self, *pdus: Pdu) -> None:
        """Send small PDUs before anybody else in this process does anything."""
        data = b"".join(b"".join(encode(pdu)) for pdu in pdus)
        self._wire.sent(data)
        assert os.write(self.socket.fileno(), data) == len(data)

    async def receive(self) -> Any:
        """The next PDU, or None if the target has closed the connection."""
        with trio.fail_after(self._patience):
            while (pdu := self._framer.next_pdu()) is None:
                try:
                    data = await self.socket.recv(1 << 16)
                except ConnectionResetError:
                    return None
                if not data:
                    return None
                self._wire.received(data)
                self._framer.receive(data)
        return pdu

    def close(self) -> None:
        self.socket.close()

    # Login and logout.

    async def log_in(
        self,
        target: str | None = NAME,
        *,
        name: str = INITIATOR,
        isid: bytes = b"\x80test\0",
        tsih: int = 0,
        **keys: str,
    ) -> int:
        """Log in, to a discovery session if there is no target; the login status."""
        kind = {"SessionType": "Discovery"} if target is None else {"TargetName": target}
        pairs = {"InitiatorName": name} | kind | keys
        request = LoginRequest(
            transit=True,
            csg=1,
            nsg=3,
            isid=isid,
            tsih=tsih,
            cmd_sn=self.cmd_sn,
            data="".join(f"{key}={value}\0" for key, value in pairs.items()).encode(),
        )
        await self.send(request)
        response = await self.receive()
        assert isinstance(response, LoginResponse)
        self.tsih = response.tsih
        self.keys = dict(decode(bytes(response.data)))
        status = response.status_class << 8 | response.status_detail
        assert response.transit is not bool(status)
        return status

    async def log_out(self) -> None:
        await self.send(LogoutRequest(itt=self._next_itt(), cmd_sn=self._next_cmd_sn()))
        response = await self.receive()
        assert isinstance(response, LogoutResponse)
        assert response.response == 0
        assert await self.receive() is None

    # Commands.

    def command(
        self, cdb: bytes, data: bytes = b"", *, writes: int = 0, reads: int = 0, **fields: Any
    ) -> ScsiCommand:
        """A command with the next numbers; ``data`` goes with it, more may be asked for."""
        unit = fields.pop("unit", 0)
        command = ScsiCommand(
            read=bool(reads),
            write=bool(data or writes),
            lun=encode_lun(unit),
            itt=self._next_itt(),
            expected_data_transfer_length=writes or len(data) or reads,
            cdb=cdb,
            data=data,
        )
        command = attrs.evolve(command, **fields)
        command.cmd_sn = self.cmd_sn if command.immediate else self._next_cmd_sn()
        return command

    async def do(self, cdb: bytes, data: bytes = b"", **fields: Any) -> Answer:
        """Send a command and take its answer."""
        command = self.command(cdb, data, **fields)
        await self.send(command)
        return await self.answer(command)

    async def answer(self, command: ScsiCommand, *, data: bytes = b"") -> Answer:
        """What the target answers to one command, with ``data`` for its R2Ts."""
        received = bytearray()
        while True:
            pdu = await self.receive()
            assert pdu is not None, "the target has closed the connection"
            if isinstance(pdu, NopIn) and pdu.itt == pdu.ttt == NO_TASK:
                continue  # it tells numbers, and that is all
            assert pdu.itt == command.itt, pdu
            match pdu:
                case DataIn():
                    assert pdu.buffer_offset == len(received)
                    received += pdu.data
                    if pdu.has_status:
                        return Answer(pdu.status, bytes(received))
                case ReadyToTransfer():
                    await self.send(data_out(pdu, data))
                case ScsiResponse():
                    return Answer(pdu.status, bytes(received), bytes(pdu.sense))
                case _:
                    raise AssertionError(pdu)

    async def read(self, lba: int, blocks: int, *, unit: int = 0) -> bytes:
        answer = await self.do(read10(lba, blocks), reads=blocks * BLOCK, unit=unit)
        assert answer.status == 0, answer
        return answer.data

    async def write(self, lba: int, data: bytes, *, unit: int = 0) -> None:
        answer = await self.do(write10(lba, len(data) // BLOCK), data, unit=unit)
        assert answer.status == 0, answer

    def task_management(
        self, function: int, about: ScsiCommand | None = None, *, unit: int = 0
    ) -> TaskManagementRequest:
        """An immediate task management request, about a command or a whole unit."""
        request = TaskManagementRequest(
            immediate=True,
            function=function,
            lun=encode_lun(unit),
            itt=self._next_itt(),
            cmd_sn=self.cmd_sn,
        )
        if about is not None:
            request.referenced_task_tag, request.ref_cmd_sn = about.itt, about.cmd_sn
        return request

    def _next_itt(self) -> int:
        self.itt += 1
        return self.itt

    def _next_cmd_sn(self) -> int:
        self.cmd_sn += 1
        return self.cmd_sn - 1


def ping(itt: int = 0x1000, data: bytes = b"") -> NopOut:
    return NopOut(immediate=True, itt=itt, data=data)


async def is_unharmed(peer: Peer) -> bool:
    """Whether a session still works."""
    await peer.write(7, b"\x77" * BLOCK)
    return await peer.read(7, 1) == b"\x77" * BLOCK


def data_out(r2t: ReadyToTransfer, data: bytes) -> DataOut:
    """What an R2T asks for, in one PDU."""
    end = r2t.buffer_offset + r2t.desired_data_transfer_length
    return DataOut(
        final=True,
        lun=r2t.lun,
        itt=r2t.itt,
        ttt=r2t.ttt,
        buffer_offset=r2t.buffer_offset,
        data=data[r2t.buffer_offset : end],
    )
