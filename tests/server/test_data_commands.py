"""Whatever two initiators do with blocks, the disk is as a bytearray to which it was done.

The model knows what each command does, and no more: how it is spelled is taken from its layout.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scsi.cdbs import plain
from tests.server.conftest import House
from tests.server.peer import NAME, OTHER_ISID, Answer, Peer
from trioscsi import FileDisk, MemoryDisk, Target
from trioscsi.backends import BlockDevice
from trioscsi.scsi import Status
from trioscsi.scsi.disk import DISK

BLOCKS, MOST = 40, 6
FILLS = (0x00, 0x11, 0x22, 0xFF)
MISCOMPARE, OUT_OF_RANGE, INVALID_FIELD = (0xE, 0x1D00), (0x5, 0x2100), (0x5, 0x2400)
BY_NAME = {command.name: command for command in DISK}

Refused: TypeAlias = tuple[int, int]


@attrs.frozen
class Step:
    """One command: which, where, and what its data are filled with."""

    name: str
    length: int
    lba: int
    blocks: int
    fill: int
    other: int
    """Another fill, where there is a second half, or something that differs."""
    flags: dict[str, int]

    @property
    def spelled(self) -> str:
        """The name in the table of commands."""
        alone = self.name in ("COMPARE AND WRITE", "UNMAP")
        return self.name if alone else f"{self.name}({self.length})"

    def touches(self, other: Step) -> bool:
        """Whether both are about some block."""
        return self.lba < other.lba + other.blocks and other.lba < self.lba + self.blocks


LENGTHS = {
    "READ": (6, 10, 12, 16, 32),
    "WRITE": (6, 10, 12, 16, 32),
    "VERIFY": (10, 12, 16, 32),
    "WRITE AND VERIFY": (10, 12, 16, 32),
    "WRITE SAME": (10, 16, 32),
    "ORWRITE": (16,),
    "WRITE ATOMIC": (16,),
    "COMPARE AND WRITE": (16,),
    "UNMAP": (10,),
    "PRE-FETCH": (10, 16),
    "SYNCHRONIZE CACHE": (10, 16),
}
LENGTH_FIELDS = (
    "transfer_length",
    "verification_length",
    "prefetch_length",
    "number_of_logical_blocks",
)
FLAGS: dict[str, dict[str, tuple[int, ...]]] = {
    "READ": {"dpo": (0, 1), "fua": (0, 1)},
    "WRITE": {"dpo": (0, 1), "fua": (0, 1)},
    "VERIFY": {"dpo": (0, 1), "bytchk": (0b00, 0b01, 0b11)},
    "WRITE AND VERIFY": {"dpo": (0, 1), "bytchk": (0b00, 0b01)},
    "WRITE SAME": {"unmap": (0, 0, 1), "ndob": (0, 0, 1)},
    "ORWRITE": {"dpo": (0, 1), "fua": (0, 1)},
    "WRITE ATOMIC": {"fua": (0, 1), "atomic_boundary": (0, 1, 8)},
    "COMPARE AND WRITE": {"dpo": (0, 1), "fua": (0, 1)},
    "PRE-FETCH": {"immed": (0, 1)},
    "SYNCHRONIZE CACHE": {"immed": (0, 1)},
}


@st.composite
def steps(draw: Callable[..., Any]) -> Step:
    name = draw(st.sampled_from(sorted(LENGTHS)))
    length = draw(st.sampled_from(LENGTHS[name]))
    at_least = 1 if length == 6 else 0  # where zero is another number
    step = Step(
        name,
        length,
        draw(st.integers(0, BLOCKS - 1) | st.integers(0, BLOCKS + 2)),
        draw(st.integers(at_least, MOST)),
        draw(st.sampled_from(FILLS)),
        draw(st.sampled_from(FILLS)),
        {},
    )
    fields = BY_NAME[step.spelled].layout.record.fields
    flags = {
        flag: draw(st.sampled_from(values))
        for flag, values in FLAGS.get(name, {}).items()
        if flag in fields
    }
    return attrs.evolve(step, flags=flags)


@attrs.define
class Model:
    """What the disk holds, and what each command does with it."""

    block_size: int
    content: bytearray = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.content = bytearray(BLOCKS * self.block_size)

    def place(self, step: Step) -> slice:
        """The bytes that a step is about."""
        return slice(step.lba * self.block_size, (step.lba + step.blocks) * self.block_size)

    def data(self, step: Step) -> bytes:
        """What the initiator sends: for two halves, or for a comparison, with the other fill."""
        one, other = (bytes([fill]) * self.block_size for fill in (step.fill, step.other))
        match step.name, step.flags.get("bytchk"):
            case "VERIFY", 0b01:
                return (one * (step.blocks - 1) + other) if step.blocks else b""
            case "VERIFY", 0b11:
                return one if step.blocks else b""
            case (("READ" | "VERIFY" | "PRE-FETCH" | "SYNCHRONIZE CACHE"), _):
                return b""
            case "WRITE SAME", _:
                return b"" if step.flags.get("ndob") else one
            case "COMPARE AND WRITE", _:
                return (
                    (one + other) * step.blocks
                    if step.blocks < 2
                    else (one * step.blocks + other * step.blocks)
                )
            case "UNMAP", _:
                descriptor = step.lba.to_bytes(8, "big") + step.blocks.to_bytes(4, "big") + bytes(4)
                return (22).to_bytes(2, "big") + (16).to_bytes(2, "big") + bytes(4) + descriptor
        return one * step.blocks

    def do(self, step: Step, data: bytes) -> bytes | Refused:
        """What is read, or the sense key and code; the content is then as it is afterwards."""
        if step.lba + (step.blocks or 1) > BLOCKS and not (
            step.name == "UNMAP" and step.lba + step.blocks <= BLOCKS
        ):
            return OUT_OF_RANGE
        place = self.place(step)
        match step.name:
            case "READ":
                return bytes(self.content[place])
            case "WRITE" | "WRITE AND VERIFY" | "WRITE ATOMIC":
                self.content[place] = data
            case "ORWRITE":
                old = self.content[place]
                self.content[place] = bytes(a | b for a, b in zip(old, data, strict=True))
            case "WRITE SAME":
                block = bytes(self.block_size) if step.flags.get("ndob") else data
                if not step.blocks:
                    return INVALID_FIELD
                self.content[place] = block * step.blocks
            case "UNMAP":
                self.content[place] = bytes(step.blocks * self.block_size)
            case "VERIFY" if step.flags["bytchk"]:
                wanted = data * step.blocks if step.flags["bytchk"] == 0b11 else data
                return b"" if self.content[place] == wanted else MISCOMPARE
            case "COMPARE AND WRITE":
                half = len(data) // 2
                if self.content[place] != data[:half]:
                    return MISCOMPARE
                self.content[place] = data[half:]
        return b""


@contextmanager
def memory(block_size: int) -> Iterator[BlockDevice]:
    yield MemoryDisk(BLOCKS * block_size, block_size=block_size)


@contextmanager
def file(block_size: int, parent: str | None = None) -> Iterator[BlockDevice]:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        path = Path(folder) / "disk.img"
        yield FileDisk(path, size=BLOCKS * block_size, block_size=block_size)


Kind: TypeAlias = Callable[[int], AbstractContextManager[BlockDevice]]
KINDS: list[Kind] = [memory, file]
if os.access("/dev/shm", os.W_OK):
    KINDS.append(partial(file, parent="/dev/shm"))


PAIRS = st.lists(st.tuples(steps(), steps()), max_size=25)
of_each_size = pytest.mark.parametrize("block_size", [512, 4096])
of_each_kind = pytest.mark.parametrize("kind", KINDS, ids=["memory", "file", "shm"][: len(KINDS)])


@of_each_size
@of_each_kind
@given(PAIRS)
@settings(max_examples=12, deadline=None)
def test_a_disk_is_a_bytearray_to_two_initiators(
    kind: Kind, block_size: int, pairs: list[tuple[Step, Step]]
) -> None:
    trio.run(compare, kind, block_size, pairs)


@pytest.mark.slow
@of_each_size
@of_each_kind
@given(PAIRS)
@settings(max_examples=40, deadline=None)
def test_a_disk_is_a_bytearray_to_two_initiators_for_long(
    kind: Kind, block_size: int, pairs: list[tuple[Step, Step]]
) -> None:
    trio.run(compare, kind, block_size, pairs)


async def compare(kind: Kind, block_size: int, pairs: list[tuple[Step, Step]]) -> None:
    with kind(block_size) as disk:
        target = Target(NAME, disk)
        model = Model(block_size)
        async with trio.open_nursery() as nursery:
            house = House(nursery, target, patience=30)
            peers = [await house.log_in(), await house.log_in(OTHER_ISID)]
            for pair in pairs:
                await do_both(peers, pair, model)
            whole = Step("READ", 16, 0, BLOCKS, 0, 0, {})
            await do(peers[0], whole, model)
            for peer in peers:
                peer.close()
            nursery.cancel_scope.cancel()
        await target.close()


async def do_both(peers: list[Peer], pair: tuple[Step, Step], model: Model) -> None:
    """Both at the same time, or one after the other if they are about the same blocks."""
    if pair[0].touches(pair[1]):
        for peer, step in zip(peers, pair, strict=True):
            await do(peer, step, model)
    else:
        async with trio.open_nursery() as nursery:
            for peer, step in zip(peers, pair, strict=True):
                nursery.start_soon(do, peer, step, model)


async def do(peer: Peer, step: Step, model: Model) -> None:
    """Let an initiator do a step, and compare its answer with the model's."""
    data = model.data(step)
    expected = model.do(step, data)
    command = BY_NAME[step.spelled]
    values = {
        "logical_block_address": step.lba,
        "parameter_list_length": len(data),
        **dict.fromkeys(LENGTH_FIELDS, step.blocks),
        **step.flags,
    }
    fields = command.layout.record.fields
    cdb = plain(command, **{name: value for name, value in values.items() if name in fields})
    reads = len(expected) if isinstance(expected, bytes) else model.block_size
    answer = await peer.do(cdb, data, reads=reads if step.name == "READ" else 0)
    check(answer, step, expected)


def check(answer: Answer, step: Step, expected: bytes | Refused) -> None:
    if isinstance(expected, tuple):
        assert (answer.status, answer.sense_code) == (Status.CHECK_CONDITION, expected), step
    else:
        met = step.name == "PRE-FETCH"
        assert answer.status == (Status.CONDITION_MET if met else Status.GOOD), (step, answer)
        assert answer.data == expected, step
