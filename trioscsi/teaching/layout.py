"""Where the boxes, arrows and labels of a diagram go: layers from top to bottom.

The steps are those of Sugiyama, Tagawa and Toda (1981): take arrows that lead back the other way
round, give each box a layer, put a slot into every layer that an arrow passes, order the slots so
that few lines cross, and move them sideways to make lines straight.  A label is a slot like a box,
so that nothing is ever drawn over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from math import inf
from statistics import median

import attrs

COLUMN_GAP = 28.0
LAYER_GAP = 34.0
SWEEPS = 24
MOVES = 400
NEARLY = 1.0


@attrs.frozen
class Box:
    """Something with a place of its own; ``beside`` is the width of what hangs on its right."""

    name: str
    width: float
    height: float
    beside: float = 0.0


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


@attrs.define(eq=False)
class _Slot:
    """One place in a layer: a box, a label, or where an arrow passes."""

    left: float
    right: float
    height: float
    is_box: bool = False
    x: float = 0.0
    above: list[_Segment] = attrs.field(factory=list)
    below: list[_Segment] = attrs.field(factory=list)


@attrs.define(eq=False)
class _Segment:
    """A piece of an arrow between two layers, with the places where it leaves and arrives."""

    upper: _Slot
    lower: _Slot
    leaves: float = 0.0
    arrives: float = 0.0

    @property
    def weight(self) -> float:
        """How much it matters that this piece is straight."""
        return 1.0 if self.upper.is_box or self.lower.is_box else 8.0


_Chain = list[_Slot]


def lay_out(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> Layout:
    """Place boxes, which stay in their order where it does not matter, and arrows between them.

    No arrow may lead from a box to itself: use ``beside`` for that.
    """
    forward = _forward([box.name for box in boxes], arrows)
    ranks = _ranks([box.name for box in boxes], forward)
    slots = {
        box.name: _Slot(box.width / 2, box.width / 2 + box.beside, box.height, is_box=True)
        for box in boxes
    }
    layers: list[list[_Slot]] = [[] for _ in range(max(ranks.values()) + 1)]
    for name, slot in slots.items():
        layers[ranks[name]].append(slot)
    chains = [
        _chain(arrow, upper, lower, ranks, slots, layers)
        for arrow, (upper, lower) in zip(arrows, forward, strict=True)
    ]
    layers = _order(layers)
    _choose_ports(layers, {slots[box.name]: box.width for box in boxes})
    _move_sideways(layers)
    _straighten(chains, layers)
    return _draw(boxes, arrows, slots, chains, layers)


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
        ranks[name] = min(ranks[lower] for upper, lower in forward if upper == name) - 2
    return ranks


def _chain(
    arrow: Arrow,
    upper: str,
    lower: str,
    ranks: dict[str, int],
    slots: dict[str, _Slot],
    layers: list[list[_Slot]],
) -> _Chain:
    """The slots of an arrow from top to bottom; its label is next to the box it comes from."""
    label_rank = ranks[upper] + 1 if arrow.source == upper else ranks[lower] - 1
    chain = [slots[upper]]
    for rank in range(ranks[upper] + 1, ranks[lower]):
        half = arrow.width / 2 if rank == label_rank else 0.0
        slot = _Slot(half, half, arrow.height if rank == label_rank else 0.0)
        layers[rank].append(slot)
        chain.append(slot)
    chain.append(slots[lower])
    for above, below in pairwise(chain):
        segment = _Segment(above, below)
        above.below.append(segment)
        below.above.append(segment)
    return chain


def _order(layers: list[list[_Slot]]) -> list[list[_Slot]]:
    """Sort each layer by where its slots' neighbours are, down and up, and keep the best."""
    layers = [list(layer) for layer in layers]
    best, fewest = layers, _crossings(layers)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        layers = [list(layer) for layer in layers]
        indices = range(1, len(layers)) if downwards else range(len(layers) - 2, -1, -1)
        for index in indices:
            fixed = layers[index - 1 if downwards else index + 1]
            place = {slot: number for number, slot in enumerate(fixed)}
            _sort(layers[index], place, downwards)
            _swap(layers, index)
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _sort(layer: list[_Slot], place: dict[_Slot, int], downwards: bool) -> None:
    def mean(number: int) -> float:
        slot = layer[number]
        places = [
            place[segment.upper if downwards else segment.lower]
            for segment in (slot.above if downwards else slot.below)
        ]
        return sum(places) / len(places) if places else float(number)

    means = {slot: mean(number) for number, slot in enumerate(layer)}
    layer.sort(key=lambda slot: means[slot])


def _swap(layers: list[list[_Slot]], index: int) -> None:
    """Exchange neighbours in a layer while that makes fewer lines cross."""
    layer = layers[index]
    nearby = layers[max(index - 1, 0) : index + 2]
    improved = True
    while improved:
        improved = False
        for number in range(len(layer) - 1):
            before = _crossings(nearby)
            layer[number], layer[number + 1] = layer[number + 1], layer[number]
            if _crossings(nearby) < before:
                improved = True
            else:
                layer[number], layer[number + 1] = layer[number + 1], layer[number]


def _crossings(layers: Sequence[Sequence[_Slot]]) -> int:
    count = 0
    for upper, lower in pairwise(layers):
        place = {slot: number for number, slot in enumerate(lower)}
        ends = [
            (number, place[segment.lower])
            for number, slot in enumerate(upper)
            for segment in slot.below
        ]
        count += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(ends, 2))
    return count


