"""PRE-FETCH of both lengths (SBC-3 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.blocks.transfer import GROUP_10, GROUP_16, blocks_of
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Met, Procedure

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage


@attrs.define
class Prefetch(Procedure):
    """Have the ``blocks`` from ``lba`` on read, so that the next who wants them need not wait.

    ``immed``: answer before that is done. ``whole``: these are all that were asked for; then, if
    they are read, the condition is met.
    """

    reads = True
    lba: int
    blocks: int
    immed: bool
    whole: bool

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""

        async def read() -> None:
            await storage.read(self.lba, self.blocks)

        if self.immed:
            going = storage.later(read)
        else:
            await read()
            going = True
        return Met() if going and self.whole else Done()


@decoded
def prefetch(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """PRE-FETCH; no length means all blocks up to the last, or as many as we are ready to read."""
    lba, blocks = blocks_of(unit, cdb, "prefetch_length")
    rest = unit.blocks - lba
    blocks = blocks or min(rest, unit.maximum_blocks)
    whole = bool(cdb["prefetch_length"]) or blocks == rest
    return Prefetch(lba, blocks, bool(cdb["immed"]), whole)


_IMMED = bits(1, 1)

PREFETCH_10 = cdb_layout(
    10,
    None,
    GROUP_10,
    immed=_IMMED,
    logical_block_address=span(2, 5),
    prefetch_length=span(7, 8),
)
PREFETCH_16 = cdb_layout(
    16,
    None,
    GROUP_16,
    immed=_IMMED,
    logical_block_address=span(2, 9),
    prefetch_length=span(10, 13),
)

COMMANDS = tuple(
    Command(
        opcode,
        f"PRE-FETCH({layout.length})",
        layout,
        prefetch,
        medium=True,
        access=Access.READ,
    )
    for opcode, layout in ((0x34, PREFETCH_10), (0x90, PREFETCH_16))
)
