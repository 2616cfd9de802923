"""What can be asked of a target, whatever carries it there: commands, pings, texts, functions."""

from __future__ import annotations

import abc
from typing import TypeVar

import attrs

from trioscsi.errors import SessionLost, ShortTransfer, UsageError
from trioscsi.initiator import commands
from trioscsi.initiator.requests import Management, Ping, Request, Task, TextWish
from trioscsi.initiator.results import Answer, Capacity, Found
from trioscsi.initiator.rules import Rule, Rules
from trioscsi.lun import encode as encode_lun
from trioscsi.pdu import Buffer, TaskFunction, TaskResult
from trioscsi.text import Pair

_ATTENTIONS = 8
"""Unit attentions that are taken in a row."""
_CAPACITY = 12
"""Bytes of READ CAPACITY data that say how large a unit is."""
_BUSY_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds before a command is sent anew to a unit that was busy."""

R = TypeVar("R", bound=Request)


class Services(abc.ABC):
    """The requests of a session; SessionLost is raised where no answer can come."""

    lun: int
    """The unit that commands go to unless they say otherwise."""

    def __init__(self) -> None:
        self.recoveries = 0
        """How many sessions have taken the place of one that had failed."""
        self.reconnections = 0
        """How many connections have taken the place of one that was lost."""
        self._capacities: dict[int, Capacity] = {}

    # What carries it there.

    @property
    @abc.abstractmethod
    def discovery(self) -> bool:
        """Whether it is a session of discovery."""

    @property
    @abc.abstractmethod
    def portal(self) -> str:
        """The address that is talked to, as a TargetAddress."""

    @property
    @abc.abstractmethod
    def rules(self) -> Rules:
        """The rules that this initiator keeps."""

    @abc.abstractmethod
    async def do(self, request: R) -> R:
        """Have a request answered; a task that took its place is returned instead."""

    @abc.abstractmethod
    async def pause(self, seconds: float) -> None:
        """Let time pass."""

    # Commands.

    async def command(
        self,
        cdb: bytes,
        *,
        lun: int | None = None,
        data_out: Buffer = b"",
        expected_in: int = 0,
        attributes: int = 1,
        priority: int = 0,
        patience: float | None = None,
    ) -> Answer:
        """Send a CDB with the data that it writes, and take what it reads, at most so much.

        It is aborted after ``patience`` seconds; None: as the limits say.
        """
        delays = iter(_BUSY_DELAYS)
        while True:
            task = await self.do(
                Task(
                    lun=self._field(lun),
                    cdb=cdb,
                    data_out=data_out,
                    expected_in=expected_in,
                    attributes=attributes,
                    priority=priority,
                    patience=patience,
                )
            )
            if task.response:
                reason = f"the target could not carry the command out ({task.response:#04x})"
                raise SessionLost(reason)
            data, qualifier = bytes(task.data_in), task.status_qualifier
            answer = Answer(task.status, task.sense, data, task.residual, qualifier)
            again = answer.may_be_repeated or (self.recoveries and answer.tells_of_loss)
            delay = next(delays, None) if again else None
            if delay is None:
                return answer
            await self.pause(delay)

    async def read(self, lba: int, blocks: int, *, lun: int | None = None) -> bytes:
        """Read blocks; raises CommandFailed, and ShortTransfer for fewer than that."""
        size = blocks * (await self.read_capacity(lun=lun)).block_size
        answer = await self.command(commands.read(lba, blocks), lun=lun, expected_in=size)
        if len(answer.check()) != size or answer.residual > 0:
            raise ShortTransfer(size, len(answer.data))
        return answer.data

    async def write(self, lba: int, data: Buffer, *, lun: int | None = None) -> None:
        """Write whole blocks; raises CommandFailed, and ShortTransfer if not all were taken."""
        size = (await self.read_capacity(lun=lun)).block_size
        if not size or len(data) % size:
            raise UsageError(f"{len(data)} bytes are no blocks of {size}")
        cdb = commands.write(lba, len(data) // size)
        answer = await self.command(cdb, lun=lun, data_out=data)
        answer.check()
        if answer.residual > 0:
            raise ShortTransfer(len(data), len(data) - answer.residual)

    async def inquiry(self, page: int | None = None, *, lun: int | None = None) -> bytes:
        """The standard INQUIRY data, or a VPD page."""
        cdb = commands.inquiry(page)
        return (await self.command(cdb, lun=lun, expected_in=1024)).check()

    async def read_capacity(self, *, lun: int | None = None) -> Capacity:
        """How large a unit is; a pending unit attention is taken by the way.

        Raises CommandFailed, and ShortTransfer if the target does not say it.
        """
        number = self.lun if lun is None else lun
        known = self._capacities.get(number)
        if known is None:
            await self.wait_ready(lun=lun)
            cdb = commands.read_capacity_16()
            data = (await self.command(cdb, lun=lun, expected_in=32)).check()
            if len(data) < _CAPACITY:
                raise ShortTransfer(_CAPACITY, len(data))
            last, size = int.from_bytes(data[:8]), int.from_bytes(data[8:12])
            known = self._capacities[number] = Capacity(last + 1, size)
        return known

    async def wait_ready(self, *, lun: int | None = None) -> None:
        """Take the unit attentions that are pending (TEST UNIT READY)."""
        for _ in range(_ATTENTIONS):
            answer = await self.command(commands.TEST_UNIT_READY, lun=lun)
            if not answer.is_attention:
                return

    async def report_luns(self) -> list[int]:
        """The 64-bit LUN fields of all units."""
        room = 65_536
        while True:
            answer = await self.command(commands.report_luns(room), lun=0, expected_in=room)
            data = answer.check()
            length = 8 + int.from_bytes(data[:4])
            if length <= room or room >= _MOST_UNITS:
                break
            room = min(length, _MOST_UNITS)
        end = min(length, len(data) & ~7)
        return [int.from_bytes(data[place : place + 8]) for place in range(8, end, 8)]

    # Everything else.

    async def ping(self, data: bytes = b"") -> bytes:
        """What comes back to a NOP-Out."""
        return (await self.do(Ping(data=data, immediate=True))).answer

    async def manage(
        self, function: TaskFunction, *, lun: int | None = None, about: Task | None = None
    ) -> TaskResult | int:
        """Have a task management function carried out."""
        request = Management(function=function, lun=self._field(lun), about=about, immediate=True)
        return (await self.do(request)).result

    async def text(self, *pairs: Pair) -> list[Pair]:
        """What the target answers to keys, outside of any negotiation."""
        return (await self.do(TextWish(pairs=list(pairs)))).answer

    async def negotiate(self) -> None:
        """Negotiate anew what may change during a session."""
        await self.do(TextWish(negotiates=True))

    async def discover(self) -> list[Found]:
        """The targets that this portal tells of; in a discovery session all of them.

        A target without an address is at the portal that tells of it (appendix C).
        """
        found: list[Found] = []
        for name, value in await self.text(("SendTargets", "All" if self.discovery else "")):
            if name == "TargetName":
                found.append(Found(value, ()))
            elif name == "TargetAddress" and found:
                found[-1] = attrs.evolve(found[-1], addresses=(*found[-1].addresses, value))
        if not self.rules.keep(Rule.WHOLE_LIST):
            found = [attrs.evolve(each, addresses=each.addresses[:1]) for each in found]
            return [each for each in found if each.addresses] or self._miss_targets()
        return [
            each if each.addresses else attrs.evolve(each, addresses=(self.portal,))
            for each in found
        ]

    def _miss_targets(self) -> list[Found]:
        raise SessionLost("there are no targets")

    def _field(self, lun: int | None) -> int:
        return encode_lun(self.lun if lun is None else lun)


_MOST_UNITS = 8 * 16_384
"""Bytes of the longest list of units that is asked for."""
