"""Other people's programs, run with a time limit."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

import pytest

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

required = False
"""Whether every program has to be there: set by the option ``--require-tools``."""


def tool(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails: see ``required``."""
    path = shutil.which(name, path=_PATH)
    if path is not None:
        return path
    if required:
        pytest.fail(f"{name} is not installed, and --require-tools was given")
    pytest.skip(f"{name} is not installed")


def run(
    *command: str,
    timeout: float = 60,
    environment: Mapping[str, str] | None = None,
    status: int = 0,
    given: bytes = b"",
) -> str:
    """What a program prints, standard error included, when it is ``given`` this to read.

    It has to end as expected, and in time.
    """
    done = subprocess.run(
        [tool(command[0]), *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        input=given,
        timeout=timeout,
        # A copy of ours: pytest changes it at each test, perhaps just now, if this is in a thread.
        env=dict(os.environ) if environment is None else environment,
        check=False,
    )
    output = done.stdout.decode(errors="replace")
    assert done.returncode == status, f"{command[0]} ended with {done.returncode}:\n{output}"
    return output
