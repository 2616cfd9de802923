"""Memory over time as a picture, in the manner of the other plot."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from tests.performance.cells import MIB
from tests.performance.plot import STYLE
from tests.performance.soak import Soaked

_LEFT, _TOP, _WIDTH, _HEIGHT = 60, 44, 640, 220
_LINES = 5
_LINE = ".line { fill: none; stroke: #0969da; stroke-width: 1.5; }"


def svg(soaked: Soaked) -> str:
    """Minutes to the right, MiB upwards, a point for each look."""
    minutes = max(soaked.looks[-1].time / 60, 1 / 60)
    top = _round(max(look.resident for look in soaked.looks) / MIB)
    points = " ".join(
        f"{_LEFT + look.time / 60 / minutes * _WIDTH:.1f},"
        f"{_TOP + _HEIGHT * (1 - look.resident / MIB / top):.1f}"
        for look in soaked.looks
    )
    title = f"MiB that the server has for itself, over {minutes:.0f} minutes of changing load"
    width, height = _LEFT + _WIDTH + 24, _TOP + _HEIGHT + 34
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{title}</title><style>{STYLE} {_LINE}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            f'<text class="title" x="{_LEFT}" y="{_TOP - 20}">{title}</text>',
            *_grid(minutes, top),
            f'<polyline class="line" points="{points}"/>',
            "</svg>",
            "",
        ]
    )


def _grid(minutes: float, top: int) -> Iterator[str]:
    for number in range(_LINES + 1):
        x, y = _LEFT + number * _WIDTH / _LINES, _TOP + _HEIGHT * (1 - number / _LINES)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y}" y2="{y}"/>'
        yield f'<text class="dim" x="{_LEFT - 44}" y="{y + 4}">{top * number / _LINES:g}</text>'
        text = f"{minutes * number / _LINES:.3g} min"
        yield f'<text class="dim middle" x="{x}" y="{_TOP + _HEIGHT + 18}">{text}</text>'


def _round(value: float) -> int:
    """The next number above that is divided well by the lines."""
    return ceil(value * 1.1 / _LINES) * _LINES
