"""Where blocks live.

`BlockDevice` says what a backend is; ``examples/own_backend.py`` is one in 25 lines.
"""

from trioscsi.backends.base import (
    Abilities,
    BlockDevice,
    Buffer,
    Extent,
    Space,
)
from trioscsi.backends.file import FileDisk
from trioscsi.backends.memory import MemoryDisk
from trioscsi.backends.sizes import format_size, parse_size
from trioscsi.backends.synthetic import NullDisk, PatternDisk
from trioscsi.backends.thin import Thin
from trioscsi.backends.threads import SyncDevice, in_thread
from trioscsi.backends.url import open_disk
from trioscsi.backends.wrappers import CdRom, Failing, Gone, ReadOnly, Slow, Wrapper, WriteThrough

__all__ = [
    "Abilities",
    "BlockDevice",
    "Buffer",
    "CdRom",
    "Extent",
    "Failing",
    "FileDisk",
    "Gone",
    "MemoryDisk",
    "NullDisk",
    "PatternDisk",
    "ReadOnly",
    "Slow",
    "Space",
    "SyncDevice",
    "Thin",
    "Wrapper",
    "WriteThrough",
    "format_size",
    "in_thread",
    "open_disk",
    "parse_size",
]
