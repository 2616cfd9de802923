"""Which transitions the stateful tests have taken, for the summary of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from tests.transitions import TransitionCounter
from trioscsi.protocol import Task, bursts, full_feature

COVERED = TransitionCounter()

MACHINES = (
    "connection",
    "cleanup",
    "session",
    "login",
    "text",
    "full_feature",
    "logout",
    "task",
    "transfer",
)
"""Those of a target."""


def _task(*args: Any) -> Task:
    task = Task(*args)
    task.machine.watcher = COVERED
    return task


def _sequence(start: int, end: int) -> bursts.Sequence:
    sequence = _Sequence(start, end)
    sequence.machine.watcher = COVERED
    return sequence


_Sequence = bursts.Sequence


@contextmanager
def counting() -> Iterator[None]:
    """Count what tasks and transfers do as well: nobody else watches those."""
    with patch.object(full_feature, "Task", _task), patch.object(bursts, "Sequence", _sequence):
        yield
