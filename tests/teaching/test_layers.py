from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.teaching.layers import COLUMN_GAP, Slot, _crossings, _settle, order
from trioscsi.teaching.layers import Segment as Piece

WIDTHS = st.lists(st.tuples(st.floats(0, 100), st.floats(-500, 500)), min_size=1, max_size=8)


def joined(upper, lower):
    piece = Piece(upper, lower)
    upper.below.append(piece)
    lower.above.append(piece)


def test_lines_that_need_not_cross_do_not():
    top, bottom = [Slot(1, 1, 1) for _ in range(4)], [Slot(1, 1, 1) for _ in range(4)]
    for upper, lower in zip(top, reversed(bottom), strict=True):
        joined(upper, lower)
    assert _crossings([top, bottom]) == 6
    assert _crossings(order([top, bottom])) == 0


@given(WIDTHS)
def test_slots_settle_in_their_order_and_apart(slots):
    layer = [Slot(width / 2, width / 2, 1) for width, _ in slots]
    _settle(layer, [wanted for _, wanted in slots], [1.0] * len(layer))
    for left, right in pairwise(layer):
        assert right.x - left.x >= left.right + COLUMN_GAP + right.left - 1e-6


def test_slots_that_do_not_touch_settle_where_they_want():
    layer = [Slot(5, 5, 1), Slot(5, 5, 1)]
    _settle(layer, [0.0, 300.0], [1.0, 1.0])
    assert [slot.x for slot in layer] == [0.0, 300.0]


def test_slots_that_want_the_same_place_share_the_way():
    layer = [Slot(5, 5, 1), Slot(5, 5, 1)]
    _settle(layer, [0.0, 0.0], [1.0, 3.0])
    first, second = (slot.x for slot in layer)
    assert second - first == pytest.approx(10 + COLUMN_GAP)
    assert first == pytest.approx(-3 * second)
