"""What is expected of an initiator from now on: a report without what differs from run to run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trioscsi.conformance.verdicts import Verdict

_NUMBERS = re.compile(r"\b(0x[0-9a-f]{5,}|\d{5,})\b")
"""Serial numbers, tags and ports: another one each time."""
_NAMES = re.compile(r"\biqn\.\S+")
_SILENT = (Verdict.PASS, Verdict.NOT_EXERCISED)
"""Verdicts that are not explained."""


def as_expected(report: Mapping[str, Any]) -> str:
    """A report that `as_object` has made: a line for each scenario and monitor, with why.

    `compare` reads it like a whole one.
    """
    results = [
        _row(row["id"], row["verdict"], row["section"], row["why"]) for row in report["results"]
    ]
    monitors = [
        _row(row["id"], row["verdict"], row["section"], _first(row["evidence"]))
        for row in report["monitors"]
    ]
    name = json.dumps({"name": report["initiator"]["name"]})
    return (
        f'{{\n"initiator": {name},\n"results": [\n{_lines(results)}\n],\n'
        f'"monitors": [\n{_lines(monitors)}\n]\n}}\n'
    )


def _lines(rows: Iterable[Mapping[str, str]]) -> str:
    return ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def _row(name: str, verdict: str, section: str, why: str) -> Mapping[str, str]:
    row = {"id": name, "verdict": verdict}
    if verdict not in _SILENT:
        row |= {"section": section, "why": _steady(why)}
    return row


def _first(evidence: Iterable[Mapping[str, Any]]) -> str:
    for each in evidence:
        return str(each["says"])
    return ""


def _steady(why: str) -> str:
    """The sentence without numbers and names that are others the next time."""
    return _NUMBERS.sub("N", _NAMES.sub("NAME", why))


def table(reports: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Initiators by groups of scenarios, in Markdown: how many there are of each verdict."""
    groups = dict.fromkeys(
        _group(row["id"]) for report in reports.values() for row in report["results"]
    )
    yield f"| group | {' | '.join(reports)} |"
    yield f"|---|{'---|' * len(reports)}"
    for group in groups:
        cells = (counted(_of(group, each["results"])) for each in reports.values())
        yield f"| {group} | {' | '.join(cells)} |"
    yield f"| all | {' | '.join(counted(each['results']) for each in reports.values())} |"
    yield f"| monitors | {' | '.join(counted(each['monitors']) for each in reports.values())} |"


def _of(group: str, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if _group(row["id"]) == group]


def _group(name: str) -> str:
    return name.partition("-")[0]


def counted(rows: Iterable[Mapping[str, Any]]) -> str:
    """As ``12 pass, 3 FAIL``: verdicts that occur, in the order of what they are worth."""
    verdicts = [Verdict(row["verdict"]) for row in rows]
    return ", ".join(f"{verdicts.count(each)} {each}" for each in Verdict if each in verdicts)
