"""Where the boxes, arrows and labels of a diagram go: layers from top to bottom.

The steps are those of Sugiyama, Tagawa and Toda (1981): take arrows that lead back the other way
round, give each box a layer, put a slot into every layer that an arrow passes, order the slots so
that few lines cross, and move them sideways to make lines straight.  A label is a slot like a box,
so that nothing is ever drawn over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import attrs

from trioscsi.teaching.layers import (
    Box,
    Chain,
    Layers,
    Segment,
    Slot,
    choose_ports,
    move_sideways,
    order,
    straighten,
)

__all__ = ["Arrow", "Box", "Layout", "Point", "Route", "lay_out"]

LAYER_GAP = 34.0
"""Between two layers, in pixels: the room that curves have where nobody says otherwise."""


@attrs.frozen
class Arrow:
    """A line from one box to another through a label of this size."""

    source: str
    target: str
    width: float
    height: float


@attrs.frozen
class Point:
    """A place, in pixels from the left upper corner."""

    x: float
    y: float


@attrs.frozen
class Route:
    """The way of an arrow: vertical pieces, joined by curves, and the middle of its label."""

    pieces: tuple[tuple[Point, Point], ...]
    label: Point


@attrs.frozen
class Layout:
    """The middle of each box, the way of each arrow, and the size of it all."""

    boxes: dict[str, Point]
    routes: tuple[Route, ...]
    width: float
    height: float


def lay_out(boxes: Sequence[Box], arrows: Sequence[Arrow], gap: float = LAYER_GAP) -> Layout:
    """Place boxes, which stay in their order where it does not matter, and arrows between them.

    ``gap`` is the room between two layers, in pixels.
    No arrow may lead from a box to itself: use ``beside`` for that.
    """
    forward = _forward([box.name for box in boxes], arrows)
    ranks = _ranks([box.name for box in boxes], forward)
    slots = {box.name: Slot.of(box) for box in boxes}
    layers: Layers = [[] for _ in range(max(ranks.values()) + 1)]
    for name, slot in slots.items():
        layers[ranks[name]].append(slot)
    chains = [
        _chain(arrow, upper, lower, ranks, slots, layers)
        for arrow, (upper, lower) in zip(arrows, forward, strict=True)
    ]
    layers = order(layers)
    choose_ports(layers)
    move_sideways(layers)
    straighten(chains, layers)
    return _draw(boxes, arrows, slots, chains, layers, gap)


def _forward(names: Sequence[str], arrows: Sequence[Arrow]) -> list[tuple[str, str]]:
    """Each arrow with its upper end first: an arrow that closes a circle is turned round."""
    targets: dict[str, list[str]] = {name: [] for name in names}
    for arrow in arrows:
        targets[arrow.source].append(arrow.target)
    state: dict[str, str] = {}
    backward: set[tuple[str, str]] = set()

    def visit(name: str) -> None:
        state[name] = "open"
        for target in targets[name]:
            if state.get(target) == "open":
                backward.add((name, target))
            elif target not in state:
                visit(target)
        state[name] = "done"

    for name in names:
        if name not in state:
            visit(name)
    return [
        (arrow.target, arrow.source)
        if (arrow.source, arrow.target) in backward
        else (arrow.source, arrow.target)
        for arrow in arrows
    ]


def _ranks(names: Sequence[str], forward: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Boxes are on the even layers, as high as the arrows to them let them be.

    A box that no arrow leads to, but the first, is as low as the arrows from it let it be.
    """
    ranks = dict.fromkeys(names, 0)
    for _ in names:
        for upper, lower in forward:
            ranks[lower] = max(ranks[lower], ranks[upper] + 2)
    for name in set(names[1:]).difference(lower for _, lower in forward):
        below = [ranks[lower] for upper, lower in forward if upper == name]
        ranks[name] = min(below, default=2) - 2
    return ranks


def _chain(
    arrow: Arrow,
    upper: str,
    lower: str,
    ranks: dict[str, int],
    slots: dict[str, Slot],
    layers: Layers,
) -> Chain:
    """The slots of an arrow from top to bottom; its label is next to the box it comes from."""
    label_rank = ranks[upper] + 1 if arrow.source == upper else ranks[lower] - 1
    chain = [slots[upper]]
    for rank in range(ranks[upper] + 1, ranks[lower]):
        half = arrow.width / 2 if rank == label_rank else 0.0
        slot = Slot(half, half, arrow.height if rank == label_rank else 0.0)
        layers[rank].append(slot)
        chain.append(slot)
    chain.append(slots[lower])
    for above, below in pairwise(chain):
        segment = Segment(above, below)
        above.below.append(segment)
        below.above.append(segment)
    return chain


def _draw(
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    slots: dict[str, Slot],
    chains: Sequence[Chain],
    layers: Sequence[Sequence[Slot]],
    gap: float,
) -> Layout:
    left = min(slot.x - slot.left for layer in layers for slot in layer)
    right = max(slot.x + slot.right for layer in layers for slot in layer)
    bands: dict[Slot, tuple[float, float]] = {}
    y = 0.0
    for layer in layers:
        height = max(slot.height for slot in layer)
        bands |= dict.fromkeys(layer, (y, y + height))
        y += height + gap

    def middle(slot: Slot) -> Point:
        return Point(slot.x - left, (bands[slot][0] + bands[slot][1]) / 2)

    routes = []
    for arrow, chain in zip(arrows, chains, strict=True):
        down = chain[0] is slots[arrow.source]
        label = chain[1] if down else chain[-2]
        routes.append(Route(tuple(_pieces(chain, bands, left, down=down)), middle(label)))
    places = {box.name: middle(slots[box.name]) for box in boxes}
    return Layout(places, tuple(routes), right - left, y - gap)


def _pieces(
    chain: Chain, bands: dict[Slot, tuple[float, float]], left: float, *, down: bool
) -> Iterable[tuple[Point, Point]]:
    """The vertical pieces of an arrow, in its own direction."""
    segments = [
        next(segment for segment in upper.below if segment.lower is lower)
        for upper, lower in pairwise(chain)
    ]
    pieces = []
    for number, slot in enumerate(chain):
        x = slot.x
        top, bottom = bands[slot]
        if slot.box is not None:
            edge = slot.box.height / 2 * (1 if number == 0 else -1)
            x += segments[0].leaves if number == 0 else segments[-1].arrives
            top, bottom = sorted(((top + bottom) / 2 + edge, bottom if number == 0 else top))
        pieces.append((Point(x - left, top), Point(x - left, bottom)))
    return pieces if down else [(end, start) for start, end in reversed(pieces)]