def _choose_ports(layers: list[list[_Slot]], widths: dict[_Slot, float]) -> None:
    """Spread the lines that meet a box along its edge, in the order of where they go."""
    place = {slot: number for layer in layers for number, slot in enumerate(layer)}
    for slot, width in widths.items():
        slot.above.sort(key=lambda segment: place[segment.upper])
        slot.below.sort(key=lambda segment: place[segment.lower])
        for number, offset in enumerate(_spread(len(slot.above), width)):
            slot.above[number].arrives = offset
        for number, offset in enumerate(_spread(len(slot.below), width)):
            slot.below[number].leaves = offset


def _spread(count: int, width: float) -> Iterable[float]:
    step = min(width / (count + 1), 36.0)
    return (step * (number - (count - 1) / 2) for number in range(count))


def _move_sideways(layers: list[list[_Slot]]) -> None:
    """Make lines straight: each layer in turn takes the best places that its order allows."""
    for layer in layers:
        _settle(layer, [0.0] * len(layer), [1.0] * len(layer))
    for sweep in range(MOVES):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            pulls = [_pull(slot) for slot in layer]
            _settle(layer, [x for x, _ in pulls], [weight for _, weight in pulls])


def _pull(slot: _Slot) -> tuple[float, float]:
    """Where the lines of a slot pull it, and how hard.

    A line that is nearly straight pulls hardest: so a line has one long bend, not many short ones.
    """
    places = [
        (piece.weight, piece.upper.x + piece.leaves - piece.arrives) for piece in slot.above
    ] + [(piece.weight, piece.lower.x + piece.arrives - piece.leaves) for piece in slot.below]
    pulls = [(weight / (abs(x - slot.x) + NEARLY), x) for weight, x in places]
    total = sum(pull for pull, _ in pulls)
    return (sum(pull * x for pull, x in pulls) / total, total) if pulls else (slot.x, 1.0)


def _straighten(chains: Sequence[_Chain], layers: Sequence[Sequence[_Slot]]) -> None:
    """Stack the slots of an arrow exactly above each other as far as their neighbours let them."""
    neighbours = {
        slot: (left, right)
        for layer in layers
        for left, slot, right in zip([None, *layer], layer, [*layer[1:], None], strict=False)
    }

    def room(slot: _Slot) -> tuple[float, float]:
        left, right = neighbours[slot]
        low = left.x + left.right + COLUMN_GAP + slot.left if left else -inf
        high = right.x - right.left - COLUMN_GAP - slot.right if right else inf
        return min(low, slot.x), max(high, slot.x)

    for chain in chains:
        stacks: list[tuple[list[_Slot], float, float]] = []
        for slot in chain[1:-1]:
            low, high = room(slot)
            if stacks:
                members, lowest, highest = stacks[-1]
                if max(low, lowest) <= min(high, highest):
                    stacks[-1] = [*members, slot], max(low, lowest), min(high, highest)
                    continue
            stacks.append(([slot], low, high))
        for members, low, high in stacks:
            x = min(max(median(slot.x for slot in members), low), high)
            for slot in members:
                slot.x = x


def _settle(layer: list[_Slot], wanted: Sequence[float], weights: Sequence[float]) -> None:
    """Put slots as near to where they want to be as their widths and their order let them.

    With the widths taken off, this is the least-squares fit of a rising line, which pooling
    neighbours that are in the wrong order solves exactly.
    """
    offsets = [0.0]
    for left, right in pairwise(layer):
        offsets.append(offsets[-1] + left.right + COLUMN_GAP + right.left)
    pools: list[tuple[float, float, int]] = []
    for place, offset, weight in zip(wanted, offsets, weights, strict=True):
        pools.append((place - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, v, m), (b, w, n) = pools[-2:]
            pools[-2:] = [((a * v + b * w) / (v + w), v + w, m + n)]
    places = [place for place, _, count in pools for _ in range(count)]
    for slot, place, offset in zip(layer, places, offsets, strict=True):
        slot.x = place + offset


def _draw(
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    slots: dict[str, _Slot],
    chains: Sequence[_Chain],
    layers: Sequence[Sequence[_Slot]],
) -> Layout:
    left = min(slot.x - slot.left for layer in layers for slot in layer)
    right = max(slot.x + slot.right for layer in layers for slot in layer)
    bands: dict[_Slot, tuple[float, float]] = {}
    y = 0.0
    for layer in layers:
        height = max(slot.height for slot in layer)
        bands |= dict.fromkeys(layer, (y, y + height))
        y += height + LAYER_GAP

    def middle(slot: _Slot) -> Point:
        return Point(slot.x - left, sum(bands[slot]) / 2)

    routes = []
    for arrow, chain in zip(arrows, chains, strict=True):
        down = chain[0] is slots[arrow.source]
        label = chain[1] if down else chain[-2]
        routes.append(Route(tuple(_pieces(chain, bands, left, down=down)), middle(label)))
    places = {box.name: middle(slots[box.name]) for box in boxes}
    return Layout(places, tuple(routes), right - left, y - LAYER_GAP)


def _pieces(
    chain: _Chain, bands: dict[_Slot, tuple[float, float]], left: float, *, down: bool
) -> Iterable[tuple[Point, Point]]:
    """The vertical pieces of an arrow, in its own direction."""
    segments = [
        next(segment for segment in upper.below if segment.lower is lower)
        for upper, lower in pairwise(chain)
    ]
    pieces = []
    for number, slot in enumerate(chain):
        top, bottom = bands[slot]
        if number == 0:
            top = (top + bottom + slot.height) / 2
            x = slot.x + segments[0].leaves
        elif number == len(chain) - 1:
            bottom = (top + bottom - slot.height) / 2
            x = slot.x + segments[-1].arrives
        else:
            x = slot.x
        pieces.append((Point(x - left, top), Point(x - left, bottom)))
    return pieces if down else [(end, start) for start, end in reversed(pieces)]
