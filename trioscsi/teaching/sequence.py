"""A session's ladder as a picture: SVG and Mermaid.

What an initiator says goes to the right, what the target says to the left; what a trace tells of
its packets, such as transitions, stands on the target's side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from xml.sax.saxutils import escape

from trioscsi.teaching.picture import CHARACTER, LINE, STYLE
from trioscsi.teaching.rungs import Kind, Rung, Sequence

# Mermaid.


def mermaid(sequence: Sequence) -> str:
    """The ladder as a Mermaid sequence diagram, which GitHub draws in Markdown."""
    initiator, target = map(_plain, sequence.ends)
    lines = [
        "sequenceDiagram",
        f"    participant I as initiator {initiator}",
        f"    participant T as target {target}",
    ]
    for rung in sequence.shown():
        lines += (f"    {line}" for line in _in_mermaid(rung))
    if sequence.left_out:
        lines.append(f"    Note over I,T: {sequence.left_out} more are left out")
    return "\n".join([*lines, ""])


def _in_mermaid(rung: Rung) -> Iterator[str]:
    words = "<br>".join(map(_plain, rung.lines))
    match rung.kind:
        case Kind.SAID:
            yield f"{'I->>T' if rung.from_initiator else 'T->>I'}: {words}"
        case Kind.COMMENT:
            yield f"Note right of T: {words}"
        case _:
            yield f"Note over I,T: {words}"
    for wrong in rung.wrong:
        yield f"Note over I,T: wrong: {_plain(wrong)}"


def _plain(text: str) -> str:
    """Text without the characters that mean something in Mermaid."""
    return "".join(f"#{ord(c)};" if c in "#;<%" or not c.isprintable() else c for c in text)


# SVG.

_LEFT, _TOP, _MARGIN = 108.0, 104.0, 28.0
"""Pixels to the initiator's line, above the first rung, and around all."""
_BIG = 7.6
"""The width of a character of a name."""
_ROOM = 16.0
"""Pixels between rungs."""
_COLORS = """
svg { --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { svg { --wrong: #ff8a80; } }
.wrong { fill: #b3261e; fill: var(--wrong); }
.life { stroke: #8797a8; stroke: var(--line); stroke-width: 1.4; stroke-dasharray: 2 4; }
.middle { text-anchor: middle; }
.time { text-anchor: end; }
.rung:hover .line { stroke-width: 2.6; }
""".strip()
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" \
width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{title}">
<title>{title}</title>
<style>
{style}
</style>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" \
orient="auto"><path class="head" d="M0 1 L10 5 L0 9 z"/></marker></defs>
<rect class="page" width="{width:.0f}" height="{height:.0f}"/>
<text class="title" x="28" y="36">{title}</text>
{body}
</svg>
"""


def svg(sequence: Sequence) -> str:
    """The ladder as an SVG: what a PDU's fields are is told wherever the pointer rests."""
    rungs = sequence.shown()
    said = [line for rung in rungs if rung.kind is not Kind.COMMENT for line in rung.lines]
    notes = [line for rung in rungs if rung.kind is Kind.COMMENT for line in rung.lines]
    right = _LEFT + max(420.0, max(map(len, said), default=0) * _BIG + 40.0)
    width = right + max(120.0, max(map(len, notes), default=0) * CHARACTER + 16.0) + _MARGIN
    y = beside = _TOP
    parts: list[str] = []
    for rung in rungs:
        if rung.kind is Kind.COMMENT:
            parts += _tipped(rung, [_text("label", right + 12, beside, rung.lines[0])])
            beside += LINE
            continue
        y = max(y, beside)
        drawn, height = _DRAWN[rung.kind](rung, right, y)
        parts += _tipped(rung, drawn)
        beside = y + 12
        y += height + _ROOM
    y = max(y, beside)
    if sequence.left_out:
        words = f"{sequence.left_out} more are left out"
        parts.append(_text("soft middle", (_LEFT + right) / 2, y, words))
        y += LINE
    return _SVG.format(
        title=_title(sequence),
        width=width,
        height=y + _MARGIN,
        style=f"{STYLE}\n{_COLORS}",
        body="\n".join([*_lives(sequence, right, y), *parts]),
    )


