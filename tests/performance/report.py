"""The table on the terminal, and the JSON file."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.performance.cells import Wanted
from tests.performance.figures import Change, Result
from tests.performance.servers import ECHO, NULL, PEER, Tgt
from tests.performance.special import Special

_COLUMNS = (
    "server", "IOPS", "MB/s", "p50 us", "p99 us", "CPU us", "cores",
    "x tgt", "rounds", "CPU", "x null", "CPU", "x TCP", "CPU",
)  # fmt: skip
OURS = ("memory", "file")


def table(results: Sequence[Result]) -> Table:
    """A block of lines for each cell; a promise that is kept is green, one that is not is red."""
    shown = Table(
        title="x: throughput to; CPU: of the server, an operation; medians of the rounds\n"
        "cores: kept busy by server and client + by everything else (which disturbs)"
    )
    shown.add_column("cell (sessions x depth)", no_wrap=True)
    for name in _COLUMNS:
        shown.add_column(name, justify="left" if name == "server" else "right", no_wrap=True)
    for result in results:
        for number, unit in enumerate(result.samples):
            shown.add_row(
                _title(result)[number] if number < 2 else "",
                unit,
                *_figures(result, unit),
                *_ratios(result, unit),
                end_section=number == len(result.samples) - 1,
            )
    return shown


def _title(result: Result) -> tuple[str, str]:
    wanted = result.cell.wanted
    goal = f"  wanted {wanted.throughput:g}x, CPU {wanted.cpu:g}x" if wanted else ""
    return result.cell.name, f"[dim]{goal}[/]"


def _figures(result: Result, unit: str) -> list[str]:
    return [
        f"{result.middle(unit, 'iops'):,.0f}",
        f"{result.megabytes(unit):,.0f}",
        f"{result.middle(unit, 'p50_us'):,.0f}",
        f"{result.middle(unit, 'p99_us'):,.0f}",
        f"{result.middle(unit, 'server_cpu_us'):,.1f}",
        f"{result.middle(unit, 'cores'):.1f}[dim]+{result.middle(unit, 'others'):.1f}[/]",
    ]


def _ratios(result: Result, unit: str) -> list[str]:
    cells: list[str] = []
    wanted = result.cell.wanted if unit in OURS else None
    for other in (PEER, NULL, ECHO):
        if unit == other:
            cells += ["", "", ""] if other == PEER else ["", ""]
            continue
        judged = wanted if other == PEER else None
        pair = _pair(result.throughput_to(unit, other), result.cpu_to(unit, other), judged)
        cells += [pair[0], _spread(result, unit), pair[1]] if other == PEER else pair
    return cells


def _spread(result: Result, unit: str) -> str:
    spread = result.spread(unit, PEER)
    return f"[dim]{spread[0]:.1f}-{spread[1]:.1f}[/]" if spread else ""


def _pair(throughput: float | None, cpu: float | None, wanted: Wanted | None) -> list[str]:
    shown = ["" if ratio is None else f"{ratio:.2f}" for ratio in (throughput, cpu)]
    if wanted and throughput is not None and cpu is not None:
        kept = (throughput >= wanted.throughput, cpu <= wanted.cpu)
        shown = [
            f"[{'green' if good else 'red'}]{text}[/]"
            for text, good in zip(shown, kept, strict=True)
        ]
    return shown


def special_table(specials: Sequence[Special]) -> Table:
    """The measurements that are no cells: one line each, one column a server."""
    servers = list(dict.fromkeys(name for special in specials for name in special.values))
    shown = Table(title="besides")
    shown.add_column("figure")
    for name in servers:
        shown.add_column(name, justify="right")
    shown.add_column("wanted", justify="right")
    for special in specials:
        values = [
            f"{special.values[name]:,.2f}" if name in special.values else "" for name in servers
        ]
        wanted = "" if special.wanted is None else f"<= {special.wanted:g}"
        shown.add_row(f"{special.name}, {special.unit}", *values, wanted)
    return shown


def change_table(changes: Sequence[Change]) -> Table:
    """What has changed by a tenth or more, the worst first."""
    shown = Table(title="changed by a tenth or more; red: for the worse")
    for name in ("cell", "unit", "figure", "old", "new", "new/old"):
        shown.add_column(name)
    notable = [change for change in changes if change.fell or not 0.9 < change.ratio < 1 / 0.9]
    for change in sorted(notable, key=lambda change: not change.fell):
        shown.add_row(
            change.cell,
            change.unit,
            change.figure,
            f"{change.old:.4g}",
            f"{change.new:.4g}",
            f"[{'red' if change.fell else 'green'}]{change.ratio:.2f}[/]",
        )
    return shown


def as_json(
    results: Sequence[Result],
    specials: Sequence[Special],
    arguments: dict[str, Any],
    facts: dict[str, Any],
) -> dict[str, Any]:
    """All that was found, with where (`machine`), when and at which commit."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _output("git", "rev-parse", "HEAD"),
        "changed": bool(_output("git", "status", "--porcelain", "trioscsi")),
        "arguments": arguments,
        "machine": facts,
        "cells": {result.cell.name: result.as_json() for result in results},
        "special": {special.name: {"unit": special.unit, **special.values} for special in specials},
    }


def write_json(path: Path, found: dict[str, Any]) -> None:
    """Write the figures so that another run can be compared with them."""
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def conditions(facts: dict[str, Any]) -> str:
    """One line about the machine, with a warning if it has other things to do."""
    text = (
        f"{facts['cpus']} x {facts['cpu']}, Linux {facts['kernel']}, Python {facts['python']},"
        f" trio {facts['packages']['trio']}, tgt {facts['tgt'] or 'none'}"
    )
    if facts["load"] > facts["cpus"] / 4:
        text += f"; the load was {facts['load']:.1f} before: trust the ratios only"
    return text


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("trio", "attrs", "automat", "crc32c")},
        "tgt": Tgt.version(),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return ""
    return done.stdout.strip()
