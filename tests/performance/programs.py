"""The C programs: built in the run, then run with a time limit."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any, Literal

import attrs

SOURCES = Path(__file__).parent / "client"
PROGRAMS = {
    "driver": (["driver.c", "load.c"], ["-liscsi"]),
    "raw": (["raw.c", "session.c", "link.c", "load.c"], []),
    "echo": (["echo.c", "link.c", "load.c"], []),
}
PATIENCE = 60
"""Seconds that a run may take longer than its load."""

Program = Literal["driver", "raw", "echo"]


class BenchmarkError(Exception):
    """Something cannot be measured; the text says what to do, where that is known."""


@attrs.frozen
class Programs:
    """The built programs, in a folder of their own."""

    folder: Path

    @classmethod
    def build(cls, folder: Path) -> Programs:
        """Compile them with gcc."""
        if shutil.which("gcc") is None:
            raise BenchmarkError("there is no gcc: apt-get install gcc libc6-dev")
        if not any(path.exists() for path in _places_of("iscsi/iscsi.h")):
            raise BenchmarkError("libiscsi's headers are missing: apt-get install libiscsi-dev")
        options = ["-O2", "-Wall"]
        if platform.machine() == "x86_64":
            options.append("-msse4.2")
        for name, (sources, libraries) in PROGRAMS.items():
            files = [str(SOURCES / source) for source in sources]
            command = ["gcc", *options, "-o", str(folder / name), *files, *libraries]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BenchmarkError(f"{name} cannot be compiled:\n{done.stderr}")
        return cls(folder)

    def path(self, program: Program) -> str:
        """Where a program is."""
        return str(self.folder / program)

    def start(self, program: Program, arguments: list[str]) -> subprocess.Popen[str]:
        """Start a program; `result` waits for what it finds."""
        return subprocess.Popen(
            [self.path(program), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, program: Program, arguments: list[str], seconds: float = 0) -> dict[str, Any]:
        """Run a program to its end; ``seconds`` is how long its load takes."""
        return result(self.start(program, arguments), seconds)


def result(process: subprocess.Popen[str], seconds: float = 0) -> dict[str, Any]:
    """What a program printed when it ended."""
    try:
        output, errors = process.communicate(timeout=seconds + PATIENCE)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise BenchmarkError("the client did not end") from error
    if process.returncode:
        raise BenchmarkError(errors.strip() or f"the client ended with {process.returncode}")
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def _places_of(header: str) -> list[Path]:
    folders = os.environ.get("CPATH", "").split(os.pathsep)
    return [Path(folder) / header for folder in (*folders, "/usr/include", "/usr/local/include")]
