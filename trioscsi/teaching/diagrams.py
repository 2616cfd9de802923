"""Diagrams of the machines, drawn from the machines: dot, Mermaid and SVG; and the folder of them.

In the folder the headers of all PDUs are, too.  The text is the same at every run, so that the
committed diagrams can be compared with the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from trioscsi.machines import MACHINES, Machine
from trioscsi.teaching import header
from trioscsi.teaching.arrows import Arrow, merged
from trioscsi.teaching.picture import svg

__all__ = ["FORMATS", "different", "dot", "draw", "mermaid", "svg", "write"]


def dot(machine: Machine[Any]) -> str:
    """The machine in the language of Graphviz."""
    lines = [
        f'digraph "{machine.name}" {{',
        f'    label="{machine.name} (RFC 7143 section {machine.section})"',
        '    node [shape=box, style=rounded, fontname="sans-serif"]',
        '    edge [fontname="monospace", fontsize=10]',
    ]
    for state in machine.states:
        tip = f"{state.symbol}: {state.sentence}"
        lines.append(f'    {state.name} [label="{state.symbol}\\n{state.name}", tooltip="{tip}"]')
    for arrow in merged(machine):
        text = "\\l".join(_texts(arrow))
        lines.append(f'    {arrow.source} -> {arrow.target} [label="{text}\\l"]')
    return "\n".join([*lines, "}", ""])


def mermaid(machine: Machine[Any]) -> str:
    """The machine as a Mermaid state diagram, which GitHub draws in Markdown."""
    lines = [f"%% {machine.name} (RFC 7143 section {machine.section})", "stateDiagram-v2"]
    lines += [f"    {state.name}: {state.symbol} {state.name}" for state in machine.states]
    lines.append(f"    [*] --> {machine.initial}")
    lines += [
        f"    {arrow.source} --> {arrow.target}: {'<br>'.join(_texts(arrow))}"
        for arrow in merged(machine)
    ]
    return "\n".join([*lines, ""])


def _texts(arrow: Arrow) -> Iterable[str]:
    """A line for each label: T15 dropped, transport_lost."""
    return (f"{label} {', '.join(causes)}" for label, causes in arrow.causes)


FORMATS: Mapping[str, tuple[Callable[[Machine[Any]], str], str]] = {
    "dot": (dot, "dot"),
    "mermaid": (mermaid, "mmd"),
    "svg": (svg, "svg"),
}
"""How each format is drawn, and the suffix of its files."""


def draw(machine: Machine[Any], form: str) -> str:
    """The machine in one of ``FORMATS``."""
    return FORMATS[form][0](machine)


def _files() -> dict[str, str]:
    machines = {
        f"{machine.name}.{suffix}": drawn(machine)
        for machine in MACHINES.values()
        for drawn, suffix in FORMATS.values()
    }
    return machines | {f"pdus/{name}.svg": header.svg(cls) for name, cls in header.NAMES.items()}


def write(folder: Path) -> None:
    """Write every machine in every format, and every PDU, into ``folder``."""
    for name, text in _files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def different(folder: Path) -> list[str]:
    """The files that are not what ``write`` would write, or lie beside those that it writes."""
    files = _files()
    places = {(folder / name).parent for name in files}
    present = {
        path.relative_to(folder).as_posix()
        for place in places
        if place.is_dir()
        for path in place.iterdir()
        if path.is_file()
    }
    return sorted(
        name
        for name in files.keys() | present
        if name not in files
        or name not in present
        or (folder / name).read_text(encoding="utf-8", errors="replace") != files[name]
    )
