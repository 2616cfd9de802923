from __future__ import annotations

from trioscsi.initiator.depth import TASK_SET_FULL, QueueDepth


def test_at_first_there_is_no_limit_and_nothing_to_learn():
    depth = QueueDepth()
    assert depth.limit is None
    assert not depth.learns(0)
    assert depth.learns(TASK_SET_FULL)


def test_a_full_task_set_leaves_room_for_those_that_are_under_way():
    depth = QueueDepth()
    depth.learn(TASK_SET_FULL, 7)
    assert depth.limit == 7
    depth.learn(TASK_SET_FULL, 0)
    assert depth.limit == 1


def test_what_goes_well_makes_room_for_more():
    depth = QueueDepth(limit=2)
    for _ in range(3):
        assert depth.learns(0)
        depth.learn(0, 1)
    assert depth.limit == 3
