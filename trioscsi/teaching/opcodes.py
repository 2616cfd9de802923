"""The commands of a disk as a page to read, from the table in ``specs/scsi/opcodes.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

TABLE, PAGE = "opcodes.toml", "README.md"

_HEAD = """\
# The commands of a disk

{count} commands, in the order of their opcodes and service actions. This page is made of
[opcodes.toml](opcodes.toml), which has the fields of each CDB too, by `trioscsi opcodes --write`.
`CDB` is the length in bytes; `medium`: the unit must have been started; `reserved` is which
reservation of another initiator the command conflicts with: none, that of `RESERVE` alone, those
that keep others from all access (`exclusive access`), or those that keep them from writing as well
(`any`); [reservations.toml](reservations.toml) has it cell by cell.

| opcode | command | CDB | standard | medium | reserved |
|---|---|---|---|---|---|
"""
_RESERVED = {
    "always": "none",
    "condition": "`RESERVE`",
    "persistent": "`RESERVE`",
    "read": "exclusive access",
    "write": "any",
}


def page(table: Path) -> str:
    """The page, from the table; raises OSError if it cannot be read, ValueError if it is none."""
    rows = tomllib.loads(table.read_text(encoding="utf-8")).get("command", [])
    return _HEAD.format(count=len(rows)) + "".join(map(_line, rows))


def _line(row: dict[str, Any]) -> str:
    opcode = f"{row['opcode']:02X}"
    if "service_action" in row:
        opcode += f"/{row['service_action']:02X}"
    medium = "started" if row["medium"] else ""
    reserved = _RESERVED.get(row["access"], row["access"])
    cells = (opcode, row["name"], row["length"], row["standard"], medium, reserved)
    return "| " + " | ".join(map(str, cells)) + " |\n"


def write(folder: Path) -> None:
    """Write the page beside the table in ``folder``."""
    (folder / PAGE).write_text(page(folder / TABLE), encoding="utf-8")


def is_current(folder: Path) -> bool:
    """Whether the page is what ``write`` would write."""
    found = folder / PAGE
    return found.is_file() and found.read_text(encoding="utf-8") == page(folder / TABLE)
