"""SCSI commands as they are seen from outside: what their PDUs tell of them."""

from __future__ import annotations

from functools import cached_property

import attrs

from trioscsi import lun
from trioscsi.machines.task import ABORTED, EXECUTING, RECEIVING, RESPONDED
from trioscsi.pdu import NO_TASK, DataOut, ReadyToTransfer, ScsiCommand, TaskAttribute
from trioscsi.scsi import Status
from trioscsi.teaching import commands
from trioscsi.teaching.live.message import Message

_STATUSES = {status.value: status.name for status in Status}
_ATTRIBUTES = {attribute.value: attribute.name for attribute in TaskAttribute}
_OVER = {RESPONDED.name, ABORTED.name}


@attrs.define(eq=False)
class Task:
    """One command; ``began`` is None if it had begun before anybody looked."""

    itt: int
    cdb: bytes
    unit: int | None
    attribute: int
    reads: int
    writes: int
    began: float | None
    state: str = EXECUTING.name
    ended: float | None = None
    status: str | None = None
    asked: int = 0
    """Sequences of data that were announced and have not ended."""

    @classmethod
    def of(cls, pdu: ScsiCommand, at: float) -> Task:
        """The task that a command begins."""
        length = pdu.expected_data_transfer_length
        task = cls(
            pdu.itt,
            bytes(pdu.cdb),
            lun.decode(pdu.lun),
            pdu.attributes,
            length if pdu.read and not pdu.write else pdu.bidirectional_read_length or 0,
            length if pdu.write else 0,
            at,
        )
        if not pdu.final:
            task.announce()
        return task

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in _OVER

    def announce(self) -> None:
        """A sequence of Data-Out is to come."""
        self.asked += 1
        self.state = RECEIVING.name

    def hear(self, pdu: DataOut | ReadyToTransfer) -> bool:
        """Data, or a request for data; whether that changes the state."""
        before = self.state
        if isinstance(pdu, ReadyToTransfer):
            self.announce()
        elif pdu.final and self.asked:
            self.asked -= 1
            if not self.asked:
                self.state = EXECUTING.name
        return self.state != before

    def respond(self, status: int, at: float) -> None:
        """It is answered."""
        self.status = _STATUSES.get(status) or f"0x{status:02x}"
        self.state, self.ended = RESPONDED.name, at

    def abort(self, at: float) -> None:
        """It has ended without status."""
        self.state, self.ended = ABORTED.name, at

    @cached_property
    def name(self) -> str:
        """The command that it is."""
        command = commands.command_of(self.cdb)
        return f"{self.cdb[0]:02X}h" if command is None else command.name

    @property
    def described(self) -> Message:
        """It as others see it."""
        return {
            "itt": "none" if self.itt == NO_TASK else f"0x{self.itt:08x}",
            "name": self.name,
            "cdb": self.cdb.hex(),
            "lun": self.unit,
            "attribute": _ATTRIBUTES.get(self.attribute) or str(self.attribute),
            "reads": self.reads,
            "writes": self.writes,
            "state": self.state,
            "began": self.began,
            "ended": self.ended,
            "status": self.status,
        }
