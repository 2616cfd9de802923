"""Sizes as people write them: ``"100MiB"``, ``"1.5T"``, ``"4GB"``."""

from __future__ import annotations

import re

from trioscsi.errors import UsageError

_SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?(?:([KMGTPE])(iB|B)?|B)?", re.IGNORECASE)
_PREFIXES = "KMGTPE"
_PAGE, _LARGEST_PHYSICAL = 4096, 65_536
_LARGEST = 2**63 - 1  # what a file offset can say


def parse_size(size: str | int) -> int:
    """A size in bytes.

    As in truncate(1), and nearly as in qemu-img: ``1G`` and ``1GiB`` are 2**30 bytes, ``1GB`` is
    10**9, a plain number is bytes. Upper and lower case are alike, a fraction is fine if it makes
    whole bytes. Raises `UsageError` for anything else, and for nothing at all.
    """
    if isinstance(size, int):
        number = size
    elif match := _SIZE.fullmatch(size.strip()):
        number = _whole_bytes(size, *match.groups(default=""))
    else:
        raise UsageError(f"{size!r} is not a size: write a number and a unit, such as 100MiB")
    if not 0 < number <= _LARGEST:
        raise UsageError(f"a size of {size} is out of range: 1 byte at least, less than 8 EiB")
    return number


def _whole_bytes(size: str, digits: str, prefix: str, suffix: str) -> int:
    base: int = 1000 if suffix.upper() == "B" else 1024
    power = _PREFIXES.index(prefix.upper()) + 1 if prefix else 0
    unit: int = base**power
    whole, _, fraction = digits.partition(".")
    scale: int = 10 ** len(fraction)
    number, rest = divmod(int(whole + fraction) * unit, scale)
    if rest:
        raise UsageError(f"{size!r} is not a whole number of bytes")
    return number


def format_size(number: int) -> str:
    """The shortest exact way to write ``number`` bytes that `parse_size` reads: ``"1536 MiB"``."""
    power = 0
    while number and number % 1024 == 0 and power < len(_PREFIXES):
        number, power = number // 1024, power + 1
    return f"{number} {_PREFIXES[power - 1]}iB" if power else f"{number} B"


def physical_block(size: int | None, block_size: int) -> int:
    """The physical block size of a disk in the page cache, or the one that is asked for.

    A page, as in most disks too: it is what the system reads before it writes a part of it. Raises
    `UsageError` for a ``size`` that cannot be.
    """
    if size is None:
        return max(_PAGE, block_size)
    if not block_size <= size <= _LARGEST_PHYSICAL or size.bit_count() != 1:
        raise UsageError(
            f"a physical block size of {size} is not possible: take a power of two "
            f"from {block_size} to {_LARGEST_PHYSICAL}"
        )
    return size


def count_blocks(size: int, block_size: int) -> int:
    """How many blocks a disk of ``size`` bytes has; raises `UsageError` if they do not fit."""
    if block_size not in (512, 1024, 2048, 4096):
        raise UsageError(f"a block size of {block_size} is not possible: take 512 or 4096")
    blocks, rest = divmod(size, block_size)
    if rest or not blocks:
        raise UsageError(
            f"{size} bytes are not a multiple of the block size, {block_size}: "
            f"the next one is {(blocks + 1) * block_size}"
        )
    return blocks
