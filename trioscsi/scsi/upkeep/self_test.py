"""Self-tests (SPC-4 section 5.14): whether storage can be read, and what earlier tests found."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.command import Concern
from trioscsi.scsi.complaints import FAILED_SELF_TEST, SELF_TEST_IN_PROGRESS
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Failed, Procedure, Refusal, Refused, Status

if TYPE_CHECKING:
    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.command import Command
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage

RESULT = layout(
    16,
    self_test_code=bits(0, 7, 5),
    self_test_results=bits(0, 3, 0),
    self_test_number=span(1),
    accumulated_power_on_hours=span(2, 3),
    address_of_first_failure=span(4, 11),
    sense_key=bits(12, 3, 0),
    additional_sense=span(13, 14),
)

KEPT = 20
"""How many results are kept (SPC-4 section 7.3: those of the last twenty tests)."""
_STEP = 2**20
"""Bytes that are read at once."""
_NO_ADDRESS = 0xFFFFFFFFFFFFFFFF
_WHILE_TESTED = frozenset({0x03, 0x12, 0xA0})
"""INQUIRY, REPORT LUNS and REQUEST SENSE are performed during a test in the foreground."""


class Code(enum.IntEnum):
    """The self-test codes of SEND DIAGNOSTIC; the default test has none of its own."""

    DEFAULT = 0b000
    BACKGROUND_SHORT = 0b001
    BACKGROUND_EXTENDED = 0b010
    ABORT_BACKGROUND = 0b100
    FOREGROUND_SHORT = 0b101
    FOREGROUND_EXTENDED = 0b110


_BACKGROUND = (Code.BACKGROUND_SHORT, Code.BACKGROUND_EXTENDED)
_EXTENDED = (Code.BACKGROUND_EXTENDED, Code.FOREGROUND_EXTENDED)


class Finding(enum.IntEnum):
    """How a test ended (SPC-4 section 7.3, self-test results)."""

    PASSED = 0x0
    ABORTED_BY_SEND_DIAGNOSTIC = 0x1
    ABORTED_OTHERWISE = 0x2
    FAILED = 0x5
    IN_PROGRESS = 0xF


@attrs.define
class Result:
    """One test: what for, since when in hours, how it ended, and at which block it failed."""

    code: Code
    hours: int
    finding: Finding = Finding.IN_PROGRESS
    failed_at: int | None = None

    def encode(self) -> bytes:
        """The value of its log parameter."""
        failed = self.finding is Finding.FAILED
        return RESULT.encode(
            self_test_code=self.code,
            self_test_results=self.finding,
            accumulated_power_on_hours=min(self.hours, 0xFFFF),
            address_of_first_failure=_NO_ADDRESS if self.failed_at is None else self.failed_at,
            sense_key=FAILED_SELF_TEST.key if failed else 0,
            additional_sense=FAILED_SELF_TEST.code if failed else 0,
        )


@attrs.define
class SelfTests:
    """The tests of one unit; the newest result is the first. The default test leaves none."""

    results: deque[Result] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    _newest: Result | None = None

    @property
    def running(self) -> Result | None:
        """The test that has not ended."""
        newest = self._newest
        return newest if newest is not None and newest.finding is Finding.IN_PROGRESS else None

    def begin(self, result: Result) -> None:
        """A test begins."""
        self._newest = result
        if result.code is not Code.DEFAULT:
            self.results.appendleft(result)

    def abort(self, finding: Finding = Finding.ABORTED_OTHERWISE) -> bool:
        """Let the running test end before its next step; False if none is running."""
        running = self.running
        if running is not None:
            running.finding = finding
        return running is not None


@attrs.define
class SelfTest(Procedure):
    """Test a unit; in the background, after the command was answered."""

    reads = True
    unit: LogicalUnit
    code: Code

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        tests = self.unit.self_tests
        if tests.running is not None:
            return Failed(SELF_TEST_IN_PROGRESS)
        hours = int(self.unit.clock() - self.unit.powered_on) // 3600
        result = Result(self.code, hours)
        if self.code in _BACKGROUND:
            if not storage.later(partial(self._test, storage, result)):
                return Refused(Status.BUSY)
            tests.begin(result)
            return Done()
        tests.begin(result)
        self.unit.guard(Concern.SELF_TEST, _in_progress)
        try:
            await self._test(storage, result)
        finally:
            self.unit.guard(Concern.SELF_TEST, None)
        return Done() if result.finding is Finding.PASSED else Failed(FAILED_SELF_TEST)

    async def _test(self, storage: Storage, result: Result) -> None:
        lba, finding = 0, Finding.ABORTED_OTHERWISE
        try:
            async with aclosing(self._places(storage)) as places:
                async for lba, blocks in places:
                    if result.finding is not Finding.IN_PROGRESS:
                        return
                    with suppress(Refusal):  # the unit has become smaller meanwhile
                        await storage.read(lba, blocks)
            finding = Finding.PASSED
        except BackendError:
            finding, result.failed_at = Finding.FAILED, lba
        finally:
            if result.finding is Finding.IN_PROGRESS:
                result.finding = finding

    async def _places(self, storage: Storage) -> AsyncGenerator[tuple[int, int], None]:
        """What to read, step by step: a few blocks, or with an extended test all that is stored.

        The unit may become smaller meanwhile.
        """
        unit = self.unit
        if self.code not in _EXTENDED:
            for lba in sorted({0, unit.blocks // 2, unit.blocks - 1}):
                yield lba, 1
            return
        most, lba = max(1, _STEP // unit.block_size), 0
        while lba < unit.blocks:
            for extent in await storage.extents(lba, unit.blocks - lba):
                end = extent.lba + extent.blocks
                while extent.mapped and lba < min(end, unit.blocks):
                    blocks = min(most, end - lba, unit.blocks - lba)
                    yield lba, blocks
                    lba += blocks
                lba = end


def _in_progress(_unit: LogicalUnit, command: Command, _cdb: Bytes, _nexus: Nexus) -> Plan | None:
    return None if command.opcode in _WHILE_TESTED else Failed(SELF_TEST_IN_PROGRESS)
