from __future__ import annotations

from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, Sequencer, wait_all_tasks_blocked

from trioscsi.server.ranges import Claim, Ranges


async def test_many_share_blocks_at_once() -> None:
    ranges = Ranges()
    async with ranges.hold(0, 8), ranges.hold(4, 8):
        assert not ranges.taken(0, 12)
        assert not ranges.exclusive


async def test_one_has_blocks_for_itself() -> None:
    ranges = Ranges()
    async with ranges.hold(4, 4, exclusive=True):
        assert ranges.exclusive == 1
        assert [ranges.taken(lba, 1) for lba in (3, 4, 7, 8)] == [False, True, True, False]
        async with ranges.hold(8, 4, exclusive=True), ranges.hold(0, 4):
            pass
    assert not ranges.exclusive
    assert not ranges.taken(0, 100)


async def test_nobody_overtakes_a_claim_that_conflicts_with_his(nursery: trio.Nursery) -> None:
    ranges, order, turns = Ranges(), [], Sequencer()

    async def claim(name: str, place: int, lba: int, *, exclusive: bool) -> None:
        async with turns(place):
            nursery.start_soon(hold, name, lba, exclusive)
            await wait_all_tasks_blocked()

    async def hold(name: str, lba: int, exclusive: bool) -> None:
        async with ranges.hold(lba, 4, exclusive=exclusive):
            order.append(name)
            await trio.lowlevel.checkpoint()

    async with ranges.hold(0, 4):
        await claim("alone", 0, 0, exclusive=True)
        await claim("shared", 1, 2, exclusive=False)
        await claim("elsewhere", 2, 8, exclusive=False)
        assert order == ["elsewhere"]
        assert ranges.taken(2, 1)
    await wait_all_tasks_blocked()
    assert order == ["elsewhere", "alone", "shared"]


async def test_who_gives_up_is_in_nobodys_way(autojump_clock: MockClock) -> None:
    ranges = Ranges()
    async with ranges.hold(0, 4):
        with trio.move_on_after(1) as waiting:
            async with ranges.hold(0, 4, exclusive=True):
                raise AssertionError("somebody else has the blocks")
        assert waiting.cancelled_caught
        assert not ranges.exclusive
        async with ranges.hold(0, 4):
            pass


async def test_what_was_given_up_keeps_its_blocks_to_itself(autojump_clock: MockClock) -> None:
    ranges = Ranges()
    async with ranges.hold(0, 4, owner="given up"), ranges.hold(8, 4, owner="not"):
        assert not ranges.taken(0, 12)
        ranges.isolate({"given up"})
        ranges.isolate({"given up"})
        assert ranges.exclusive == 1
        assert [ranges.taken(lba, 4) for lba in (0, 4, 8)] == [True, False, False]
        with trio.move_on_after(1) as waiting:
            async with ranges.hold(3, 1):
                raise AssertionError("it has not let go")
        assert waiting.cancelled_caught
    async with ranges.hold(3, 1):
        assert not ranges.exclusive


async def test_who_waits_already_waits_for_what_is_given_up_before_it(
    nursery: trio.Nursery,
) -> None:
    ranges, order = Ranges(), []

    async def hold(name: str, lba: int, *, exclusive: bool) -> None:
        async with ranges.hold(lba, 4, exclusive=exclusive):
            order.append(name)

    first = ranges.hold(0, 8)
    async with ranges.hold(8, 4, owner="given up"):
        ranges.enter(first)
        for name, lba, exclusive in (("alone", 4, True), ("shared", 6, False)):
            nursery.start_soon(partial(hold, name, lba, exclusive=exclusive))
            await wait_all_tasks_blocked()
        ranges.isolate({"given up"})
        ranges.leave(first)
        await wait_all_tasks_blocked()
        assert order == ["alone"]
    await wait_all_tasks_blocked()
    assert order == ["alone", "shared"]
    assert not ranges.exclusive


async def test_to_let_go_is_to_look_once_at_each_that_waits(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges, looks, conflicts = Ranges(), 0, Claim.conflicts

    def counted(claim: Claim, other: Claim) -> bool:
        nonlocal looks
        looks += 1
        return conflicts(claim, other)

    async def hold() -> None:
        async with ranges.hold(0, 4):
            await trio.lowlevel.checkpoint()

    async with ranges.hold(0, 4, exclusive=True):
        for _ in range(100):
            nursery.start_soon(hold)
        await wait_all_tasks_blocked()
        monkeypatch.setattr(Claim, "conflicts", counted)
    await wait_all_tasks_blocked()
    assert looks == 100


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8), st.booleans(), st.integers(0, 3))))
def test_no_two_have_blocks_that_one_has_for_itself(
    claims: list[tuple[int, int, bool, int]],
) -> None:
    ranges = Ranges()
    holders: list[tuple[int, int, bool]] = []

    async def hold(lba: int, blocks: int, exclusive: bool, seconds: int) -> None:
        async with ranges.hold(lba, blocks, exclusive=exclusive):
            for other_lba, other_blocks, other_exclusive in holders:
                if exclusive or other_exclusive:
                    assert other_lba + other_blocks <= lba or lba + blocks <= other_lba
            holders.append((lba, blocks, exclusive))
            await trio.sleep(seconds)
            holders.remove((lba, blocks, exclusive))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for claim in claims:
                nursery.start_soon(hold, *claim)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert not ranges.exclusive
    assert not ranges.taken(0, 100)


def test_whoever_watches_blocks_hears_before_they_change() -> None:
    ranges, heard = Ranges(), []
    end = ranges.watch(4, 4, lambda: heard.append("first"))
    ranges.watch(0, 5, lambda: heard.append("second"))
    ranges.changing(8, 8)
    assert heard == []
    ranges.changing(4, 1)
    assert heard == ["first", "second"]
    assert ranges.exclusive == 2
    end()
    end()
    ranges.changing(4, 1)
    assert heard == ["first", "second", "second"]
    assert ranges.exclusive == 1


def test_who_is_writing_blocks_already_is_heard_of_when_he_lets_go() -> None:
    ranges, heard = Ranges(), []
    writes, reads, elsewhere = (
        ranges.hold(lba, 4, owner=owner) for lba, owner in ((0, "task"), (0, None), (8, "task"))
    )
    for claim in (writes, reads, elsewhere):
        ranges.enter(claim)
    ends = [ranges.watch(2, 4, partial(heard.append, n)) for n in (1, 2)]
    ends[1]()
    ranges.leave(reads)
    ranges.leave(elsewhere)
    assert heard == []
    ranges.leave(writes)
    assert heard == [1]
    assert ranges.exclusive == 1


def test_watched_blocks_are_taken_for_whoever_writes() -> None:
    ranges = Ranges()
    end = ranges.watch(4, 4, lambda: None)
    assert not ranges.taken(0, 100)
    assert [ranges.taken(lba, 1, writing=True) for lba in (3, 4, 7, 8)] == [
        False,
        True,
        True,
        False,
    ]
    end()
    assert not ranges.taken(0, 100, writing=True)


def test_a_watch_may_end_while_it_hears() -> None:
    ranges = Ranges()
    ends = [ranges.watch(0, 1, lambda: ends.pop()()) for _ in range(2)]
    ranges.changing(0, 1)
    assert not ranges.exclusive
