"""A whole connection in memory: what the server does in a turn, but for the socket."""

from __future__ import annotations

from typing import Any

import attrs

from trioscsi import Target
from trioscsi.backends import BlockDevice
from trioscsi.limits import Limits
from trioscsi.pdu import Framer, LoginRequest, LoginStage, ScsiCommand, encode
from trioscsi.protocol import Node, TargetConnection, Task
from trioscsi.scsi import Plan
from trioscsi.server.access import Door
from trioscsi.teaching.live import Feed, LiveTap
from trioscsi.text import Offer, SessionType
from trioscsi.text import encode as encode_text

BATCH = 32
"""Commands that arrive together."""
NAME = "iqn.2025-12.local:disk"
BLOCK = 512


def read(itt: int, cmd_sn: int, lba: int, size: int) -> ScsiCommand:
    """A READ(10) of ``size`` bytes."""
    return ScsiCommand(
        final=True,
        read=True,
        itt=itt,
        cmd_sn=cmd_sn,
        expected_data_transfer_length=size,
        cdb=_cdb(0x28, lba, size),
    )


def write(itt: int, cmd_sn: int, lba: int, data: bytes) -> ScsiCommand:
    """A WRITE(10) with all of its data as immediate data."""
    return ScsiCommand(
        final=True,
        write=True,
        itt=itt,
        cmd_sn=cmd_sn,
        expected_data_transfer_length=len(data),
        cdb=_cdb(0x2A, lba, len(data)),
        data=data,
    )


def _cdb(operation: int, lba: int, size: int) -> bytes:
    blocks = (size // BLOCK).to_bytes(2, "big")
    return bytes([operation, 0]) + lba.to_bytes(4, "big") + b"\0" + blocks + bytes(7)


class Unneeded:
    """The executor of a disk that never has to wait."""

    peer = "127.0.0.1:1"

    def start(self, task: Task, plan: Plan) -> None:
        """See `trioscsi.server.perform.Executor`."""
        raise AssertionError(f"{plan} had to wait")

    def has_room(self, task: Task) -> bool:
        """See `trioscsi.server.perform.Executor`."""
        return True

    def cancel(self, task: Task) -> None:
        """See `trioscsi.server.perform.Executor`."""

    def fail(self, fault: Exception) -> None:
        """See `trioscsi.server.perform.Executor`."""
        raise fault


@attrs.define
class InMemory:
    """A session that has logged in; `turn` does what the server's reader does."""

    disk: BlockDevice
    digests: bool = False
    feed: Feed | None = None
    """Who is told of it."""
    connection: TargetConnection = attrs.field(init=False)
    cmd_sn: int = 1
    _target: Target = attrs.field(init=False)
    _tap: LiveTap | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        limits = Limits()
        self._target = Target(NAME, self.disk, listen=[], limits=limits)
        discovery = Node("", Offer(session_type=SessionType.DISCOVERY), limits)
        guarded = {NAME: self._target.guarded}
        door = Door(guarded, discovery, ("127.0.0.1", 1), [(("127.0.0.1", 1), 1)])
        watcher = None
        if self.feed is not None:
            self._tap = self.feed.connect(*[("127.0.0.1", 1)] * 3)
            watcher = self._tap.moved
        self.connection = TargetConnection(door, limits, now=0.0, watcher=watcher)
        if self._tap is not None:
            self._tap.follow(self.connection)
        self._target.performer.executors[self.connection] = Unneeded()
        self._log_in()
        for _ in range(2):  # TEST UNIT READY: the unit attention of a new nexus, then none
            self.turn(self._encode(ScsiCommand(final=True, cmd_sn=self.cmd_sn, cdb=bytes(16))))
            self.cmd_sn += 1

    def turn(self, received: bytes) -> list[Any]:
        """Bytes arrive; returns what is to be sent."""
        connection, node, tap = self.connection, self._target.node, self._tap
        if tap is not None:
            tap.received(received)
        connection.receive(received)
        while connection.pump(0.0, BATCH):
            self._target.performer.handle(node.take_events())
        self._target.performer.handle(node.take_events())
        output = connection.take_output()
        if tap is not None:
            tap.sent(output, sum(map(len, output)))
        return output

    def turns(self, count: int, size: int, *, writing: bool) -> list[bytes]:
        """What arrives in so many turns of `BATCH` commands each."""
        data = bytes(size)
        found = []
        for _ in range(count):
            batch = []
            for itt in range(BATCH):
                lba = self.cmd_sn * size // BLOCK % (self.disk.blocks - size // BLOCK)
                command: ScsiCommand
                if writing:
                    command = write(itt, self.cmd_sn, lba, data)
                else:
                    command = read(itt, self.cmd_sn, lba, size)
                batch.append(self._encode(command))
                self.cmd_sn += 1
            found.append(b"".join(batch))
        return found

    def _encode(self, pdu: Any) -> bytes:
        framer = self.connection.framer
        buffers = encode(pdu, header_digest=framer.header_digest, data_digest=framer.data_digest)
        return b"".join(map(bytes, buffers))

    def _log_in(self) -> None:
        digest = "CRC32C" if self.digests else "None"
        keys = [
            ("InitiatorName", "iqn.2025-12.local:initiator"),
            ("TargetName", NAME),
            ("SessionType", "Normal"),
            ("HeaderDigest", digest),
            ("DataDigest", digest),
            ("MaxRecvDataSegmentLength", "262144"),
            ("InitialR2T", "No"),
            ("ImmediateData", "Yes"),
        ]
        request = LoginRequest(
            immediate=True,
            transit=True,
            csg=LoginStage.LOGIN_OPERATIONAL_NEGOTIATION,
            nsg=LoginStage.FULL_FEATURE_PHASE,
            isid=bytes.fromhex("800000000001"),
            cmd_sn=self.cmd_sn,
            data=encode_text(keys),
        )
        for _ in range(4):
            framer = Framer(262_144)
            framer.receive(b"".join(map(bytes, self.turn(self._encode(request)))))
            answer: Any = framer.next_pdu()
            if answer is not None and answer.transit:
                return
            request.data = b""
        raise AssertionError("the login did not end")
