"""What was acknowledged before a SYNCHRONIZE CACHE is in the file, whatever comes after."""

from __future__ import annotations

from pathlib import Path
from random import Random

import trio

from tests.interop.restarts import Restarts
from tests.interop.writer import BLOCK, Writer
from trioscsi import FileDisk

ROUNDS = 20
BLOCKS = 64
"""Blocks of one write: it goes as immediate data."""
PLACES = 64
"""Places on the disk that writes go to."""


def test_a_killed_server_has_kept_what_was_synchronized(tmp_path: Path) -> None:
    random = Random(4711)
    disk = tmp_path / "disk"
    size = PLACES * BLOCKS * BLOCK
    kept = bytearray(size)
    with Restarts(tmp_path, f"file:{disk}?size={size}") as server:
        for _ in range(ROUNDS):
            places = random.sample(range(PLACES), 32)
            synchronized, loose = places[:16], places[16:]
            with Writer(server.start()) as writer:
                writer.command(bytes(6))  # TEST UNIT READY takes the unit attention away
                writer.receive()
                for place in synchronized:
                    data = random.randbytes(BLOCKS * BLOCK)
                    writer.write(place * BLOCKS, data)
                    kept[place * len(data) : (place + 1) * len(data)] = data
                writer.wait_for_good_status(len(synchronized))
                writer.synchronize()
                writer.wait_for_good_status(1)
                for place in loose:
                    writer.write(place * BLOCKS, random.randbytes(BLOCKS * BLOCK))
                server.kill()
            recovered(disk)
            found = disk.read_bytes()
            for place in range(PLACES):
                part = slice(place * BLOCKS * BLOCK, (place + 1) * BLOCKS * BLOCK)
                if place in loose:
                    kept[part] = found[part]  # it may be old, new, or something of both
                assert found[part] == kept[part], f"place {place}"


def test_a_killed_server_has_done_all_of_an_atomic_write_or_nothing(tmp_path: Path) -> None:
    random = Random(4712)
    disk = tmp_path / "disk"
    length = BLOCKS * BLOCK
    with Restarts(tmp_path, f"file:{disk}?size={PLACES * length}") as server:
        for _ in range(5):
            with Writer(server.start()) as writer:
                writer.command(bytes(6))
                writer.receive()
                for number in range(48):
                    # In the midst of a physical block, so that it is not written at once anyway.
                    place = random.randrange(PLACES - 1) * BLOCKS + 3
                    writer.write_atomically(place, random.randbytes(1) * length)
                    if number % 8 == 0:
                        writer.wait_for_good_status(1)
                server.kill()
            recovered(disk)
            found = disk.read_bytes()
            for place in range(PLACES - 1):
                start = (place * BLOCKS + 3) * BLOCK
                assert len(set(found[start : start + length])) == 1, f"place {place}"


def recovered(path: Path) -> None:
    """Open a disk and close it, as the next server does: once nothing is under way any more."""
    trio.run(FileDisk(path).close)
