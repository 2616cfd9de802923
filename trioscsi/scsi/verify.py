"""VERIFY of all lengths (SBC-3 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Failed, Procedure
from trioscsi.scsi.sense import miscompare

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Buffer, Storage

Compare = Literal["blocks", "one block"] | None

_COMPARE: dict[int, Compare] = {0b00: None, 0b01: "blocks", 0b11: "one block"}


@attrs.define
class Verify(Procedure):
    """Read the ``blocks`` from ``lba`` on and send none of them.

    ``compare`` says what they must equal: nothing, the ``data_out`` bytes sent ("blocks"), or
    each the single block sent ("one block").
    """

    reads = True
    lba: int
    blocks: int
    compare: Compare
    data_out: int

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        found = memoryview(await storage.read(self.lba, self.blocks))
        # What the initiator did not send cannot be compared.
        if self.compare == "one block":
            data = memoryview(bytes(data) * self.blocks)
        if self.compare is not None and found[: len(data)] != data:
            return Failed(miscompare(first_difference(found, data)))
        return Done()


def first_difference(left: Buffer, right: Buffer) -> int:
    """The offset of the first byte that differs, found by halving; there must be one."""
    left, right = memoryview(left), memoryview(right)
    low, high = 0, min(len(left), len(right))
    while high - low > 1:
        middle = (low + high) // 2
        if left[low:middle] != right[low:middle]:
            high = middle
        else:
            low = middle
    return low


@decoded
def verify(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """VERIFY of all lengths."""
    if cdb["bytchk"] not in _COMPARE:
        raise cdb.refusal("bytchk")
    lba, blocks = cdb["logical_block_address"], cdb["verification_length"]
    unit.check_lba(lba, blocks)
    if blocks > unit.maximum_blocks:
        raise cdb.refusal("verification_length")
    unit.counters.verified(blocks)
    if not blocks:
        return Done()
    compare = _COMPARE[cdb["bytchk"]]
    sent = {None: 0, "blocks": blocks, "one block": 1}[compare]
    return Verify(lba, blocks, compare, sent * unit.block_size)


_VERIFY = {"dpo": bits(1, 4), "bytchk": bits(1, 2, 1)}
_VRPROTECT = bits(1, 7, 5)

VERIFY_10 = cdb_layout(
    10,
    {"vrprotect": _VRPROTECT, "group_number": bits(6, 4, 0)},
    logical_block_address=span(2, 5),
    verification_length=span(7, 8),
    **_VERIFY,
)
VERIFY_12 = cdb_layout(
    12,
    {"vrprotect": _VRPROTECT, "group_number": bits(10, 4, 0)},
    logical_block_address=span(2, 5),
    verification_length=span(6, 9),
    **_VERIFY,
)
VERIFY_16 = cdb_layout(
    16,
    {"vrprotect": _VRPROTECT, "group_number": bits(14, 4, 0)},
    logical_block_address=span(2, 9),
    verification_length=span(10, 13),
    **_VERIFY,
)

COMMANDS = tuple(
    Command(opcode, f"VERIFY({layout.length})", layout, verify, medium=True, access=Access.READ)
    for opcode, layout in ((0x2F, VERIFY_10), (0x8F, VERIFY_16), (0xAF, VERIFY_12))
)
