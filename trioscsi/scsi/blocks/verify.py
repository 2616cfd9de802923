"""VERIFY, and WRITE AND VERIFY, of all lengths (SBC-3 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from trioscsi.difference import first_difference
from trioscsi.scsi.blocks.transfer import (
    EXPECTED_TAGS,
    GROUP_10,
    GROUP_12,
    GROUP_16,
    blocks_of,
    blocks_to_write,
    whole_blocks,
)
from trioscsi.scsi.cdb import Cdb, cdb_layout, cdb_layout_32
from trioscsi.scsi.command import VARIABLE_LENGTH, Access, Command, decoded
from trioscsi.scsi.complaints import miscompare
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Done, Failed, Procedure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trioscsi.scsi.cdb import CdbLayout
    from trioscsi.scsi.command import Perform
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage

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
        # What the initiator did not send cannot be compared, nor many blocks with a part of one.
        if self.compare == "one block":
            data = memoryview(bytes(whole_blocks(data, self.data_out)) * self.blocks)
        different = None if self.compare is None else first_difference(found, data)
        return Done() if different is None else Failed(miscompare(different))


@attrs.define
class WriteAndVerify(Procedure):
    """Write the data from ``lba`` on, durably, and read the ``blocks`` back.

    ``compare``: what is read must be what was written. Nobody else may write in between.
    """

    lba: int
    blocks: int
    compare: bool
    data_out: int

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        block_size = self.data_out // self.blocks
        written = whole_blocks(data, block_size)
        blocks = len(written) // block_size
        if not blocks:
            return Done()
        async with storage.exclusive(self.lba, blocks) as alone:
            await alone.write(self.lba, written)
            await alone.flush()
            found = memoryview(await alone.read(self.lba, blocks))
            different = first_difference(found, written) if self.compare else None
        return Done() if different is None else Failed(miscompare(different))


@decoded
def verify(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """VERIFY of all lengths."""
    if cdb["bytchk"] not in _COMPARE:
        raise cdb.refusal("bytchk")
    lba, blocks = blocks_of(unit, cdb, "verification_length")
    unit.counters.verified(blocks)
    if not blocks:
        return Done()
    compare = _COMPARE[cdb["bytchk"]]
    sent = {None: 0, "blocks": blocks, "one block": 1}[compare]
    return Verify(lba, blocks, compare, sent * unit.block_size)


@decoded
def write_and_verify(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """WRITE AND VERIFY of all lengths; one block cannot stand for all that were written."""
    if cdb["bytchk"] not in (0b00, 0b01):
        raise cdb.refusal("bytchk")
    lba, blocks = blocks_to_write(unit, cdb, "transfer_length")
    unit.counters.wrote(blocks)
    unit.counters.verified(blocks)
    if not blocks:
        return Done()
    return WriteAndVerify(lba, blocks, cdb["bytchk"] == 0b01, blocks * unit.block_size)


def _layouts(protect: str, length: str) -> dict[int, CdbLayout]:
    """The CDBs of 10, 12, 16 and 32 bytes, which differ in the names of two fields only."""
    zero, flags = {protect: bits(1, 7, 5)}, {"dpo": bits(1, 4), "bytchk": bits(1, 2, 1)}
    near, far = {"logical_block_address": span(2, 5)}, {"logical_block_address": span(2, 9)}
    return {
        10: cdb_layout(10, zero, GROUP_10, **flags, **near, **{length: span(7, 8)}),
        12: cdb_layout(12, zero, GROUP_12, **flags, **near, **{length: span(6, 9)}),
        16: cdb_layout(16, zero, GROUP_16, **flags, **far, **{length: span(10, 13)}),
        32: cdb_layout_32(
            {protect: bits(10, 7, 5)},
            EXPECTED_TAGS,
            dpo=bits(10, 4),
            bytchk=bits(10, 2, 1),
            logical_block_address=span(12, 19),
            **{length: span(28, 31)},
        ),
    }


VERIFY = _layouts("vrprotect", "verification_length")
WRITE_AND_VERIFY = _layouts("wrprotect", "transfer_length")


def _commands(
    name: str,
    layouts: dict[int, CdbLayout],
    perform: Callable[[CdbLayout], Perform],
    access: Access,
    opcodes: dict[int, tuple[int, int | None]],
) -> Iterator[Command]:
    """The rows of one command: ``opcodes`` are those of each length, with the service action."""
    for length, (opcode, service_action) in opcodes.items():
        yield Command(
            opcode,
            f"{name}({length})",
            layouts[length],
            perform,
            service_action=service_action,
            medium=True,
            access=access,
        )


COMMANDS = (
    *_commands(
        "VERIFY",
        VERIFY,
        verify,
        Access.READ,
        {10: (0x2F, None), 12: (0xAF, None), 16: (0x8F, None), 32: (VARIABLE_LENGTH, 0x0A)},
    ),
    *_commands(
        "WRITE AND VERIFY",
        WRITE_AND_VERIFY,
        write_and_verify,
        Access.WRITE,
        {10: (0x2E, None), 12: (0xAE, None), 16: (0x8E, None), 32: (VARIABLE_LENGTH, 0x0C)},
    ),
)
