"""What the commands of one unit have done: the source of its log pages and statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.blocks.verify import Verify
from trioscsi.scsi.plan import Procedure, Read

if TYPE_CHECKING:
    from trioscsi.scsi.plan import Plan


@attrs.define
class Counters:
    """Commands that were taken, the blocks that they named, and those that storage failed.

    All of them only grow. ``transfer`` adds to the first four by itself: one more call would be
    felt there.
    """

    reads: int = 0
    blocks_read: int = 0
    writes: int = 0
    blocks_written: int = 0
    verifies: int = 0
    blocks_verified: int = 0
    failed_reads: int = 0
    failed_writes: int = 0
    failed_verifies: int = 0

    def __sub__(self, earlier: Counters) -> Counters:
        """What was counted after ``earlier``."""
        pairs = zip(attrs.astuple(self), attrs.astuple(earlier), strict=True)
        return Counters(*(now - then for now, then in pairs))

    def read(self, blocks: int) -> None:
        """A command reads ``blocks`` for the initiator."""
        self.reads += 1
        self.blocks_read += blocks

    def wrote(self, blocks: int) -> None:
        """A command writes ``blocks`` that the initiator sends."""
        self.writes += 1
        self.blocks_written += blocks

    def verified(self, blocks: int) -> None:
        """A command reads ``blocks`` that are not sent."""
        self.verifies += 1
        self.blocks_verified += blocks

    def failed(self, plan: Plan) -> None:
        """Storage failed the command of this plan."""
        if isinstance(plan, Verify):
            self.failed_verifies += 1
        elif isinstance(plan, Read) or (isinstance(plan, Procedure) and plan.reads):
            self.failed_reads += 1
        else:
            self.failed_writes += 1
