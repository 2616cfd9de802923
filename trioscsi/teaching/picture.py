"""A machine as an SVG: boxes, arrows and a sentence wherever the pointer rests.

States carry their name in ``data-state``; arrows and their texts carry ``data-from``, ``data-to``
and ``data-on``, lists of words, so that a page can light up where a machine is and what moved it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from xml.sax.saxutils import escape

import attrs

from trioscsi.machines import Machine, State, Transition
from trioscsi.teaching import layout
from trioscsi.teaching.arrows import Arrow, merged
from trioscsi.teaching.layout import Point

CHARACTER = 6.65  # the width of a character in the monospaced font of the labels, at 11 pixels
LINE = 15.0
MARGIN = 28.0
HEADER = 92.0
MANY = 4
"""A transition that leaves so many states is drawn once, from a note that says which."""

STYLE = """
svg { color-scheme: light dark; --page: #ffffff; --ink: #1f2933; --soft: #66788a; --line: #8797a8;
  --box: #eef4fb; --edge: #3b6ea8; --end: #f2f3f5; --label: #a0470d; }
@media (prefers-color-scheme: dark) {
  svg { --page: #10161d; --ink: #e4eaf0; --soft: #92a3b5; --line: #6d7f92;
    --box: #1a2a3d; --edge: #6aa3e0; --end: #1d232b; --label: #f0a15e; } }
.page { fill: #ffffff; fill: var(--page); }
text { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: 11px; fill: #1f2933; fill: var(--ink); }
.title { font-size: 17px; font-weight: 700; }
.soft { fill: #66788a; fill: var(--soft); }
.name { font-size: 12.5px; font-weight: 700; text-anchor: middle; }
.symbol { text-anchor: middle; fill: #66788a; fill: var(--soft); }
.label { font-weight: 700; fill: #a0470d; fill: var(--label); }
.box { fill: #eef4fb; fill: var(--box); stroke: #3b6ea8; stroke: var(--edge); stroke-width: 1.4; }
.end { fill: #f2f3f5; fill: var(--end); stroke: #8797a8; stroke: var(--line); }
.again, .note { stroke-dasharray: 4 3; }
.note { fill: none; stroke: #8797a8; stroke: var(--line); }
.line { fill: none; stroke: #8797a8; stroke: var(--line); stroke-width: 1.4; }
.head { fill: #8797a8; fill: var(--line); }
.arrow:hover .line { stroke-width: 2.6; }
""".strip()

PAGE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" role="img" aria-label="The states of {name}">
<title>{name}</title>
<style>
{style}
</style>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" \
orient="auto"><path class="head" d="M0 1 L10 5 L0 9 z"/></marker></defs>
<rect class="page" width="{width}" height="{height}"/>
<text class="title" x="28" y="36">{name}</text>
<text class="soft" x="{beside}" y="36">RFC 7143 section {section}</text>
<text class="soft" x="28" y="56">{sentence}</text>
<g transform="translate({shift} 92)">
{body}
</g>
</svg>
"""


FIGURE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" class="machine" \
data-machine="{name}" role="img" aria-label="The states of {name}">
<defs><marker id="head-{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="11" \
markerHeight="11" markerUnits="userSpaceOnUse" orient="auto">\
<path class="head" d="M0 1 L10 5 L0 9 z"/></marker></defs>
<g transform="translate({margin:.0f} {top:.0f})">
{body}
</g>
</svg>
"""
_FROM = "from "
"""What the names of notes begin with."""
_FIGURE_MARGIN = 4.0
_FIGURE_GAP = 19.0
_START = 28.0
"""Above the first box of a figure: the mark of the initial state."""


@attrs.frozen
class _Node:
    """A box as it is drawn: a state, the initial state once more, or a note."""

    name: str
    lines: tuple[str, ...]
    kind: str
    tip: str
    state: str | None = None
    """The state that it stands for; None: it is a note."""
    loop: Arrow | None = None
    doors: int = 1
    """How many arrows meet its upper or lower edge, whichever is more."""

    @property
    def width(self) -> float:
        """In pixels."""
        return max(max(len(line) for line in self.lines) * 8.0 + 36.0, self.doors * 22.0 + 16.0)

    @property
    def height(self) -> float:
        """In pixels."""
        return 24.0 + LINE * len(self.lines) - 8.0

    def box(self) -> layout.Box:
        """What the layout has to know of it."""
        if self.loop is None:
            return layout.Box(self.name, self.width, self.height)
        width, height = _size(self.loop)
        return layout.Box(self.name, self.width, self.height, (40.0 + width, height))


def svg(machine: Machine[Any]) -> str:
    """The machine as an SVG that suits light and dark pages."""
    placed, body = _lay_out(machine, brief=False)
    width = max(placed.width, CHARACTER * len(machine.sentence)) + 2 * MARGIN
    height = placed.height + HEADER + MARGIN
    shift = (width - placed.width) / 2
    return PAGE.format(
        name=machine.name,
        sentence=escape(machine.sentence),
        section=machine.section,
        style=STYLE,
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        beside=f"{MARGIN + 10.6 * len(machine.name) + 12:.0f}",
        shift=f"{shift:.1f}",
        body=body,
    )


def figure(machine: Machine[Any]) -> str:
    """The machine for a page that has styles of its own: labels alone, so that it is small."""
    placed, body = _lay_out(machine, brief=True, gap=_FIGURE_GAP)
    return FIGURE.format(
        name=machine.name,
        width=f"{placed.width + 2 * _FIGURE_MARGIN:.0f}",
        height=f"{placed.height + _START + _FIGURE_MARGIN:.0f}",
        margin=_FIGURE_MARGIN,
        top=_START,
        # Several of them may be in one page.
        body=body.replace("url(#head)", f"url(#head-{machine.name})"),
    )


def _lay_out(
    machine: Machine[Any], *, brief: bool, gap: float = layout.LAYER_GAP
) -> tuple[layout.Layout, str]:
    nodes, arrows = _graph(machine, brief=brief)
    placed = layout.lay_out(
        [node.box() for node in nodes],
        [layout.Arrow(arrow.source, arrow.target, *_size(arrow)) for arrow in arrows],
        gap,
    )
    body = [
        *_start(placed.boxes[machine.initial], nodes[0]),
        *_lines(machine, arrows, placed.routes),
        *(part for node in nodes for part in _drawn(machine, node, placed.boxes[node.name])),
    ]
    return placed, "\n".join(body)


# What is drawn.


def _graph(machine: Machine[Any], *, brief: bool) -> tuple[list[_Node], list[Arrow]]:
    """The boxes, and the arrows between them."""
    notes, arrows = _notes(machine)
    arrows = [attrs.evolve(arrow, brief=brief) for arrow in arrows]
    loops = {arrow.source: arrow for arrow in arrows if arrow.source == arrow.target}
    between = [arrow for arrow in arrows if arrow.source != arrow.target]
    sources = {row.source for row in machine.transitions}
    nodes = []
    for state in machine.states:
        kind = "box" if state.name in sources else "box end"
        nodes.append(_state(state, state.name, kind, loops.get(state.name)))
    first = machine.states[0]
    if sum(arrow.target == first.name for arrow in between) > 1:
        # A machine that ends where it began reads better from top to bottom.
        again = f"{first.name} again"
        nodes.append(_state(first, again, "box end again", None))
        between = [
            attrs.evolve(arrow, target=again) if arrow.target == first.name else arrow
            for arrow in between
        ]
    ends = Counter(arrow.source for arrow in between), Counter(arrow.target for arrow in between)
    return [
        attrs.evolve(node, doors=max(count[node.name] for count in ends)) for node in nodes + notes
    ], between


def _state(state: State, name: str, kind: str, loop: Arrow | None) -> _Node:
    return _Node(name, (state.symbol, state.name), kind, state.sentence, state.name, loop)


def _notes(machine: Machine[Any]) -> tuple[list[_Node], list[Arrow]]:
    """Notes for transitions that leave many states alike, and the arrows, theirs among them."""
    alike: dict[tuple[str, str, str], list[Transition]] = defaultdict(list)
    for row in machine.transitions:
        alike[row.label, row.cause, row.target].append(row)
    shared: dict[tuple[tuple[str, ...], str], list[Transition]] = defaultdict(list)
    for rows in alike.values():
        if len(rows) >= MANY:
            shared[tuple(row.source for row in rows), rows[0].target].append(rows[0])
    taken = {row for rows in alike.values() if len(rows) >= MANY for row in rows}
    arrows = [
        attrs.evolve(arrow, rows=left)
        for arrow in merged(machine)
        if (left := tuple(row for row in arrow.rows if row not in taken))
    ]
    notes = []
    for (sources, target), rows in shared.items():
        name = _FROM + " ".join(sources)
        notes.append(
            _Node(name, tuple(_in_few_words(machine, sources)), "note", f"{', '.join(sources)}")
        )
        arrows.append(Arrow(name, target, tuple(rows)))
    return notes, arrows


def _in_few_words(machine: Machine[Any], sources: tuple[str, ...]) -> Iterator[str]:
    """Many states in few words."""
    leaving = {row.source for row in machine.transitions}
    left_out = [state.name for state in machine.states if state.name in leaving.difference(sources)]
    yield "any state"
    if left_out:
        yield f"but {', '.join(left_out)}"


def _size(arrow: Arrow) -> tuple[float, float]:
    """The width and height of the text on an arrow."""
    rows = list(_text_rows(arrow))
    width = max(len(label) + 1 + len(cause) for label, cause in rows)
    return width * CHARACTER + 10.0, len(rows) * LINE + 6.0


def _text_rows(arrow: Arrow) -> Iterator[tuple[str, str]]:
    """A line for each cause, with its label in front of the first; in brief, the labels alone."""
    if arrow.brief:
        yield ", ".join(label for label, _ in arrow.causes), ""
        return
    column = max(len(label) for label, _ in arrow.causes)
    for label, causes in arrow.causes:
        for number, cause in enumerate(causes):
            yield (label if number == 0 else "").ljust(column), cause


# How it is drawn.


def _lines(
    machine: Machine[Any], arrows: Iterable[Arrow], routes: Iterable[layout.Route]
) -> Iterator[str]:
    texts: list[str] = []
    for arrow, route in zip(arrows, routes, strict=True):
        yield f'<g class="arrow" {_ends(arrow)}><title>{_tip(machine, arrow)}</title>'
        yield f'<path class="line" marker-end="url(#head)" d="{_path(route.pieces)}"/></g>'
        texts.extend(_text(machine, arrow, route.label))
    yield from texts


def _path(pieces: tuple[tuple[Point, Point], ...]) -> str:
    """Straight down or up through the layers, and in curves between them."""
    (first, here), *rest = pieces
    path = [f"M{first.x:.1f} {first.y:.1f}", *_vertical(first, here)]
    for start, end in rest:
        middle = (here.y + start.y) / 2
        path.append(
            f"C{here.x:.1f} {middle:.1f} {start.x:.1f} {middle:.1f} {start.x:.1f} {start.y:.1f}"
        )
        path += _vertical(start, end)
        here = end
    return " ".join(path)


def _vertical(start: Point, end: Point) -> Iterator[str]:
    """A straight piece, if there is any: an arrow head has no direction after one of length 0."""
    if f"{start.y:.1f}" != f"{end.y:.1f}":
        yield f"V{end.y:.1f}"


def _text(machine: Machine[Any], arrow: Arrow, at: Point) -> Iterator[str]:
    """The labels and causes of an arrow, on a ground that hides the line behind them."""
    width, height = _size(arrow)
    x, y = at.x - width / 2, at.y - height / 2
    yield f'<g class="words" {_ends(arrow)}><title>{_tip(machine, arrow)}</title>'
    yield (
        f'<rect class="page" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        ' rx="4"/>'
    )
    for number, (label, cause) in enumerate(_text_rows(arrow)):
        baseline = y + LINE * (number + 1) - 1
        indent = x + 5 + (len(label) + 1) * CHARACTER
        if label.strip():
            yield f'<text class="label" x="{x + 5:.1f}" y="{baseline:.1f}">{label.strip()}</text>'
        if cause:
            yield f'<text x="{indent:.1f}" y="{baseline:.1f}">{cause}</text>'
    yield "</g>"


def _ends(arrow: Arrow) -> str:
    """What a page finds an arrow by."""
    sources, causes = arrow.source.removeprefix(_FROM), " ".join(row.cause for row in arrow.rows)
    return f'data-from="{sources}" data-to="{arrow.rows[0].target}" data-on="{causes}"'


def _drawn(machine: Machine[Any], node: _Node, at: Point) -> Iterator[str]:
    """A box with its text, and its loop if it has one."""
    left, top = at.x - node.width / 2, at.y - node.height / 2
    about = "" if node.state is None else f' class="state" data-state="{node.state}"'
    yield f"<g{about}><title>{escape(node.tip)}</title>"
    yield (
        f'<rect class="{node.kind}" x="{left:.1f}" y="{top:.1f}" width="{node.width:.1f}"'
        f' height="{node.height:.1f}" rx="9"/>'
    )
    for number, line in enumerate(node.lines):
        style = "name" if number and node.kind != "note" else "symbol"
        y = top + 19 + LINE * number
        yield f'<text class="{style}" x="{at.x:.1f}" y="{y:.1f}">{line}</text>'
    yield "</g>"
    if node.loop is not None:
        x, reach = at.x + node.width / 2, node.height / 4
        yield f'<g class="arrow" {_ends(node.loop)}><title>{_tip(machine, node.loop)}</title>'
        yield (
            f'<path class="line" marker-end="url(#head)" d="M{x:.1f} {at.y - reach:.1f}'
            f" C{x + 36:.1f} {at.y - reach - 8:.1f} {x + 36:.1f} {at.y + reach + 8:.1f}"
            f' {x:.1f} {at.y + reach:.1f}"/></g>'
        )
        yield from _text(machine, node.loop, Point(x + 36 + _size(node.loop)[0] / 2, at.y))


def _start(at: Point, node: _Node) -> Iterator[str]:
    """The mark of the initial state."""
    top = at.y - node.height / 2
    yield f'<circle class="head" cx="{at.x:.1f}" cy="{top - 22:.1f}" r="4"/>'
    yield (
        f'<path class="line" marker-end="url(#head)" d="M{at.x:.1f} {top - 18:.1f} V{top:.1f}"/>'
    )


def _tip(machine: Machine[Any], arrow: Arrow) -> str:
    """What the pointer tells of an arrow: each cause and each effect in a sentence."""
    lines = []
    for row in arrow.rows:
        lines.append(f"{row.label}: {machine.inputs[row.cause]}")
        lines += [f"    {effect.name}: {effect.value}" for effect in row.effects]
    return escape("\n".join(lines))
