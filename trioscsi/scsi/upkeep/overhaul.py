"""Work on the whole medium: formatting and sanitizing (SBC-3 sections 4.11, 4.34 and 5).

While it goes on, and after it has failed, hardly any command is performed. It goes on whatever
happens to the command that asked for it, until it is done or the target stops. It may be told to
write no faster than other units can bear.
"""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.command import Concern
from trioscsi.scsi.plan import Done, Failed, Procedure, Refused, Status
from trioscsi.scsi.sense import AdditionalSense, Progress, Sense, SenseKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.command import Command
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage

_A_WHILE = 10
"""When to come again if too many jobs go on, in tenths of a second: they are long ones."""

KEEPSAKE = "overhaul"
_WRITTEN_AT_ONCE, _UNMAPPED_AT_ONCE = 2**20, 2**26

_INQUIRY, _REQUEST_SENSE, _REPORT_LUNS = 0x12, 0x03, 0xA0
_REPORTS = 0xA3  # of port groups, commands and functions, which ask nothing of the medium
_PASSING = frozenset({_INQUIRY, _REQUEST_SENSE, _REPORT_LUNS, _REPORTS})
FORMAT_UNIT, SANITIZE = 0x04, 0x48


class Work(enum.Enum):
    """What is done to a medium, and what is said meanwhile and afterwards if it failed."""

    FORMAT = "format"
    SANITIZE = "sanitize"

    def in_progress(self, done: float) -> Sense:
        """The answer to commands while it goes on; ``done`` is a part of 1."""
        code = AdditionalSense.LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS
        if self is Work.SANITIZE:
            code = AdditionalSense.LOGICAL_UNIT_NOT_READY_SANITIZE_IN_PROGRESS
        return Sense(SenseKey.NOT_READY, code, specific=Progress(min(int(done * 65_536), 65_535)))

    @property
    def failure(self) -> Sense:
        """How the command ends."""
        code = AdditionalSense.FORMAT_COMMAND_FAILED
        if self is Work.SANITIZE:
            code = AdditionalSense.SANITIZE_COMMAND_FAILED
        return Sense(SenseKey.MEDIUM_ERROR, code)

    def objection(self, command: Command) -> Sense | None:
        """The answer to a command after it failed, if that is not to be performed.

        What holds no format can be asked for anything but blocks; what may hold remains of data
        that were to be destroyed, for nothing that might show them.
        """
        if self is Work.SANITIZE:
            return None if command.opcode in {*_PASSING, SANITIZE} else self.failure
        if not command.medium or command.opcode in (FORMAT_UNIT, SANITIZE):
            return None
        return Sense(SenseKey.MEDIUM_ERROR, AdditionalSense.MEDIUM_FORMAT_CORRUPTED)


@attrs.define
class Medium:
    """Whether work on the medium of ``unit`` goes on or has failed.

    ``unrestricted``: a failure may be left without doing the work again (AUSE).
    """

    unit: LogicalUnit
    work: Work | None = None
    done: float = 0.0
    failed: bool = False
    unrestricted: bool = False

    @property
    def going_on(self) -> Sense | None:
        """What is said while work goes on; None if none does."""
        if self.work is None or self.failed:
            return None
        return self.work.in_progress(self.done)

    def begin(self, work: Work, *, unrestricted: bool) -> None:
        """Work begins."""
        self.work, self.done, self.failed, self.unrestricted = work, 0.0, False, unrestricted
        self.unit.guard(Concern.MEDIUM, _held_up)

    def fail(self) -> None:
        """The work has failed."""
        self.failed = True

    def settle(self) -> None:
        """There is nothing to be said of the medium: the work was done, or nobody minds."""
        self.work, self.failed = None, False
        self.unit.guard(Concern.MEDIUM, None)

    def go_back(self, before: Medium) -> None:
        """Be as before: what was to begin, or to be left, has not been."""
        if before.work is None:
            self.settle()
        else:
            self.begin(before.work, unrestricted=before.unrestricted)
            self.failed = before.failed

    async def save(self, storage: Storage, work: Work | None) -> None:
        """Let a restart find that ``work`` is going on, or nothing. Raises BackendError."""
        if self.unit.keeps_state:
            kept = [work and work.value, self.unrestricted]
            await storage.save(KEEPSAKE, json.dumps(kept).encode())

    def restore(self, data: bytes) -> None:
        """Work that a restart has cut off has failed; raises ValueError for what is no work."""
        match json.loads(data):
            case [None, bool()]:
                self.settle()
            case [str() as work, bool() as unrestricted]:
                self.begin(Work(work), unrestricted=unrestricted)
                self.fail()
            case _:
                raise ValueError("not what was saved of it")


def _held_up(unit: LogicalUnit, command: Command, _cdb: Bytes, _nexus: Nexus) -> Plan | None:
    medium = unit.medium
    assert medium.work is not None, "the guard stands while there is work to speak of"
    if medium.going_on is not None:
        return None if command.opcode in _PASSING else Failed(medium.going_on)
    sense = medium.work.objection(command)
    return None if sense is None else Failed(sense)


@attrs.define
class Overhaul(Procedure):
    """Give all blocks of a unit a new content, several times if need be.

    ``passes`` are the blocks that it is written full of, or None for no storage at all.
    ``immediate``: the command is answered as soon as the work goes on.
    """

    unit: LogicalUnit
    work: Work
    passes: Sequence[bytes | None]
    immediate: bool = False
    unrestricted: bool = False

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        medium = self.unit.medium
        if medium.going_on is not None:
            return Failed(medium.going_on)
        before = attrs.evolve(medium)
        medium.begin(self.work, unrestricted=self.unrestricted)

        async def work() -> None:
            await self._work(storage)

        if not (storage.later(work) if self.immediate else await storage.outlasting(work)):
            medium.go_back(before)
            return Refused(Status.BUSY, _A_WHILE)
        return Failed(self.work.failure) if medium.failed else Done()

    async def _work(self, storage: Storage) -> None:
        medium, succeeded = self.unit.medium, False
        storage = storage.overtake(self.work.in_progress(0))
        try:
            await medium.save(storage, self.work)
            blocks = self.unit.blocks
            async with storage.exclusive(0, blocks) as alone:
                for number, block in enumerate(self.passes):
                    await self._renew(alone, blocks, number, block)
            await storage.flush()
            await medium.save(storage, None)
            succeeded = True
        except BackendError:
            self.unit.storage_failed(self, self.work.failure)
            raise
        finally:
            if succeeded:
                medium.settle()
            else:
                medium.fail()

    async def _renew(self, storage: Storage, blocks: int, number: int, block: bytes | None) -> None:
        at_once = _UNMAPPED_AT_ONCE if block is None else _WRITTEN_AT_ONCE
        step = max(at_once // self.unit.block_size, 1)
        content = memoryview((block or b"") * min(step, blocks))
        # To give blocks back is next to nothing; where that cannot be done they are zeroed.
        writes = block is not None or not self.unit.thin
        lba = 0
        while lba < blocks:
            count = min(step, blocks - lba)
            if writes:
                count = await storage.ration(count)
            # Of a unit that has become smaller there is less to do.
            count = min(count, self.unit.blocks - lba)
            if count <= 0:
                break
            if block is None:
                await storage.unmap(lba, count)
            else:
                await storage.write(lba, content[: count * self.unit.block_size])
            lba += count
            self.unit.medium.done = (number + lba / blocks) / len(self.passes)


def pattern(unit: LogicalUnit, initialization: bytes) -> bytes:
    """A block filled with an initialization pattern, again and again."""
    return (initialization * (unit.block_size // len(initialization) + 1))[: unit.block_size]
