"""Three units of one target with their blocks, and parameter lists for copies between them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from random import Random
from typing import Any

import attrs

from tests.scsi.store import Blocks
from trioscsi.scsi import LogicalUnit, Nexus, Outcome, Plan, ScsiTarget
from trioscsi.scsi.copy.descriptors import (
    BLOCK_TO_BLOCK,
    BLOCK_TO_BLOCK_WITH_OFFSETS,
    IDENTIFICATION,
    TARGET_DESCRIPTOR,
    VERIFY,
    Kind,
)
from trioscsi.scsi.copy.offload import POPULATE_LIST, RANGE, WRITE_LIST
from trioscsi.scsi.copy.parameters import LID1, LID4
from trioscsi.scsi.inquiry.designation import designators
from trioscsi.scsi.nexus import Everything, View

NAME = "iqn.2026-11.example:disk"
BLOCK_SIZES = (512, 4096, 512)
BLOCKS = (1000, 200, 1000)


@attrs.define
class World:
    """The units are LUN 0 and 2 with blocks of 512 bytes, and LUN 1 with blocks of 4096."""

    now: float = 0.0
    secret: int = 0
    target: ScsiTarget = attrs.field(init=False)
    nexus: Nexus = attrs.field(init=False)
    disks: dict[int, Blocks] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        units = [
            LogicalUnit(
                number,
                target_name=NAME,
                block_size=block_size,
                blocks=blocks,
                clock=lambda: self.now,
                random=self.random,
            )
            for number, (block_size, blocks) in enumerate(zip(BLOCK_SIZES, BLOCKS, strict=True))
        ]
        self.target = ScsiTarget(NAME, units)
        self.disks = {unit.number: Blocks(unit) for unit in units}
        for disk in self.disks.values():
            disk.others = self.disks
            disk.data[:] = pattern(len(disk.data), disk.unit.number)
            disk.mapped.update(range(disk.unit.blocks))
        self.nexus = self.attach("initiator")

    def random(self, count: int) -> bytes:
        """Bytes that are never the same."""
        self.secret += 1
        return self.secret.to_bytes(count, "big")

    def attach(self, name: str, view: View | None = None) -> Nexus:
        """A nexus that has heard of all that was."""
        nexus = Nexus(name, "port", view=view or Everything())
        self.target.attach(nexus)
        nexus.pending.clear()
        return nexus

    def plan(self, cdb: bytes, *, lun: int = 0, nexus: Nexus | None = None) -> Plan:
        """The plan for a command."""
        return self.target.execute(lun, cdb.ljust(16, b"\0"), nexus or self.nexus)

    def do(
        self, cdb: bytes, data: bytes = b"", *, lun: int = 0, nexus: Nexus | None = None
    ) -> Outcome:
        """How a command ends."""
        return self.disks[lun].perform(self.plan(cdb, lun=lun, nexus=nexus), data)

    def copy(self, data: bytes, *, action: int = 0, **where: Any) -> Outcome:
        """EXTENDED COPY with this parameter list."""
        return self.do(out(action, len(data)), data, **where)

    def named(self, *luns: int, **fields: int) -> bytes:
        """The target descriptors that name these units."""
        return b"".join(name(self.target.units[lun], **fields) for lun in luns)


@cache
def pattern(length: int, seed: int) -> bytes:
    """Bytes of which no two blocks are alike."""
    return Random(seed).randbytes(length)


def name(unit: LogicalUnit, which: int = 0, **fields: int) -> bytes:
    """A target descriptor that names a unit by one of its designators."""
    record = bytearray(TARGET_DESCRIPTOR.encode(descriptor_type_code=IDENTIFICATION, **fields))
    designator = designators(unit)[which]
    record[4 : 4 + len(designator)] = designator
    return bytes(record[:32])


def out(action: int, length: int, list_id: int = 0) -> bytes:
    """A CDB of 83h."""
    head = bytes((0x83, action)) + bytes(4) + list_id.to_bytes(4, "big")
    return head + length.to_bytes(4, "big") + bytes(2)


def receive(action: int, list_id: int = 0, length: int = 4096) -> bytes:
    """A CDB of 84h."""
    width = 1 if action < 5 else 4
    identifier = list_id.to_bytes(width, "big").ljust(8, b"\0")
    return bytes((0x84, action)) + identifier + length.to_bytes(4, "big") + bytes(2)


def blocks(
    count: int,
    read: int = 0,
    write: int = 0,
    *,
    between: tuple[int, int] = (0, 1),
    kind: Kind = Kind.BLOCK_TO_BLOCK,
    **fields: int,
) -> bytes:
    """A segment descriptor that copies blocks, from one index to another."""
    return BLOCK_TO_BLOCK.encode(
        descriptor_type_code=kind,
        descriptor_length=24,
        source_target_descriptor_index=between[0],
        destination_target_descriptor_index=between[1],
        block_device_number_of_blocks=count,
        source_block_device_logical_block_address=read,
        destination_block_device_logical_block_address=write,
        **fields,
    )


def some(
    count: int,
    read: tuple[int, int],
    write: tuple[int, int],
    between: tuple[int, int] = (0, 1),
    **fields: int,
) -> bytes:
    """A segment descriptor that copies bytes; places are a block and an offset in it."""
    return BLOCK_TO_BLOCK_WITH_OFFSETS.encode(
        descriptor_type_code=Kind.BLOCK_TO_BLOCK_WITH_OFFSETS,
        descriptor_length=28,
        source_target_descriptor_index=between[0],
        destination_target_descriptor_index=between[1],
        number_of_bytes=count,
        source_block_device_logical_block_address=read[0],
        source_block_device_byte_offset=read[1],
        destination_block_device_logical_block_address=write[0],
        destination_block_device_byte_offset=write[1],
        **fields,
    )


def verify(index: int = 0, *, tur: bool = True) -> bytes:
    """A segment descriptor that looks whether a unit is ready."""
    return VERIFY.encode(
        descriptor_type_code=Kind.VERIFY,
        descriptor_length=8,
        source_target_descriptor_index=index,
        tur=tur,
    )


def lid1(targets: bytes, segments: bytes, list_id: int = 1, **fields: int) -> bytes:
    """A parameter list of EXTENDED COPY(LID1)."""
    values = {
        "list_identifier": list_id,
        "target_descriptor_list_length": len(targets),
        "segment_descriptor_list_length": len(segments),
    }
    return LID1.encode(**values | fields) + targets + segments


def lid4(targets: bytes, segments: bytes, list_id: int = 1, **fields: int) -> bytes:
    """A parameter list of EXTENDED COPY(LID4)."""
    values = {
        "parameter_list_format": 1,
        "header_target_descriptor_list_length": 0x20,
        "header_target_descriptor_type_code": 0xFF,
        "list_identifier": list_id,
        "target_descriptor_list_length": len(targets),
        "segment_descriptor_list_length": len(segments),
    }
    return LID4.encode(**values | fields) + targets + segments


def ranges(places: Iterable[tuple[int, int]]) -> bytes:
    """Block device range descriptors."""
    return b"".join(
        RANGE.encode(logical_block_address=lba, number_of_logical_blocks=count)
        for lba, count in places
    )


def populate(*places: tuple[int, int], **fields: int) -> bytes:
    """A parameter list of POPULATE TOKEN."""
    listed = ranges(places)
    values = {
        "populate_token_data_length": 14 + len(listed),
        "block_device_range_descriptor_length": len(listed),
    }
    return POPULATE_LIST.encode(**values | fields) + listed


def write_using(token: bytes, *places: tuple[int, int], **fields: int) -> bytes:
    """A parameter list of WRITE USING TOKEN."""
    listed = ranges(places)
    values = {
        "write_using_token_data_length": 534 + len(listed),
        "rod_token": int.from_bytes(token, "big"),
        "block_device_range_descriptor_length": len(listed),
    }
    return WRITE_LIST.encode(**values | fields) + listed
