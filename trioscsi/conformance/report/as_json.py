"""A report as JSON: one object, as it is kept, compared and read by other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import Evidence
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.report.report import Report, Watched
from trioscsi.conformance.verdicts import Finding
from trioscsi.pdu import BHS_LENGTH


def as_json(report: Report) -> str:
    """The whole report."""
    return json.dumps(as_object(report), indent=1) + "\n"


def as_object(report: Report) -> dict[str, Any]:
    """The same as Python has it."""
    return {
        "initiator": {
            "name": report.initiator,
            "offered": {name: list(values) for name, values in report.offered.items()},
            "seen": dict(report.seen),
        },
        "results": [_result(outcome) for outcome in report.outcomes],
        "monitors": [
            _monitor(watched) for watched in (*report.monitors.values(), *report.of_target.values())
        ],
        "summary": {str(verdict): count for verdict, count in report.summary.items()},
    }


def _result(outcome: Outcome) -> Mapping[str, Any]:
    scenario = outcome.scenario
    return {
        "id": scenario.id,
        "verdict": str(outcome.verdict),
        "level": scenario.level.name,
        "section": outcome.rule.section,
        "requirement": outcome.rule.id,
        "stimulus": scenario.stimulus.value,
        "drive": scenario.drive.name,
        "says": scenario.says,
        "why": outcome.says,
        "driver": "" if outcome.ending is None else str(outcome.ending),
        "seconds": round(outcome.seconds, 3),
        "evidence": [_evidence(outcome, each) for each in outcome.breaches],
    }


def _evidence(outcome: Outcome, evidence: Evidence) -> Mapping[str, Any]:
    rule = evidence.remark.rule
    found: dict[str, Any] = {
        "says": evidence.remark.breach,
        "requirement": rule.id,
        "level": rule.level.name,
        "pdu": evidence.line,
    }
    if 0 <= evidence.line < len(outcome.ladder):
        line = outcome.ladder[evidence.line]
        found |= {"sender": line.sender.value, "header": line.raw[:BHS_LENGTH].hex()}
    return found


def _monitor(watched: Watched) -> Mapping[str, Any]:
    rule = watched.findings[0][1].rule if watched.findings else None
    return {
        "id": watched.id,
        "verdict": str(watched.verdict),
        "level": "MUST" if rule is None else rule.level.name,
        "section": "" if rule is None else rule.section,
        "says": MONITORS[watched.id].says,
        "exercised": watched.exercised,
        "evidence": [_finding(*each) for each in watched.findings],
    }


def _finding(scenario: str, finding: Finding) -> Mapping[str, Any]:
    return {
        "scenario": scenario,
        "says": finding.says,
        "requirement": finding.rule.id,
        "level": finding.rule.level.name,
        "pdu": finding.evidence.number,
        "header": finding.evidence.header[:BHS_LENGTH].hex(),
    }
