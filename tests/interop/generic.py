"""Programs for Linux's SCSI generic interface, used on the disks of an iSCSI target.

A library that is preloaded lets them take URLs for devices: see ``generic.c``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.interop import tools

SOURCE = Path(__file__).with_name("generic.c")
HEADER = Path("/usr/include/iscsi/iscsi.h")


class Generic:
    """The library, built in a folder."""

    def __init__(self, folder: Path) -> None:
        """Skip the test, or fail it, if it cannot be built: see `tools.tool`."""
        if not HEADER.exists():
            complain = pytest.fail if tools.required else pytest.skip
            complain("libiscsi's headers are not installed (libiscsi-dev)")
        self._library = folder / "generic.so"
        options = ["-Wall", "-Wextra", "-Werror", "-O", "-shared", "-fPIC"]
        tools.run("gcc", *options, "-o", str(self._library), str(SOURCE), "-liscsi", "-ldl")

    def run(self, *command: str, status: int = 0, given: bytes = b"") -> str:
        """What a program prints; it has to end with this status, and in time."""
        environment = {**os.environ, "LD_PRELOAD": str(self._library)}
        return tools.run(*command, environment=environment, status=status, given=given)
