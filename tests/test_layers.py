"""Imports never point up, and the strangers stay strangers: the map in trioscsi/__init__.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import trioscsi

ROOT = Path(trioscsi.__file__).parent

LAYERS = [
    {"errors", "limits", "serial", "lun", "digits", "utf8", "difference"},
    {"pdu", "text", "scsi", "isns"},
    {"machines"},
    {"protocol", "backends", "capture"},
    {"teaching"},
    {"server", "initiator"},
    {"conformance"},
    {"cli"},
    {"__init__", "__main__"},  # all of it, as users see it
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
STRANGERS = [
    ("pdu", "text", "scsi", "isns"),
    ("protocol", "scsi"),
    ("protocol", "backends", "capture"),
    ("server", "initiator"),
]
WITH_TRIO = {"backends", "server", "cli"}
WITHOUT_IO = {"pdu", "text", "scsi", "isns", "machines", "protocol", "initiator", "conformance"}
WAITING = (
    "initiator/client.py",
    "initiator/driver.py",
    "initiator/carrier.py",
    "conformance/bench/",
    "conformance/drivers/",
)
"""What waits in layers that do not otherwise."""
MODULES = sorted(ROOT.rglob("*.py"))


def waits(path: Path) -> bool:
    """Whether a module is one of those that wait although their layer does not."""
    return str(path.relative_to(ROOT)).startswith(WAITING)


def part_of(path: Path) -> str:
    """The first name of a module below the package: ``pdu`` for trioscsi/pdu/login.py."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


@cache
def imports(path: Path) -> list[str]:
    """The full names of all modules, or names in modules, that a module imports anywhere."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found += (f"{node.module}.{alias.name}" for alias in node.names)
    return found


def own_imports(path: Path) -> Iterator[str]:
    """The parts of this package that a module imports from."""
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package == "trioscsi":
            yield rest.partition(".")[0]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_module_has_its_layer() -> None:
    assert {part_of(path) for path in MODULES} == LEVEL.keys()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_an_import_never_points_up(path: Path) -> None:
    # What is not a part of its own is a public name of the whole package, the highest layer.
    above = {
        other for other in own_imports(path) if LEVEL.get(other, len(LAYERS)) > LEVEL[part_of(path)]
    }
    assert not above


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_strangers_do_not_know_one_another(path: Path) -> None:
    for strangers in STRANGERS:
        if part_of(path) in strangers:
            assert not set(own_imports(path)) & set(strangers) - {part_of(path)}


def test_only_the_layers_that_wait_import_trio() -> None:
    waiting = {
        part_of(path)
        for path in MODULES
        if not waits(path) and any(name.partition(".")[0] == "trio" for name in imports(path))
    }
    assert waiting <= WITH_TRIO


def test_one_file_alone_knows_automat() -> None:
    knowing = [
        path for path in MODULES if any(name.startswith("automat") for name in imports(path))
    ]
    assert knowing == [ROOT / "machines" / "_automat.py"]


def test_what_is_without_input_and_output_has_no_clock_and_no_log() -> None:
    for path in MODULES:
        if not waits(path) and part_of(path) in WITHOUT_IO:
            roots = {name.partition(".")[0] for name in imports(path)}
            assert not roots & {"asyncio", "logging", "random", "socket", "threading", "time"}, path
