"""The layers of a diagram: in which order their slots are, and how far to the side.

The algorithms of `trioscsi.teaching.layout` that know neither states nor pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from math import fsum, inf
from statistics import median

import attrs

COLUMN_GAP = 28.0
"""Between two slots of a layer, in pixels."""
SWEEPS = 24
"""How often the layers are sorted; more changes nothing in the machines of iSCSI."""
MOVES = 400
"""How often each layer is moved sideways."""
NEARLY = 1.0
"""Lines that bend by less than this, in pixels, are as good as straight."""


@attrs.frozen
class Box:
    """Something with a place of its own; ``beside`` is the size of what hangs on its right."""

    name: str
    width: float
    height: float
    beside: tuple[float, float] = (0.0, 0.0)


@attrs.define(eq=False)
class Slot:
    """One place in a layer: a box, a label, or where an arrow passes."""

    left: float
    right: float
    height: float
    box: Box | None = None
    x: float = 0.0
    above: list[Segment] = attrs.field(factory=list)
    below: list[Segment] = attrs.field(factory=list)

    @classmethod
    def of(cls, box: Box) -> Slot:
        """The slot of a box and what hangs beside it."""
        width, height = box.beside
        return cls(box.width / 2, box.width / 2 + width, max(box.height, height), box)


@attrs.define(eq=False)
class Segment:
    """A piece of an arrow between two layers, with the places where it leaves and arrives."""

    upper: Slot
    lower: Slot
    leaves: float = 0.0
    arrives: float = 0.0

    @property
    def weight(self) -> float:
        """How much it matters that this piece is straight."""
        return 1.0 if self.upper.box or self.lower.box else 8.0


Layers = list[list[Slot]]
Chain = list[Slot]
"""The slots of an arrow from top to bottom."""


def order(layers: Layers) -> Layers:
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


def _sort(layer: list[Slot], place: dict[Slot, int], downwards: bool) -> None:
    def mean(number: int) -> float:
        slot = layer[number]
        places = [
            place[segment.upper if downwards else segment.lower]
            for segment in (slot.above if downwards else slot.below)
        ]
        return sum(places) / len(places) if places else float(number)

    means = {slot: mean(number) for number, slot in enumerate(layer)}
    layer.sort(key=lambda slot: means[slot])


def _swap(layers: Layers, index: int) -> None:
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


def _crossings(layers: Sequence[Sequence[Slot]]) -> int:
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


def choose_ports(layers: Layers) -> None:
    """Spread the lines that meet a box along its edge, in the order of where they go."""
    place = {slot: number for layer in layers for number, slot in enumerate(layer)}
    for slot in place:
        if slot.box is not None:
            slot.above.sort(key=lambda segment: place[segment.upper])
            slot.below.sort(key=lambda segment: place[segment.lower])
            for segment, offset in zip(slot.above, _spread(slot.above, slot.box), strict=True):
                segment.arrives = offset
            for segment, offset in zip(slot.below, _spread(slot.below, slot.box), strict=True):
                segment.leaves = offset


def _spread(segments: Sequence[Segment], box: Box) -> Iterable[float]:
    step = min(box.width / (len(segments) + 1), 36.0)
    return (step * (number - (len(segments) - 1) / 2) for number in range(len(segments)))


def move_sideways(layers: Layers) -> None:
    """Make lines straight: each layer in turn takes the best places that its order allows."""
    for layer in layers:
        _settle(layer, [0.0] * len(layer), [1.0] * len(layer))
    for sweep in range(MOVES):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            pulls = [_pull(slot) for slot in layer]
            _settle(layer, [x for x, _ in pulls], [weight for _, weight in pulls])


def _pull(slot: Slot) -> tuple[float, float]:
    """Where the lines of a slot pull it, and how hard.

    A line that is nearly straight pulls hardest: so a line has one long bend, not many short ones.
    """
    places = [
        (piece.weight, piece.upper.x + piece.leaves - piece.arrives) for piece in slot.above
    ] + [(piece.weight, piece.lower.x + piece.arrives - piece.leaves) for piece in slot.below]
    pulls = [(weight / (abs(x - slot.x) + NEARLY), x) for weight, x in places]
    total = fsum(pull for pull, _ in pulls)
    return (fsum(pull * x for pull, x in pulls) / total, total) if pulls else (slot.x, 1.0)


def _settle(layer: list[Slot], wanted: Sequence[float], weights: Sequence[float]) -> None:
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


def straighten(chains: Sequence[Chain], layers: Sequence[Sequence[Slot]]) -> None:
    """Stack the slots of an arrow exactly above each other as far as their neighbours let them."""
    neighbours = {
        slot: (left, right)
        for layer in layers
        for left, slot, right in zip([None, *layer], layer, [*layer[1:], None], strict=False)
    }

    def room(slot: Slot) -> tuple[float, float]:
        left, right = neighbours[slot]
        low = left.x + left.right + COLUMN_GAP + slot.left if left else -inf
        high = right.x - right.left - COLUMN_GAP - slot.right if right else inf
        return min(low, slot.x), max(high, slot.x)

    for chain in chains:
        stacks: list[tuple[list[Slot], float, float]] = []
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
