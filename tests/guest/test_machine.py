"""What is left of a guest when nobody is there to end it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.guest.conftest import wait_for

pytestmark = pytest.mark.guest

BOOT = """
import os, signal, sys
from pathlib import Path
from trioscsi.conformance.drivers.guest.machine import Guest

guest = Guest(Path(sys.argv[1]), Path(sys.argv[2]))
assert guest.must("echo here") == "here"
os.kill(os.getpid(), signal.SIGKILL)
"""


def processes(folder: Path) -> list[str]:
    """The processes that are told of this folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        if str(folder).encode() in line:
            found.append(line.decode(errors="replace"))
    return found


def test_a_guest_ends_with_its_network_when_whoever_has_booted_it_is_killed(
    image: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", BOOT, str(image), str(tmp_path)]
    assert subprocess.run(command, check=False, timeout=120).returncode == -9
    wait_for(lambda: None if processes(tmp_path) else "gone")
