from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

from trioscsi.cli import slices
from trioscsi.cli.slices import SLICE, Scheduling, take_long_slices

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in slices._NUMBERS,
    reason="only Linux is asked for slices",
)


def in_a_thread(step: Callable[[], None]) -> None:
    """Scheduling is that of a thread: here of one that ends with the test."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(step).result()


def test_a_server_asks_for_long_slices_and_for_nothing_else() -> None:
    def step() -> None:
        before = Scheduling.current()
        os.setpriority(os.PRIO_PROCESS, 0, before.nice + 1)
        take_long_slices()
        wanted = attrs.evolve(before, nice=before.nice + 1, slice=before.slice and SLICE)
        assert Scheduling.current() == wanted

    in_a_thread(step)


def test_who_is_scheduled_without_slices_stays_so() -> None:
    def step() -> None:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        before = Scheduling.current()
        take_long_slices()
        assert Scheduling.current() == before

    in_a_thread(step)


def test_a_server_goes_on_where_it_may_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_NUMBERS", {platform.machine(): (10_000, 10_001)})
    with pytest.raises(OSError, match="not implemented"):
        Scheduling.current()
    take_long_slices()


def test_other_systems_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(OSError, match="not on this system"):
        Scheduling.current()
    take_long_slices()
