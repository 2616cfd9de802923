"""Disks by URL: ``memory:1GiB``, ``disk.img``, ``slow+file:/srv/disk.img?read_ms=20``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

import attrs

from trioscsi.backends.base import BlockDevice
from trioscsi.backends.file import FileDisk
from trioscsi.backends.memory import MemoryDisk
from trioscsi.backends.sizes import parse_size
from trioscsi.backends.synthetic import NullDisk, PatternDisk
from trioscsi.backends.thin import Thin
from trioscsi.backends.wrappers import CD_BLOCK_SIZE, CdRom, Failing, ReadOnly, Slow
from trioscsi.errors import UsageError

_URL = re.compile(r"([a-z][a-z0-9+]*):(.*)", re.IGNORECASE | re.DOTALL)

Converters: TypeAlias = Mapping[str, Callable[[str], Any]]


@attrs.frozen
class Kind:
    """What one word before the colon makes, and the options that it takes after the ``?``."""

    make: Callable[..., BlockDevice]
    """Called with what follows the colon (a wrapper: with the disk below), and the options."""
    options: Converters = attrs.field(factory=dict)
    """How to read the value of each option; a ValueError refuses it."""

    def take(self, options: dict[str, str]) -> dict[str, Any]:
        """Remove our options and return their values; raises `UsageError` for a bad one."""
        taken = {}
        for name in self.options.keys() & options.keys():
            try:
                taken[name] = self.options[name](options.pop(name))
            except UsageError:
                raise
            except ValueError as error:
                raise UsageError(f"the option {name} is not possible: {error}") from None
        return taken


def open_disk(
    text: str,
    *,
    block_size: int = 512,
    physical_block_size: int | None = None,
    read_only: bool = False,
) -> BlockDevice:
    """The disk that a path or a URL describes.

    ``block_size`` and ``physical_block_size`` are for URLs that do not say; ``read_only`` protects
    a disk that does not itself. A file whose name ends with ``.iso`` becomes a CD-ROM.

    Raises `UsageError` for what is written wrongly or cannot be used, `BackendError` if storage
    fails.
    """
    words, rest, options = _split(text)
    kind = _look_up(words[-1], SCHEMES, "scheme")
    if words[-1] in ("file", "path") and rest.lower().endswith(".iso") and "cdrom" not in words:
        words.insert(-1, "cdrom")
    if "cdrom" in words:
        block_size, physical_block_size = CD_BLOCK_SIZE, None
    around = [_look_up(word, WRAPPERS, "wrapper") for word in words[:-1]]
    if read_only and "readonly" not in words:
        around.insert(0, WRAPPERS["readonly"])
    arguments = [each.take(options) for each in (kind, *around)]
    if options:
        known = sorted(name for each in (kind, *around) for name in each.options)
        raise UsageError(f"{text}: no option {next(iter(options))}, only {', '.join(known)}")
    arguments[0].setdefault("block_size", block_size)
    arguments[0].setdefault("physical_block_size", physical_block_size)
    if any(each in around for each in _PROTECTING) and "read_only" in kind.options:
        arguments[0]["read_only"] = True
    disk = kind.make(rest, **arguments[0])
    for wrapper, values in reversed(list(zip(around, arguments[1:], strict=True))):
        disk = wrapper.make(disk, **values)
    return disk


def _split(text: str) -> tuple[list[str], str, dict[str, str]]:
    rest, _, query = text.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise UsageError(f"{text}: write options as ?size=1GiB&block_size=4096") from None
    options = dict(pairs)
    if len(options) < len(pairs):
        raise UsageError(f"{text}: an option is given twice")
    if match := _URL.fullmatch(rest):
        return match[1].lower().split("+"), match[2], options
    return ["path"], rest, options


def _look_up(word: str, table: Mapping[str, Kind], what: str) -> Kind:
    if word in table:
        return table[word]
    raise UsageError(
        f"no {what} {word!r}, only {', '.join(sorted(table))} (a file of that name: ./{word}:...)"
    )


def _open_file(rest: str, **options: Any) -> BlockDevice:
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise UsageError(f"a file on another host, {host!r}; for one here: file:{host}/{path}")
        rest = slash + path
    return _open_path(unquote(rest), **options)


def _open_path(path: str, **options: Any) -> BlockDevice:
    if not path:
        raise UsageError("the name of the file is missing: write file:disk.img")
    return FileDisk(path, **options)


def _make_thin(disk: BlockDevice, *, pool: int | None = None) -> BlockDevice:
    if pool is None:
        raise UsageError("how much a thin disk may take is missing: write ?pool=10GiB")
    return Thin(disk, pool=pool)


def parse_ranges(text: str) -> tuple[range, ...]:
    """LBAs as in ``0-99,4711``, or ``all``; raises `UsageError`."""
    if text == "all":
        return (range(2**63),)
    if not re.fullmatch(r"\d{1,18}(-\d{1,18})?(,\d{1,18}(-\d{1,18})?)*", text, re.ASCII):
        raise UsageError(f"{text!r} are not LBAs: write all, or 0-99,4711")
    bounds = (part.partition("-") for part in text.split(","))
    ranges = tuple(range(int(first), int(last or first) + 1) for first, _, last in bounds)
    if not all(ranges):
        raise UsageError(f"{text!r} has a range that ends before it begins")
    return ranges


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(f"{text} is less than none")
    return number


def _milliseconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise ValueError(f"{text} ms")
    return number


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("1", "yes", "true", "0", "no", "false", ""):
        raise ValueError(f"{text!r} is neither yes nor no")
    return text.lower() not in ("0", "no", "false")


_SIZED: Converters = {"block_size": int, "physical_block_size": int}
_FILE: Converters = {**_SIZED, "size": parse_size, "read_only": _yes_or_no}

SCHEMES: dict[str, Kind] = {
    "file": Kind(_open_file, _FILE),
    "memory": Kind(MemoryDisk, _SIZED),
    "null": Kind(NullDisk, _SIZED),
    "path": Kind(_open_path, _FILE),
    "pattern": Kind(PatternDisk, _SIZED),
}
"""The disks, by the last word before the colon; ``path`` stands for text without one."""

WRAPPERS: dict[str, Kind] = {
    "cdrom": Kind(CdRom),
    "failing": Kind(
        Failing,
        {"read": parse_ranges, "write": parse_ranges, "flush": _yes_or_no, "after": _count},
    ),
    "readonly": Kind(ReadOnly),
    "slow": Kind(Slow, dict.fromkeys(("read_ms", "write_ms", "flush_ms"), _milliseconds)),
    "thin": Kind(_make_thin, {"pool": parse_size}),
}
"""The wrappers, by the words before that, the outermost first: ``readonly+slow+memory:1GiB``."""

_PROTECTING = (WRAPPERS["cdrom"], WRAPPERS["readonly"])
