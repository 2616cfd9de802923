"""A report as one page: whatever is needed to see why a verdict is what it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from trioscsi.conformance.bench.ladder import Line
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.scenario import Stimulus
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.report.fields_named import in_any
from trioscsi.conformance.report.page import SCRIPT, STYLE
from trioscsi.conformance.report.report import Report, Watched
from trioscsi.conformance.verdicts import Finding, Verdict
from trioscsi.pdu import BHS_LENGTH, LoginRequest, LoginResponse, TextRequest, TextResponse
from trioscsi.teaching.fields import Explained, explain
from trioscsi.teaching.splitting import Cut
from trioscsi.teaching.summary import summary
from trioscsi.text import Side

_AROUND = 12
"""Lines of a ladder that are shown before and behind one that proves something."""
_FIRST = 30
"""Lines that are shown where nothing has to be proven."""
_WITH_TEXT = (LoginRequest, LoginResponse, TextRequest, TextResponse)
_STIMULUS = {
    Stimulus.LEGAL: "The target keeps the rules.",
    Stimulus.FAULT: "Something breaks as it can for any target.",
    Stimulus.BREACH: "The target breaks a rule itself.",
}


def as_html(report: Report) -> str:
    """One page that needs nothing else."""
    title = f"Conformance of {report.initiator}"
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{_t(title)}</title>",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{STYLE}</style></head><body><main><h1>{_t(title)}</h1>",
            *_overview(report),
            "<h2>Scenarios</h2>",
            *(part for outcome in report.outcomes for part in _scenario(outcome)),
            "<h2>Monitors</h2><p>Watched on every PDU of all scenarios.</p>",
            *(part for watched in _monitors(report) for part in _monitor(watched)),
            "<h2>What it offers</h2>",
            *_table(
                ("key", "values"),
                [(name, " or ".join(values)) for name, values in report.offered.items()],
            ),
            f"</main><script>{SCRIPT}</script></body></html>\n",
        )
    )


def _t(text: object) -> str:
    return escape(str(text))


def _monitors(report: Report) -> list[Watched]:
    return [*report.monitors.values(), *report.of_target.values()]


def _overview(report: Report) -> Iterator[str]:
    verdicts = [outcome.verdict for outcome in report.outcomes]
    verdicts += [watched.verdict for watched in _monitors(report)]
    yield '<p class="counts">'
    for verdict in Verdict:
        count = verdicts.count(verdict)
        if count:
            yield (
                f'<label class="{verdict.lower()}"><input type="checkbox" checked'
                f' value="{verdict.lower()}"> {count} {_t(verdict)}</label> '
            )
    yield "</p>"


def _scenario(outcome: Outcome) -> Iterator[str]:
    scenario, verdict, judged = outcome.scenario, outcome.verdict, outcome.rule
    open_ = " open" if verdict is Verdict.FAIL else ""
    yield (
        f'<details class="item {verdict.lower()}" id="{scenario.id}"{open_}><summary>'
        f'<b>{scenario.id}</b> <span class="verdict">{_t(verdict)}</span> {_t(scenario.says)}'
        f" <small>{judged.level.name}, section {_t(judged.section)}</small></summary>"
    )
    yield f"<p>{_STIMULUS[scenario.stimulus]} The initiator was made to {_t(scenario.drive)}.</p>"
    if outcome.breaches:
        yield "<ul>"
        for each in outcome.breaches:
            rule = each.remark.rule
            yield (
                f"<li>{_t(each.remark.breach)} <small>({rule.level.name}, {_t(rule.id)}, seen at"
                f" PDU {each.line})</small></li>"
            )
        yield "</ul>"
    elif outcome.says:
        yield f"<p>{_t(outcome.says)}</p>"
    if outcome.ending is not None:
        yield f"<p>The initiator {_t(outcome.ending)}.</p>"
    yield from _ladder(outcome)
    yield "</details>"


def _ladder(outcome: Outcome) -> Iterator[str]:
    """The PDUs that prove the verdict; all others of the scenario are counted."""
    lines = outcome.ladder
    if not lines:
        return
    proofs: dict[int, list[str]] = {each.line: [] for each in outcome.breaches}
    for each in outcome.breaches:
        proofs[each.line].append(each.remark.breach)
    shown = [
        line
        for line in lines
        if (not proofs and line.number < _FIRST)
        or any(abs(line.number - place) <= _AROUND for place in proofs)
    ]
    yield '<table class="ladder"><tbody>'
    before = -1
    for line in shown:
        if line.number != before + 1:
            yield f'<tr><td colspan="4">{line.number - before - 1} more</td></tr>'
        before = line.number
        yield from _rung(line, proofs.get(line.number, ()))
    left = lines[-1].number - before + outcome.unlisted
    if left:
        yield f'<tr><td colspan="4">{left} more</td></tr>'
    yield "</tbody></table>"


def _rung(line: Line, breaches: Sequence[str]) -> Iterator[str]:
    arrow = "&rarr;" if line.sender is Side.INITIATOR else "&larr;"
    proof = ' class="proof"' if breaches else ""
    yield (
        f"<tr{proof}><td>{line.number}</td><td>{line.time:.3f} s</td>"
        f'<td title="{line.sender.value}">{line.connection} {arrow}</td><td>'
    )
    if not line.raw:
        yield f"the {line.sender.value} closes the connection"
    else:
        explained, cut = _explained(line.raw, line.length)
        yield f"<details{' open' if breaches else ''}><summary>{_t(summary(explained, cut))}"
        yield "</summary>"
        yield from _fields(explained, in_any(breaches))
        yield from _keys(explained, cut.data, " ".join(breaches))
        yield "</details>"
    yield "</td></tr>"


def _explained(raw: bytes, length: int) -> tuple[Explained, Cut]:
    end = BHS_LENGTH + (raw[4] << 2 if len(raw) >= BHS_LENGTH else 0)
    header, data = raw[:end], raw[end:]
    data_length = int.from_bytes(raw[5:8]) if len(raw) >= BHS_LENGTH else 0
    data = data[:data_length]
    return explain(header, data), Cut(header, data, min(data_length, length))


def _fields(explained: Explained, marked: frozenset[str]) -> Iterator[str]:
    yield "<table>"
    for part in explained.parts:
        mark = ' class="marked"' if part.name in marked else ""
        yield (
            f"<tr{mark}><th>{_t(part.title)}</th><td>{_t(part.value)}</td>"
            f"<td>{_t(part.meaning)}</td><td>{_t(part.section)}</td></tr>"
        )
    yield "</table>"
    for sentence in explained.wrong:
        yield f"<p>{_t(sentence)}</p>"


def _keys(explained: Explained, data: bytes, breaches: str) -> Iterator[str]:
    """The text of a PDU that has one, with the keys marked that breaches are about."""
    if not isinstance(explained.pdu, _WITH_TEXT) or not data:
        return
    yield "<table>"
    for piece in data.rstrip(b"\0").split(b"\0"):
        name, _, value = piece.decode(errors="replace").partition("=")
        mark = ' class="marked"' if name and name in breaches else ""
        yield f"<tr{mark}><th>{_t(name)}</th><td>{_t(value)}</td></tr>"
    yield "</table>"


def _monitor(watched: Watched) -> Iterator[str]:
    verdict = watched.verdict
    yield (
        f'<details class="item {verdict.lower()}" id="{watched.id}"><summary><b>{watched.id}</b>'
        f' <span class="verdict">{_t(verdict)}</span> {_t(MONITORS[watched.id].says)}'
        f" <small>put to the test {watched.exercised} times</small></summary>"
    )
    for where, finding in watched.findings[:5]:
        yield from _finding(where, finding)
    yield "</details>"


def _finding(where: str, finding: Finding) -> Iterator[str]:
    yield (
        f"<p>{_t(finding.says)} <small>({finding.rule.level.name}, {_t(finding.rule.id)}, in"
        f" {_t(where)})</small></p>"
    )
    if len(finding.evidence.header) >= BHS_LENGTH:
        explained = explain(finding.evidence.header)
        yield f"<details><summary>{_t(explained.title)}</summary>"
        yield from _fields(explained, in_any([finding.says]))
        yield "</details>"


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "<table><tr>" + "".join(f"<th>{_t(head)}</th>" for head in heads) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{_t(cell)}</td>" for cell in row) + "</tr>"
    yield "</table>"
