"""The pieces of the server by themselves, in one process and without a socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

from tests.performance.cells import KIB, MIB
from tests.performance.conversation import BATCH, InMemory, read, write
from tests.performance.servers import memory_folder
from trioscsi import FileDisk, MemoryDisk
from trioscsi.backends import Abilities, BlockDevice
from trioscsi.machines.task import machine as task_machine
from trioscsi.pdu import DataIn, Framer, ScsiCommand, encode
from trioscsi.scsi import LogicalUnit, Nexus, ScsiTarget
from trioscsi.teaching.live import Feed
from trioscsi.text import Negotiation, Offer, Side, Stage

REPEATS = 9
SIZE = 4 * KIB

Run = Callable[[], object]


@attrs.frozen
class Piece:
    """Something to time: ``prepare`` is called before each repeat, and returns what is called."""

    name: str
    prepare: Callable[[int], Run]
    """From how often it will be called, what to call."""
    operations: int = 1
    """What one call does, so many times."""
    calls: int = 2000


@attrs.frozen
class Timing:
    """Nanoseconds of one operation."""

    best: float
    middle: float


def measure(piece: Piece, repeats: int = REPEATS) -> Timing:
    """Time a piece; the best repeat is the one that was disturbed least."""
    found = []
    for _ in range(repeats):
        run = piece.prepare(piece.calls)
        start = time.perf_counter_ns()
        for _ in range(piece.calls):
            run()
        found.append((time.perf_counter_ns() - start) / piece.calls / piece.operations)
    return Timing(min(found), median(found))


def run(console: Console, patterns: tuple[str, ...] = ()) -> None:
    """Time all pieces, or those whose names contain one of the patterns."""
    table = Table(title=f"nanoseconds of one operation, {REPEATS} repeats")
    table.add_column("piece")
    for name in ("best", "median"):
        table.add_column(name, justify="right")
    with disks() as opened:
        for piece in pieces(opened):
            if not patterns or any(pattern in piece.name for pattern in patterns):
                timing = measure(piece)
                table.add_row(piece.name, f"{timing.best:,.0f}", f"{timing.middle:,.0f}")
    console.print(table)


@contextmanager
def disks() -> Iterator[dict[str, BlockDevice]]:
    """The disks that are timed."""
    with TemporaryDirectory(prefix="performance-", dir=memory_folder()) as folder:
        yield {
            "memory": MemoryDisk(16 * MIB),
            "file on tmpfs": FileDisk(Path(folder) / "disk", size=16 * MIB),
        }


def pieces(opened: dict[str, BlockDevice]) -> list[Piece]:
    """Everything that can be timed."""
    return [*_codec(), *_machines(), *_others(), *_lives(), *_backends(opened)]


def _always(run: Run) -> Callable[[int], Run]:
    return lambda _: run


def _codec() -> list[Piece]:
    data = bytes(SIZE)
    command = b"".join(map(bytes, encode(read(1, 1, 0, SIZE))))
    answer = DataIn(final=True, has_status=True, itt=1, data=data)
    reads = b"".join(_bytes(read(number, number, 0, SIZE)) for number in range(BATCH))
    writes = b"".join(_bytes(write(number, number, 0, data)) for number in range(BATCH))
    checked = b"".join(
        _bytes(write(number, number, 0, data), digests=True) for number in range(BATCH)
    )
    return [
        Piece("decode a SCSI Command", _always(lambda: ScsiCommand.unpack(command, 0, b""))),
        Piece("encode a Data-In of 4 KiB", _always(lambda: encode(answer))),
        Piece(
            "encode a Data-In of 4 KiB with digests",
            _always(lambda: encode(answer, header_digest=True, data_digest=True)),
        ),
        Piece("frame and decode a READ(10)", _framing(reads), BATCH, 100),
        Piece("frame and decode a WRITE(10) with 4 KiB", _framing(writes), BATCH, 100),
        Piece("the same with digests", _framing(checked, digests=True), BATCH, 100),
    ]


def _bytes(pdu: Any, *, digests: bool = False) -> bytes:
    return b"".join(map(bytes, encode(pdu, header_digest=digests, data_digest=digests)))


def _framing(stream: bytes, *, digests: bool = False) -> Callable[[int], Run]:
    framer = Framer(262_144, header_digest=digests, data_digest=digests)

    def run() -> None:
        framer.receive(stream)
        while framer.next_pdu() is not None:
            pass

    return _always(run)


def _machines() -> list[Piece]:
    def life(start: Callable[[], Any]) -> Run:
        def run() -> None:
            task = start()
            task.arrived_in_order()
            task.finished()

        return run

    return [
        Piece("a task's machine: start and two inputs", _always(life(task_machine.start))),
        Piece(
            "the same by Automat itself",
            _always(life(lambda: task_machine.automat(object()))),
            calls=500,
        ),
    ]


def _others() -> list[Piece]:
    def unit_ready(_: int) -> Run:
        unit = LogicalUnit(0, target_name="iqn.2025-12.local:disk", blocks=2**20)
        target = ScsiTarget("iqn.2025-12.local:disk", [unit])
        nexus = Nexus("initiator", "target")
        target.attach(nexus)
        target.execute(0, bytes(16), nexus)  # hears of the unit attention
        cdb = read(1, 1, 0, SIZE).cdb
        return lambda: target.execute(0, cdb, nexus)

    return [
        Piece("execute READ(10): CDB to plan", unit_ready),
        Piece("negotiate all keys of a login", _always(_negotiate), calls=100),
    ]


def _negotiate() -> None:
    """What libiscsi offers, answered and settled."""
    keys = {
        "HeaderDigest": "None,CRC32C", "DataDigest": "None", "InitialR2T": "No",
        "ImmediateData": "Yes", "MaxBurstLength": "262144", "FirstBurstLength": "262144",
        "MaxRecvDataSegmentLength": "262144", "MaxOutstandingR2T": "1", "MaxConnections": "1",
        "DataPDUInOrder": "Yes", "DataSequenceInOrder": "Yes", "DefaultTime2Wait": "2",
        "DefaultTime2Retain": "0", "ErrorRecoveryLevel": "0", "IFMarker": "No", "OFMarker": "No",
    }  # fmt: skip
    negotiation = Negotiation(Side.TARGET, Offer())
    negotiation.receive(list(keys.items()), Stage.OPERATIONAL)
    negotiation.propose(Stage.OPERATIONAL)
    negotiation.settle()


def _lives() -> list[Piece]:
    def prepare(
        *, writing: bool, digests: bool = False, feed: bool = False, watched: bool = False
    ) -> Callable[[int], Run]:
        def prepared(calls: int) -> Run:
            told = Feed() if feed or watched else None
            conversation = InMemory(MemoryDisk(16 * MIB), digests=digests, feed=told)
            subscription = told.subscribe() if told is not None and watched else None
            if watched:
                # What was saved up to be looked at is used up by these.
                for turn in conversation.turns(BATCH, SIZE, writing=writing):
                    conversation.turn(turn)
            turns = iter(conversation.turns(calls, SIZE, writing=writing))

            def run() -> None:
                conversation.turn(next(turns))
                if subscription is not None:
                    for message in subscription.take():
                        json.dumps(message)

            return run

        return prepared

    name = f"of 4 KiB from bytes to bytes, {BATCH} in a turn"
    return [
        Piece(f"a READ(10) {name}", prepare(writing=False), BATCH, 50),
        Piece(f"a WRITE(10) {name}", prepare(writing=True), BATCH, 50),
        Piece("a READ(10) with digests", prepare(writing=False, digests=True), BATCH, 50),
        Piece("a WRITE(10) with digests", prepare(writing=True, digests=True), BATCH, 50),
        Piece("a READ(10) that could be watched", prepare(writing=False, feed=True), BATCH, 50),
        Piece("a READ(10) that is watched", prepare(writing=False, watched=True), BATCH, 1000),
        Piece("a WRITE(10) that is watched", prepare(writing=True, watched=True), BATCH, 500),
    ]


def _backends(opened: dict[str, BlockDevice]) -> list[Piece]:
    found = []
    for name, disk in opened.items():
        can = Abilities.of(disk)
        for size in (SIZE, 64 * KIB):
            where = f"{name}, {size // KIB} KiB"
            blocks, data = size // disk.block_size, memoryview(bytes(size))
            if (now := can.read_now) is not None:
                found.append(Piece(f"read_now, {where}", _call(now, 0, blocks), calls=500))
            if (put := can.write_now) is not None:
                found.append(Piece(f"write_now, {where}", _call(put, 0, data), calls=500))
    return found


def _call(function: Callable[..., object], *arguments: object) -> Callable[[int], Run]:
    return lambda _: lambda: function(*arguments)
