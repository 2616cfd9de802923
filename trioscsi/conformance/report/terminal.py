"""A report as lines on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.report.plain import plain
from trioscsi.conformance.report.report import Report
from trioscsi.conformance.verdicts import Verdict

_SHOWN = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.INFO})
_WIDTH = max(map(len, Verdict))


def row(name: str, verdict: Verdict, section: str, says: str) -> str:
    """One line: id, verdict, section of the RFC, and a sentence."""
    return f"{name:<6} {verdict:<{_WIDTH}}  {section:<9} {says}".rstrip()


def progress(outcome: Outcome, width: int | None = None) -> str:
    """What is said of a scenario when it is over, in a line of at most so many characters."""
    scenario = outcome.scenario
    says = scenario.says if outcome.verdict is Verdict.PASS else f"{scenario.says} [{outcome.says}]"
    line = plain(row(scenario.id, outcome.verdict, outcome.rule.section, says))
    return line if width is None or len(line) <= width else line[: width - 3] + "..."


def lines(report: Report) -> Iterator[str]:
    """What was found, when all is over: breaches with their proof, then counts."""
    return map(plain, _lines(report))


def _lines(report: Report) -> Iterator[str]:
    for outcome in report.outcomes:
        if outcome.verdict in _SHOWN:
            yield ""
            yield row(outcome.scenario.id, outcome.verdict, outcome.rule.section, "")
            yield f"  expected  {outcome.scenario.says}"
            for each in outcome.breaches:
                rule = each.remark.rule
                yield f"  found     {each.remark.breach} ({rule.level.name}, {rule.id})"
            yield f"  driver    {outcome.ending}"
    for watched in (*report.monitors.values(), *report.of_target.values()):
        if watched.verdict not in _SHOWN:
            continue
        scenario, finding = watched.findings[0]
        times = sum(watched.broken.values())
        yield ""
        yield row(watched.id, watched.verdict, finding.rule.section, MONITORS[watched.id].says)
        yield f"  found     {finding.says} ({finding.rule.id}), {times} times, first in {scenario}"
        yield f"  proof     {finding.evidence}: {finding.evidence.header.hex()}"
    yield ""
    if report.deserted and any(outcome.ladder for outcome in report.outcomes):
        yield "The initiator has connected, and has not sent one whole PDU: does it speak iSCSI?"
    elif report.deserted:
        yield "The initiator has not connected once: is the URL where it looks for it?"
    if report.outcomes:
        yield f"{report.initiator}: {_counted(each.verdict for each in report.outcomes)}"
    yield f"monitors: {_counted(each.verdict for each in report.monitors.values())}"
    if report.of_target:
        yield f"of the target: {_counted(each.verdict for each in report.of_target.values())}"


def _counted(verdicts: Iterable[Verdict]) -> str:
    counts = Counter(verdicts)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
