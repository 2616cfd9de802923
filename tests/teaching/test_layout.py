from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioscsi.teaching.layout import Arrow, Box, lay_out

NAMES = "ABCDEF"


def boxes(count=6):
    return [Box(name, 60, 40) for name in NAMES[:count]]


def apart(one, other):
    """Whether two rectangles, by middle and size, do not overlap."""
    (x, y, width, height), (u, v, breadth, depth) = one, other
    return abs(x - u) >= (width + breadth) / 2 - 1e-6 or abs(y - v) >= (height + depth) / 2 - 1e-6


def test_arrows_lead_downwards():
    placed = lay_out(boxes(3), [Arrow("A", "B", 30, 10), Arrow("B", "C", 30, 10)])
    assert placed.boxes["A"].y < placed.boxes["B"].y < placed.boxes["C"].y
    assert len({point.x for point in placed.boxes.values()}) == 1


def test_an_arrow_that_closes_a_circle_leads_up():
    placed = lay_out(boxes(2), [Arrow("A", "B", 30, 10), Arrow("B", "A", 30, 10)])
    down, up = placed.routes
    assert down.pieces[0][0].y < down.pieces[-1][-1].y
    assert up.pieces[0][0].y > up.pieces[-1][-1].y


def test_an_arrow_begins_and_ends_at_the_edges_of_its_boxes():
    tall = Box("A", 60, 40, beside=(50, 200))
    placed = lay_out([tall, Box("B", 60, 40)], [Arrow("A", "B", 30, 10)])
    [route] = placed.routes
    assert route.pieces[0][0].y == placed.boxes["A"].y + 20
    assert route.pieces[-1][-1].y == placed.boxes["B"].y - 20


def test_a_box_that_nothing_leads_to_is_next_to_where_it_leads():
    chain = [Arrow("A", "B", 30, 10), Arrow("B", "C", 30, 10), Arrow("D", "C", 30, 10)]
    placed = lay_out(boxes(4), chain)
    assert placed.boxes["D"].y == placed.boxes["B"].y


def test_one_box_is_a_diagram():
    placed = lay_out(boxes(1), [])
    assert (placed.width, placed.height) == (60, 40)


PAIRS = [(a, b) for a in NAMES for b in NAMES if a != b]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(PAIRS), unique=True, max_size=12))
def test_no_two_boxes_or_labels_overlap_and_all_are_in_the_picture(pairs):
    arrows = [Arrow(source, target, 80, 25) for source, target in pairs]
    placed = lay_out(boxes(), arrows)
    things = [(point.x, point.y, 60, 40) for point in placed.boxes.values()]
    things += [(route.label.x, route.label.y, 80, 25) for route in placed.routes]
    for one, other in combinations(things, 2):
        assert apart(one, other)
    for x, y, width, height in things:
        assert width / 2 - 1e-6 <= x <= placed.width - width / 2 + 1e-6
        assert height / 2 - 1e-6 <= y <= placed.height - height / 2 + 1e-6


@pytest.mark.parametrize("count", [1, 3])
def test_the_same_boxes_give_the_same_picture(count):
    arrows = [Arrow(*pair, 30, 10) for pair in PAIRS[:count]]
    assert lay_out(boxes(), arrows) == lay_out(boxes(), arrows)
