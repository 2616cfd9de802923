"""``trioscsi`` with one more disk: ``hanging:1MiB`` takes a minute for whatever begins at LBA 0.

``python -m tests.interop.hanging serve hanging:1MiB``
"""

from __future__ import annotations

import time

from trioscsi.backends import BlockDevice, in_thread
from trioscsi.backends.base import Buffer
from trioscsi.backends.sizes import parse_size
from trioscsi.backends.url import SCHEMES, Kind
from trioscsi.cli import main

HANGING = 60


class Hanging:
    """A disk of which a part does not answer, as that of a network file system may."""

    def __init__(self, size: str, block_size: int) -> None:
        self.block_size = block_size
        self.blocks = parse_size(size) // block_size
        self._content = memoryview(bytearray(self.blocks * block_size))

    def read(self, lba: int, blocks: int) -> Buffer:
        """See `SyncDevice.read`."""
        self._hang(lba)
        return self._content[lba * self.block_size : (lba + blocks) * self.block_size]

    def write(self, lba: int, data: Buffer) -> None:
        """See `SyncDevice.write`."""
        self._hang(lba)
        start = lba * self.block_size
        self._content[start : start + len(data)] = data

    def _hang(self, lba: int) -> None:
        if not lba:
            time.sleep(HANGING)


def make(size: str, *, block_size: int, physical_block_size: int | None) -> BlockDevice:
    """Such a disk, in threads."""
    return in_thread(Hanging(size, block_size), width=4)


if __name__ == "__main__":
    SCHEMES["hanging"] = Kind(make, {"block_size": int})
    main()
