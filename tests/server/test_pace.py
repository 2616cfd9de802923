from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from trioscsi.server.pace import Pace

SECOND = 10 * 512
"""Bytes that pass in a second."""


async def take(pace: Pace, amount: int, unit: int = 512) -> list[int]:
    """The pieces in which so many bytes pass."""
    pieces: list[int] = []
    while sum(pieces) < amount:
        pieces.append(await pace.ration(amount - sum(pieces), unit))
    return pieces


async def test_without_a_rate_nothing_waits(autojump_clock: MockClock) -> None:
    assert await take(Pace(), 1 << 40) == [1 << 40]
    assert trio.current_time() == 0


async def test_what_passes_takes_its_time(autojump_clock: MockClock) -> None:
    pace = Pace(SECOND)
    assert await take(pace, SECOND) == [2 * 512] * 5
    await pace.ration(512, 512)
    assert trio.current_time() == 1


async def test_a_unit_passes_at_once_however_slow_the_pace(autojump_clock: MockClock) -> None:
    pace = Pace(1)
    assert await pace.ration(1024, 512) == 512
    assert trio.current_time() == 0
    assert await pace.ration(512, 512) == 512
    assert trio.current_time() == 512


async def test_time_that_was_not_used_is_not_made_up_for(autojump_clock: MockClock) -> None:
    pace = Pace(SECOND)
    await pace.ration(1024, 512)
    await trio.sleep(10)
    await take(pace, SECOND)
    await pace.ration(512, 512)
    assert trio.current_time() == pytest.approx(11)


async def test_all_share_one_pace(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    pace = Pace(SECOND)
    ended: list[float] = []

    async def work() -> None:
        await take(pace, SECOND)
        ended.append(trio.current_time())

    async with trio.open_nursery() as both:
        both.start_soon(work)
        both.start_soon(work)
    assert ended == pytest.approx([1.6, 1.8])  # the last pieces of ten begin then


async def test_who_is_told_to_stop_does_not_wait_on(autojump_clock: MockClock) -> None:
    pace = Pace(1)
    await pace.ration(512, 512)
    with trio.move_on_after(1) as scope:
        await pace.ration(512, 512)
    assert scope.cancelled_caught
    assert trio.current_time() == 1


@given(
    st.integers(1, 1 << 40),
    st.lists(st.tuples(st.integers(1, 1 << 20), st.sampled_from([512, 4096])), max_size=20),
)
@settings(max_examples=50, deadline=None)
def test_never_more_passes_than_the_rate_allows(rate: int, wanted: list[tuple[int, int]]) -> None:
    async def run() -> None:
        pace, start, passed = Pace(rate), trio.current_time(), 0
        for units, unit in wanted:
            amount = await pace.ration(units * unit, unit)
            # What has passed before has taken its time.
            assert passed <= (trio.current_time() - start) * rate * (1 + 1e-9) + 1e-3
            assert 0 < amount <= units * unit
            assert amount % unit == 0
            assert amount == unit or amount <= rate / 4
            passed += amount

    trio.run(run, clock=MockClock(autojump_threshold=0))
