"""The ratios to tgt as a picture: SVG written by hand, readable on light and on dark paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import log2
from xml.sax.saxutils import escape

import attrs

from tests.performance.figures import Result
from tests.performance.servers import ECHO, NULL, PEER

_LINE, _TOP, _NAMES, _PANEL, _GAP = 22, 66, 218, 300, 44
_TICKS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32)
_MARKS = {"memory": "memory", "file": "file", NULL: "null", ECHO: "echo"}
_LEGEND = {
    "memory": "this target, memory",
    "file": "this target, file",
    NULL: "tgt, null store",
    ECHO: "bare TCP",
}
_LIGHT = {
    "paper": "#ffffff", "ink": "#1f2328", "faint": "#d0d7de", "dim": "#656d76",
    "ours": "#0969da", "null": "#9a6700", "echo": "#6e7781", "goal": "#1a7f37",
}  # fmt: skip
_DARK = {
    "paper": "#0d1117", "ink": "#e6edf3", "faint": "#30363d", "dim": "#9198a1",
    "ours": "#58a6ff", "null": "#d29922", "echo": "#8b949e", "goal": "#3fb950",
}  # fmt: skip
_SHAPES = (
    "text { font: 12px sans-serif; } .title { font-weight: bold; } .middle { text-anchor: middle; }"
    " .goal, .file, .echo { stroke-width: 2; } .echo { fill: none; }"
)
# Colours are written out: not every reader of SVG knows CSS variables.
_COLOURS = (
    ".paper {{ fill: {paper}; }} text {{ fill: {ink}; }} .dim {{ fill: {dim}; }}"
    " .grid {{ stroke: {faint}; }} .one {{ stroke: {ink}; }} .goal {{ stroke: {goal}; }}"
    " .memory {{ fill: {ours}; }} .file {{ fill: {paper}; stroke: {ours}; }}"
    " .null {{ fill: {null}; }} .echo {{ stroke: {echo}; }}"
)
STYLE = (
    f"{_SHAPES} {_COLOURS.format(**_LIGHT)}"
    f" @media (prefers-color-scheme: dark) {{ {_COLOURS.format(**_DARK)} }}"
)


@attrs.frozen
class Panel:
    """One scale of ratios, logarithmic."""

    title: str
    left: int
    low: float
    high: float
    ratio: Callable[[Result, str], float | None]
    goal: Callable[[Result], float | None]

    def x(self, ratio: float) -> float:
        """Where a ratio is; what does not fit is put at the edge."""
        place = (log2(ratio) - log2(self.low)) / (log2(self.high) - log2(self.low))
        return self.left + _PANEL * min(max(place, 0.0), 1.0)

    @property
    def ticks(self) -> list[float]:
        """The ratios that have a line."""
        return [tick for tick in _TICKS if self.low <= tick <= self.high]


_PANELS = (
    Panel(
        "throughput, times tgt's (more is better)",
        _NAMES,
        1 / 4,
        32,
        lambda result, unit: result.throughput_to(unit, PEER),
        lambda result: result.cell.wanted.throughput if result.cell.wanted else None,
    ),
    Panel(
        "server CPU, times tgt's (less is better)",
        _NAMES + _PANEL + _GAP,
        1 / 32,
        4,
        lambda result, unit: result.cpu_to(unit, PEER),
        lambda result: result.cell.wanted.cpu if result.cell.wanted else None,
    ),
)


def svg(results: Sequence[Result]) -> str:
    """A line for each cell that has been measured with tgt, a mark for each server."""
    shown = [result for result in results if result.samples.get(PEER)]
    width, height = _NAMES + 2 * _PANEL + _GAP + 24, _TOP + len(shown) * _LINE + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>Throughput and CPU time beside tgt</title><style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        *_legend(),
        *(part for panel in _PANELS for part in _axis(panel, len(shown))),
    ]
    for number, result in enumerate(shown):
        y = _TOP + number * _LINE + _LINE // 2
        parts.append(f'<text x="8" y="{y + 4}">{escape(result.cell.name)}</text>')
        for panel in _PANELS:
            parts += _marks(panel, result, y)
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> Iterator[str]:
    x = 16
    for unit, text in _LEGEND.items():
        yield _mark(unit, x, 16, text)
        yield f'<text class="dim" x="{x + 12}" y="20">{escape(text)}</text>'
        x += 40 + 7 * len(text)
    yield f'<line class="goal" x1="{x}" x2="{x}" y1="8" y2="24"/>'
    yield f'<text class="dim" x="{x + 12}" y="20">promised</text>'


def _axis(panel: Panel, lines: int) -> Iterator[str]:
    bottom = _TOP + lines * _LINE
    middle = panel.left + _PANEL / 2
    yield f'<text class="title middle" x="{middle}" y="{_TOP - 22}">{escape(panel.title)}</text>'
    for tick in panel.ticks:
        x, style = panel.x(tick), "one" if tick == 1 else "grid"
        text = f"{tick:g}" if tick >= 1 else f"1/{1 / tick:g}"
        yield f'<line class="{style}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>'
        yield f'<text class="dim middle" x="{x:.1f}" y="{_TOP - 6}">{text}</text>'
        yield f'<text class="dim middle" x="{x:.1f}" y="{bottom + 16}">{text}</text>'


def _marks(panel: Panel, result: Result, y: int) -> Iterator[str]:
    goal = panel.goal(result)
    if goal is not None:
        x = panel.x(goal)
        yield f'<line class="goal" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 8}" y2="{y + 8}"/>'
    for unit in reversed(_MARKS):  # ours on top
        ratio = panel.ratio(result, unit)
        if ratio:
            tip = f"{result.cell.name}, {_LEGEND[unit]}: {ratio:.2f}"
            yield _mark(unit, panel.x(ratio), y, tip)


def _mark(unit: str, x: float, y: int, tip: str) -> str:
    style, title = _MARKS[unit], f"<title>{escape(tip)}</title>"
    if unit == NULL:
        place = f"M{x:.1f} {y - 5}l5 5l-5 5l-5 -5z"
        return f'<path class="{style}" d="{place}">{title}</path>'
    if unit == ECHO:
        place = f"M{x - 4:.1f} {y - 4}l8 8m-8 0l8 -8"
        return f'<path class="{style}" d="{place}">{title}</path>'
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y}" r="4.5">{title}</circle>'