def _title(sequence: Sequence) -> str:
    numbered = " and ".join(map(str, sorted(sequence.connections)))
    return f"Connection{'s' if len(sequence.connections) > 1 else ''} {numbered}"


def _tipped(rung: Rung, drawn: list[str]) -> list[str]:
    return [f'<g class="rung"><title>{_xml(rung.tip or rung.lines[0])}</title>', *drawn, "</g>"]


def _lives(sequence: Sequence, right: float, bottom: float) -> Iterator[str]:
    """The two sides, each with its line."""
    for x, side, where in zip((_LEFT, right), ("initiator", "target"), sequence.ends, strict=True):
        yield f'<line class="life" x1="{x:.1f}" y1="84" x2="{x:.1f}" y2="{bottom:.1f}"/>'
        yield _text("name", x, 62, side)
        kind, at = ("soft", _MARGIN) if x == _LEFT else ("soft middle", x)
        yield _text(kind, at, 78, where)


def _said(rung: Rung, right: float, y: float) -> tuple[list[str], float]:
    middle = (_LEFT + right) / 2
    start, end = (_LEFT, right) if rung.from_initiator else (right, _LEFT)
    first, *rest = rung.lines
    parts = [
        _text("soft time", _LEFT - 12, y + 14, f"{rung.time / 1e9:.6f}"),
        _text("name", middle, y + 8, first),
        f'<path class="line" marker-end="url(#head)" d="M{start:.1f} {y + 14:.1f} H{end:.1f}"/>',
    ]
    for number, line in enumerate(rest):
        parts.append(_text("soft middle", middle, y + 28 + LINE * number, line))
    for number, wrong in enumerate(rung.wrong, start=len(rest)):
        parts.append(_text("wrong middle", middle, y + 28 + LINE * number, f"wrong: {wrong}"))
    return parts, 16 + LINE * (len(rest) + len(rung.wrong))


def _happened(rung: Rung, right: float, y: float) -> tuple[list[str], float]:
    return [_text("wrong middle", (_LEFT + right) / 2, y + 10, f"({rung.lines[0]})")], LINE


def _began(rung: Rung, right: float, y: float) -> tuple[list[str], float]:
    return [_text("symbol", (_LEFT + right) / 2, y + 4, rung.lines[0])], LINE


def _settled(rung: Rung, right: float, y: float) -> tuple[list[str], float]:
    """A box with all keys, in two columns."""
    half = (len(rung.lines) + 1) // 2
    columns = rung.lines[:half], rung.lines[half:]
    left, width = _LEFT + 24, right - _LEFT - 48
    height = half * LINE + 12
    size = f'width="{width:.1f}" height="{height:.1f}"'
    parts = [f'<rect class="box" x="{left:.1f}" y="{y:.1f}" {size} rx="9"/>']
    for number, pair in enumerate(zip_longest(*columns, fillvalue="")):
        for column, words in enumerate(pair):
            room = int((width / 2 - 20) / CHARACTER)
            words = words if len(words) <= room else words[: room - 3] + "..."
            x = left + 12 + column * width / 2
            kind = "wrong" if ": wrong: " in words else "plain"
            parts.append(_text(kind, x, y + LINE * (number + 1) + 1, words))
    return parts, height


_Drawn = Callable[[Rung, float, float], tuple[list[str], float]]
_DRAWN: Mapping[Kind, _Drawn] = {
    Kind.BEGAN: _began,
    Kind.SAID: _said,
    Kind.HAPPENED: _happened,
    Kind.SETTLED: _settled,
}


def _text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{_xml(words)}</text>'


def _xml(text: str) -> str:
    """Text that may stand in XML, where most control characters may not."""
    return escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text))


FORMATS: Mapping[str, Callable[[Sequence], str]] = {"svg": svg, "mermaid": mermaid}
"""How each format is drawn."""
